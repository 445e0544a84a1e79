//! PINs: 4 to 8 digits, hashed with argon2id at the cost that OWASP's password storage cheat sheet names first for little memory
//! (19 MiB, 2 passes, 1 lane).

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// A PIN as somebody entered it. Shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

/// Why a PIN was not hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The hash that is held cannot be read: head office has to set the PIN anew.
    #[error("the hash of this PIN cannot be read")]
    Hash,
    /// There is no randomness, or no memory.
    #[error("the system gave no randomness or no memory")]
    System,
    /// The node stops.
    #[error("the node is stopping")]
    Stopped,
}

impl Pin {
    /// Takes 4 to 8 digits. The error completes a sentence that begins with the field's name, and does not repeat the PIN.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fits = (DIGITS_MIN..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(text.into())) } else { Err("is not 4 to 8 digits") }
    }

    /// True for what is guessed first: one or two digits over and over, and digits in a row up or down.
    pub fn is_trivial(&self) -> bool {
        let digits = self.0.as_bytes();
        let repeats = |period: usize| digits.iter().zip(&digits[period..]).all(|(a, b)| a == b);
        let step = |a: u8, b: u8| (b + 10 - a) % 10;
        let runs = |by: u8| digits.windows(2).all(|two| step(two[0], two[1]) == by);
        repeats(1) || repeats(2) || runs(1) || runs(9)
    }

    /// Its hash as a PHC string, with a random salt.
    pub fn hash(&self) -> Result<String, PinError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| PinError::System)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PinError::System)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon.hash_password_with_salt(self.0.as_bytes(), &salt).map_err(|_| PinError::System)?;
        Ok(hash.to_string())
    }

    /// Whether it is the one behind a hash.
    pub fn matches(&self, hash: &str) -> Result<bool, PinError> {
        match Argon2::default().verify_password(self.0.as_bytes(), hash) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(_) => Err(PinError::Hash),
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

const DIGITS_MIN: usize = 4;
const DIGITS_MAX: usize = 8;
const SALT_BYTES: usize = 16;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Pin {
        Pin::parse(text).unwrap()
    }

    #[test]
    fn a_pin_is_four_to_eight_digits_and_shows_itself_nowhere() {
        for wrong in ["", "123", "123456789", "12a4", "12 4", "１２３４", "-123"] {
            assert!(Pin::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format!("{:?}", pin("8305")), "Pin(..)");
    }

    #[test]
    fn what_is_guessed_first_may_not_be_set() {
        for trivial in ["0000", "7777777", "1234", "0123", "56789012", "4321", "10987", "1212", "909090"] {
            assert!(pin(trivial).is_trivial(), "{trivial}");
        }
        for good in ["8305", "1357", "1221", "112233", "12345679"] {
            assert!(!pin(good).is_trivial(), "{good}");
        }
    }

    #[test]
    fn a_hash_fits_a_record_and_matches_its_pin_only() {
        let hash = pin("8305").hash().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hash.len() <= stockroom_crdt::limits::PIN_HASH_BYTES_MAX);
        assert!(pin("8305").matches(&hash).unwrap());
        assert!(!pin("8306").matches(&hash).unwrap());
        assert_ne!(hash, pin("8305").hash().unwrap());
        assert!(pin("8305").matches("$argon2id$nonsense").is_err());
    }
}
