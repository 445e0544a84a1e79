//! Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, by one secret or, while it is rotated, by two.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What sender and receiver share. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why a text is not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is not base64.
    #[error("a secret is whsec_ and base64")]
    Text,
    /// It is too short to be safe, or too long to be one.
    #[error("a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")]
    Length,
}

impl Secret {
    /// A new one from the system's randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads `whsec_` and base64; the prefix may be missing.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| SecretError::Text)?;
        match (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            true => Ok(Self(bytes)),
            false => Err(SecretError::Length),
        }
    }

    /// The text that is shown once to whoever makes the endpoint.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The headers of a delivery that take part in its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// `webhook-id`: the same over retries, so it is the receiver's key against doing things twice.
    pub id: &'a str,
    /// `webhook-timestamp`: seconds since 1970 of this attempt.
    pub timestamp: &'a str,
    /// `webhook-signature`: signatures with spaces between them.
    pub signature: &'a str,
}

/// Why a delivery must not be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// An id, a timestamp or a signature cannot be one.
    #[error("a header of the delivery is malformed")]
    Malformed,
    /// It was signed too long ago: somebody may be playing it again.
    #[error("the delivery is too old")]
    TooOld,
    /// It was signed too far in the future.
    #[error("the delivery comes from the future")]
    TooNew,
    /// No signature is by one of the secrets.
    #[error("no signature of the delivery is by a known secret")]
    Signature,
}

/// The value of `webhook-signature`: one signature for each secret.
pub fn sign(secrets: &[Secret], id: &str, timestamp_s: u64, body: &[u8]) -> String {
    let text = signed(id, &timestamp_s.to_string(), body);
    let one = |secret: &Secret| format!("{VERSION},{}", STANDARD.encode(hmac::sign(&secret.key(), &text)));
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What a receiver does first: `body` as it came, byte for byte, and every secret that it still believes.
pub fn verify(headers: Headers<'_>, body: &[u8], secrets: &[Secret], now_s: u64) -> Result<(), VerifyError> {
    if !is_id(headers.id) || headers.signature.len() > SIGNATURES_BYTES_MAX {
        return Err(VerifyError::Malformed);
    }
    let at_s: u64 = headers.timestamp.parse().map_err(|_| VerifyError::Malformed)?;
    if now_s > at_s.saturating_add(TOLERANCE_S) {
        return Err(VerifyError::TooOld);
    }
    if at_s > now_s.saturating_add(TOLERANCE_S) {
        return Err(VerifyError::TooNew);
    }
    let text = signed(headers.id, headers.timestamp, body);
    let of_version = headers.signature.split(' ').filter_map(|one| one.strip_prefix(VERSION)?.strip_prefix(','));
    let tags: Vec<Vec<u8>> = of_version.filter_map(|tag| STANDARD.decode(tag).ok()).collect();
    // `hmac::verify` compares in constant time.
    let known = |tag: &Vec<u8>| secrets.iter().any(|secret| hmac::verify(&secret.key(), &text, tag).is_ok());
    if tags.iter().any(known) { Ok(()) } else { Err(VerifyError::Signature) }
}

/// True for what may stand in `webhook-id`: a dot would let a part of the id pass for a timestamp.
pub fn is_id(id: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1";

/// Bytes of a secret that we make.
const SECRET_BYTES: usize = 32;

/// Bounds of the standard.
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;

/// How far the clocks of sender and receiver may be apart: the standard's usual five minutes.
pub const TOLERANCE_S: u64 = 300;

/// Characters of an id.
const ID_CHARS_MAX: usize = 128;

/// A dozen signatures of 47 characters: a sender rotates between two.
const SIGNATURES_BYTES_MAX: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 1_700_000_000;

    fn secret(byte: u8) -> Secret {
        Secret(vec![byte; 32])
    }

    fn headers<'a>(id: &'a str, timestamp: &'a str, signature: &'a str) -> Headers<'a> {
        Headers { id, timestamp, signature }
    }

    #[test]
    fn a_signature_is_the_hmac_of_id_time_and_body() {
        // The expected value comes from `openssl dgst -sha256 -mac HMAC` over the same bytes.
        let signature = sign(&[secret(1)], "msg_1", AT, b"{}");
        assert_eq!(signature, "v1,xtZ05xWlw5OgOLjDd6HtOXxhC1OXgHe80DYwEPUhaCI=");
        assert_eq!(verify(headers("msg_1", "1700000000", &signature), b"{}", &[secret(1)], AT), Ok(()));
    }

    #[test]
    fn anything_that_was_changed_is_refused() {
        let signature = sign(&[secret(1)], "msg_1", AT, b"{}");
        let check =
            |id: &str, at: &str, body: &[u8], with: u8| verify(headers(id, at, &signature), body, &[secret(with)], AT);
        assert_eq!(check("msg_1", "1700000000", b"{} ", 1), Err(VerifyError::Signature));
        assert_eq!(check("msg_2", "1700000000", b"{}", 1), Err(VerifyError::Signature));
        assert_eq!(check("msg_1", "1700000001", b"{}", 1), Err(VerifyError::Signature));
        assert_eq!(check("msg_1", "1700000000", b"{}", 2), Err(VerifyError::Signature));
        assert_eq!(check("msg_1", "soon", b"{}", 1), Err(VerifyError::Malformed));
        assert_eq!(check("msg.1", "1700000000", b"{}", 1), Err(VerifyError::Malformed));
        assert_eq!(check("", "1700000000", b"{}", 1), Err(VerifyError::Malformed));
        for nonsense in ["", "v1,", "v1,!!", "v2,AAAA", "v1"] {
            let headers = headers("msg_1", "1700000000", nonsense);
            assert_eq!(verify(headers, b"{}", &[secret(1)], AT), Err(VerifyError::Signature), "{nonsense}");
        }
    }

    #[test]
    fn a_delivery_is_believed_for_five_minutes() {
        let signature = sign(&[secret(1)], "msg_1", AT, b"{}");
        let at = |now_s| verify(headers("msg_1", "1700000000", &signature), b"{}", &[secret(1)], now_s);
        assert_eq!((at(AT + 300), at(AT - 300)), (Ok(()), Ok(())));
        assert_eq!((at(AT + 301), at(AT - 301)), (Err(VerifyError::TooOld), Err(VerifyError::TooNew)));
    }

    #[test]
    fn while_a_secret_is_rotated_either_verifies() {
        let both = sign(&[secret(2), secret(1)], "msg_1", AT, b"{}");
        for known in [1, 2] {
            assert_eq!(verify(headers("msg_1", "1700000000", &both), b"{}", &[secret(known)], AT), Ok(()));
        }
    }

    #[test]
    fn a_secret_survives_being_written_down_and_is_not_shown_by_accident() {
        let made = Secret::generate().unwrap();
        assert!(made.reveal().starts_with("whsec_"));
        assert_eq!(Secret::parse(&made.reveal()), Ok(made.clone()));
        assert_eq!(format!("{made:?}"), "Secret");
        assert_eq!(Secret::parse("whsec_c2hvcnQ="), Err(SecretError::Length));
        assert_eq!(Secret::parse("whsec_?"), Err(SecretError::Text));
    }
}
