//! Typed ids. A value of one of these types is already valid; parsing happens at the edge.

use std::fmt;

use crate::codec::{DecodeError, Sink, Source, col};
use crate::limits::CODE_BYTES_MAX;

/// A tenant: one chain with one root of trust. 128 random bits made by `init`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub [u8; 16]);

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {}", hex(&self.0))
    }
}

/// A node, unique in its tenant. Ids come from the range of the hub that enrolled it; 0 is the tenant's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// One unbroken life of a node's database. A new epoch opens after any doubt about continuity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u16);

/// The writer of a log: a node in one of its epochs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// Which node.
    pub node: NodeId,
    /// Which life of it.
    pub epoch: Epoch,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node.0, self.epoch.0)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Actor {
    /// The writer `node` in `epoch`.
    pub const fn new(node: u32, epoch: u16) -> Self {
        Self { node: NodeId(node), epoch: Epoch(epoch) }
    }

    /// Writes node, then epoch.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::ACTOR_NODE, u64::from(self.node.0));
        sink.uint(col::ACTOR_EPOCH, u64::from(self.epoch.0));
    }

    /// Reads what [`Actor::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { node: NodeId(source.u32(col::ACTOR_NODE)?), epoch: Epoch(source.u16(col::ACTOR_EPOCH)?) })
    }
}

/// A store (a location that holds goods). 0 is no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub u32);

/// A base account of a member: 64 random bits that say nothing about her.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

impl MemberId {
    /// Writes the id.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::KEY, self.0);
    }

    /// Reads what [`MemberId::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self(source.uint(col::KEY)?))
    }

    /// Takes the 16 hexadecimal digits that `Display` gives.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hex { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "member {self}")
    }
}

/// A till or handheld of one store; numbers its own sales.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TillId(pub u32);

/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// SHA-256 over the parts, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Self(out)
    }

    /// HMAC-SHA-256 over the parts, one after the other: nobody without `key` finds out by trying what was hashed.
    pub fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> Self {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        let mut context = ring::hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        Self(out)
    }

    /// The first 16 bytes: enough to notice a difference on a link, never used as a proof.
    pub fn short(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out.copy_from_slice(&self.0[..16]);
        out
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..6]))
    }
}

/// A stock keeping unit: 1-32 ASCII letters, digits, `.`, `-`, `_` or `/`. Opaque to us.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(Box<str>);

/// Why a text is not a [`Sku`] or [`Code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// More bytes than the field holds.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// A character that the field does not allow.
    #[error("contains a character that is not allowed here")]
    Character,
}

impl Sku {
    /// Checks and takes a SKU.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'/');
        check_text(text, CODE_BYTES_MAX, |c| c.is_ascii() && allowed(c as u8))?;
        Ok(Self(text.into()))
    }

    /// The SKU as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Writes the SKU: a decimal number as itself, any other text as 0, its length and its bytes.
    pub fn encode(&self, sink: &mut impl Sink) {
        match self.number() {
            Some(number) => sink.uint(col::SKU, number),
            None => {
                sink.uint(col::SKU, 0);
                sink.blob(col::SKU_TEXT, self.0.as_bytes());
            }
        }
    }

    /// Reads what [`Sku::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let tag = source.uint(col::SKU)?;
        if tag != 0 {
            return if tag >= NUMBER_MAX { Err(DecodeError::Value("sku")) } else { Ok(Self(tag.to_string().into())) };
        }
        let sku = Self::parse(&source.text(col::SKU_TEXT, CODE_BYTES_MAX)?).map_err(|_| DecodeError::Value("sku"))?;
        if sku.number().is_some() { Err(DecodeError::Value("sku")) } else { Ok(sku) }
    }

    /// The number that this SKU spells, if it spells one without a leading zero.
    fn number(&self) -> Option<u64> {
        let bytes = self.0.as_bytes();
        if bytes[0] == b'0' || !bytes.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0.parse().ok().filter(|&n| n < NUMBER_MAX)
    }
}

impl fmt::Debug for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A short printable text: staff id, reason, lot, tax code, region, legal entity. At most 32 bytes, may be empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Code(Box<str>);

impl Code {
    /// Checks and takes a code. Control characters are refused, so a code can stand in a log line.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if !text.is_empty() {
            check_text(text, CODE_BYTES_MAX, |c| !c.is_control())?;
        }
        Ok(Self(text.into()))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the empty code, which stands for "none".
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the code in column `column`.
    pub fn encode(&self, sink: &mut impl Sink, column: u8) {
        sink.blob(column, self.0.as_bytes());
    }

    /// Reads a code from column `column`.
    pub fn decode(source: &mut impl Source, column: u8) -> Result<Self, DecodeError> {
        Self::parse(&source.text(column, CODE_BYTES_MAX)?).map_err(|_| DecodeError::Value("code"))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a text against a length and a set of characters.
pub fn check_text(text: &str, bytes_max: usize, allowed: impl Fn(char) -> bool) -> Result<(), TextError> {
    if text.is_empty() {
        Err(TextError::Empty)
    } else if text.len() > bytes_max {
        Err(TextError::TooLong(bytes_max))
    } else if !text.chars().all(allowed) {
        Err(TextError::Character)
    } else {
        Ok(())
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Numbers at or above this are written as text: every number of 18 digits fits 64 bits.
const NUMBER_MAX: u64 = 1_000_000_000_000_000_000;
