//! QR codes: a text as a picture, and binary tokens as the text that makes the smallest picture.
//!
//! Tokens are written in base45 (RFC 9285). A QR code holds its 45 characters in 5.5 bits each, so 16 bits of a token cost 16.5;
//! base64 needs the byte mode and costs 21.3. For a token of 140 bytes that is version 8 instead of 10 at level M.

use fast_qr::convert::Builder;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder};

/// Why there is no picture, or no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// More than a QR code takes that a phone reads well.
    #[error("a QR code has 1 to {TEXT_BYTES_MAX} bytes")]
    Length,
    /// The text is not a token: a character was lost, changed or added.
    #[error("this is not a whole token: scan it again")]
    Damaged,
}

/// A QR code as an SVG element, without outside references: error correction level M, margin of four modules.
pub fn svg(text: &str) -> Result<String, QrError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(QrError::Length);
    }
    let code = QRBuilder::new(text).ecl(ECL::M).build().map_err(|_| QrError::Length)?;
    Ok(SvgBuilder::default().margin(4).to_str(&code))
}

/// A QR code as text for a terminal, two modules per character.
pub fn terminal(text: &str) -> Result<String, QrError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(QrError::Length);
    }
    QRBuilder::new(text).ecl(ECL::L).build().map(|code| code.to_str()).map_err(|_| QrError::Length)
}

/// Modules along one side of the code of a text, without its margin: what a smaller text form saves.
pub fn side(text: &str) -> Result<usize, QrError> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(QrError::Length);
    }
    QRBuilder::new(text).ecl(ECL::M).build().map(|code| code.size).map_err(|_| QrError::Length)
}

/// A binary token as text for a QR code: `SR:`, base45, and a dot, so that no scanner can trim a space off its end.
pub fn encode_token(token: &[u8]) -> Result<String, QrError> {
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
        return Err(QrError::Length);
    }
    let mut text = String::from(BEGIN);
    for pair in token.chunks(2) {
        let (mut value, digits) = match *pair {
            [high, low] => (u32::from(high) * 256 + u32::from(low), 3),
            [one] => (u32::from(one), 2),
            _ => (0, 0),
        };
        for _ in 0..digits {
            text.push(char::from(ALPHABET[(value % 45) as usize]));
            value /= 45;
        }
    }
    text.push(END);
    Ok(text)
}

/// Reads what [`encode_token`] wrote. White space around it does no harm; nothing else is taken, and each token has one text.
pub fn decode_token(text: &str) -> Result<Vec<u8>, QrError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(QrError::Length);
    }
    let digits = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or(QrError::Damaged)?;
    let mut token = Vec::new();
    for group in digits.as_bytes().chunks(3) {
        let mut value = 0;
        for &digit in group.iter().rev() {
            let digit = ALPHABET.iter().position(|&known| known == digit).ok_or(QrError::Damaged)?;
            value = value * 45 + digit as u32;
        }
        match group.len() {
            3 => token.extend(u16::try_from(value).map_err(|_| QrError::Damaged)?.to_be_bytes()),
            2 => token.push(u8::try_from(value).map_err(|_| QrError::Damaged)?),
            _ => return Err(QrError::Damaged),
        }
    }
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX { Err(QrError::Damaged) } else { Ok(token) }
}

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const BEGIN: &str = "SR:";
const END: char = '.';

/// Bytes of a token: version 21 of the code, which phones still read off a phone.
pub const TOKEN_BYTES_MAX: usize = 640;

/// Bytes of a text: what [`TOKEN_BYTES_MAX`] bytes are in base45, and a little.
pub const TEXT_BYTES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_base45_of_the_standard() {
        // The examples of RFC 9285, 4.3.
        assert_eq!(encode_token(b"AB").unwrap(), "SR:BB8.");
        assert_eq!(encode_token(b"Hello!!").unwrap(), "SR:%69 VD92EX0.");
        assert_eq!(encode_token(b"base-45").unwrap(), "SR:UJCLQE7W581.");
        assert_eq!(decode_token("SR:QED8WEX0.").unwrap(), b"ietf!");
    }

    #[test]
    fn every_token_comes_back_and_nothing_else_does() {
        for length in 1..=TOKEN_BYTES_MAX {
            let token: Vec<u8> = (0..length).map(|at| (at * 37 + length) as u8).collect();
            let text = encode_token(&token).unwrap();
            assert!(text.len() <= TEXT_BYTES_MAX);
            assert_eq!(decode_token(&format!(" {text}\r\n")).unwrap(), token);
        }
        assert_eq!(encode_token(&[]), Err(QrError::Length));
        assert_eq!(encode_token(&[0; TOKEN_BYTES_MAX + 1]), Err(QrError::Length));
        for wrong in
            ["", "SR:", "SR:.", "SR:A.", "SR:BB8", "BB8.", "SR:bb8.", "SR:GGW.", "SR:::.", "SR:BB8..", "SR:é0."]
        {
            assert_eq!(decode_token(wrong), Err(QrError::Damaged), "{wrong}");
        }
        assert_eq!(decode_token(&"A".repeat(1_001)), Err(QrError::Length));
        assert_eq!(decode_token(&format!("SR:{}.", "0".repeat(963))), Err(QrError::Damaged), "a token of 642 bytes");
    }

    #[test]
    fn base45_makes_the_smaller_picture() {
        use base64::Engine;
        let token: Vec<u8> = (0..140).map(|at| (at * 91) as u8).collect();
        let other = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&token);
        let (ours, theirs) = (side(&encode_token(&token).unwrap()).unwrap(), side(&other).unwrap());
        assert_eq!((ours, theirs), (49, 57), "versions 8 and 10");
    }

    #[test]
    fn a_picture_has_no_outside_reference_and_no_text_in_it() {
        let picture = svg("<script>alert(1)</script>").unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"));
        assert!(!picture.contains("script") && !picture.contains("href"));
        assert_eq!(picture.matches("http").count(), 1, "the name space only");
        assert_eq!(svg(""), Err(QrError::Length));
        assert_eq!(svg(&"x".repeat(1_001)), Err(QrError::Length));
        assert!(svg(&"x".repeat(1_000)).is_ok());
    }
}
