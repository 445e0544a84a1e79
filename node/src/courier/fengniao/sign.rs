//! The signature: SHA-256 over the secret and the fields, sorted by name, as lower-case hex.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use stockroom_crdt::ids::{Digest, hex};

use crate::courier::limits::SECRET_BYTES_MAX;

/// The shared secret. Shows itself nowhere.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret that is no file's, as tests do.
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// Reads the file; what is wrong is said in words, and never what was in it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = read_short(path)?;
        if text.trim().is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(Self::new(&text)) }
    }

    /// Signs `secret` + `name=value&...`.
    pub fn sign(&self, fields: &[(&str, &str)]) -> String {
        let mut sorted = fields.to_vec();
        sorted.sort_unstable();
        let pairs: Vec<_> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
        hex(&Digest::of(&[self.0.as_bytes(), pairs.join("&").as_bytes()]).0)
    }

    /// Compares without telling by its time where the two differ.
    pub fn verify(&self, fields: &[(&str, &str)], signature: &str) -> bool {
        let right = self.sign(fields);
        let differs = right.bytes().zip(signature.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        right.len() == signature.len() && differs == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A file that holds a secret: short and text.
pub(super) fn read_short(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut text = String::new();
    let read = File::open(path).map_err(told)?.take(SECRET_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    match read.map_err(told)? {
        bytes if bytes > SECRET_BYTES_MAX => Err(format!("{} is too long", path.display())),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_behind_the_secret() {
        let secret = Secret::new("s3cret\n");
        let fields = [("timestamp", "1"), ("app_id", "a"), ("business_data", "{\"x\":1}")];
        let text = "s3cretapp_id=a&business_data={\"x\":1}&timestamp=1";
        let right = hex(&Digest::of(&[text.as_bytes()]).0);
        assert_eq!(secret.sign(&fields), right);
        assert!(secret.verify(&fields, &right));
        assert!(!secret.verify(&fields, &right[1..]));
        assert!(!secret.verify(&fields, &right.replace(&right[..1], "g")));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
