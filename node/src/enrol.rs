//! Letting a store in: one-time tokens, what a token says, and which are out. The port itself opens only while some are.

pub mod port;
pub mod wire;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use stockroom_core::input::enrolment::TokenRequest;
use stockroom_core::input::{Answer, Command, Refusal};
use stockroom_core::storage::StoreError;
use stockroom_core::view::View;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::{Code, Digest, StoreId, hex};
use stockroom_crdt::money::Currency;
use tokio::sync::Notify;

use crate::files;
use crate::handle::{AskError, Handle};
use crate::info::NodeInfo;

/// What a person carries from the hub to a new box. Whoever has it can enrol one node for one store, once, within its time.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The store that the new node will run.
    pub store: StoreId,
    /// 128 random bits.
    pub secret: [u8; 16],
    /// SHA-256 of the tenant's root certificate: whom the box believes.
    pub root_cert: [u8; 32],
    /// The tenant's root key for logs.
    pub root_key: [u8; 32],
}

/// A token as people carry it: its text, and behind an `@` the hub's address if the hub knew it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The token.
    pub token: Token,
    /// `host` or `host:port` of the hub's enrolment port.
    pub hub: Option<String>,
}

impl Carried {
    /// Reads a token with or without an address.
    pub fn parse(text: &str) -> Result<Self, TokenTextError> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).take(CARRIED_CHARS_MAX).collect();
        let (token, hub) = match text.split_once('@') {
            Some((token, hub)) => (token, Some(hub.to_owned()).filter(|hub| !hub.is_empty())),
            None => (text.as_str(), None),
        };
        Ok(Self { token: Token::parse(token)?, hub })
    }

    /// Writes what [`Carried::parse`] reads.
    pub fn to_text(&self) -> String {
        let hub = self.hub.as_ref().map_or_else(String::new, |hub| format!("@{hub}"));
        self.token.to_text() + &hub
    }
}

/// Why a text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenTextError {
    /// Something was lost or changed on the way.
    #[error("this is not a whole enrolment token: copy it again from the hub")]
    Damaged,
    /// From another version.
    #[error("this enrolment token is of another version of stockroom")]
    Format,
}

impl Token {
    /// What the hub's core knows of the token: SHA-256 of its secret.
    pub fn digest(&self) -> Digest {
        digest_of(&self.secret)
    }

    /// base64url of format, store, secret, root certificate, root key, and a checksum against copying mistakes.
    pub fn to_text(&self) -> String {
        let mut bytes = vec![FORMAT];
        bytes.extend(self.store.0.to_be_bytes());
        bytes.extend(self.secret);
        bytes.extend(self.root_cert);
        bytes.extend(self.root_key);
        let check = Digest::of(&[&bytes]);
        bytes.extend(&check.0[..CHECK_BYTES]);
        URL_SAFE_NO_PAD.encode(&bytes)
    }

    /// Reads what [`Token::to_text`] wrote; spaces and line breaks in it do no harm.
    pub fn parse(text: &str) -> Result<Self, TokenTextError> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = URL_SAFE_NO_PAD.decode(digits).map_err(|_| TokenTextError::Damaged)?;
        if bytes.first().is_some_and(|&format| format != FORMAT) {
            return Err(TokenTextError::Format);
        }
        let body = bytes.len().checked_sub(CHECK_BYTES).ok_or(TokenTextError::Damaged)?;
        let (body, check) = bytes.split_at(body);
        if body.len() != BODY_BYTES || Digest::of(&[body]).0[..CHECK_BYTES] != *check {
            return Err(TokenTextError::Damaged);
        }
        let mut rest = &body[1..];
        Ok(Self {
            store: StoreId(u32::from_be_bytes(take(&mut rest))),
            secret: take(&mut rest),
            root_cert: take(&mut rest),
            root_key: take(&mut rest),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("store", &self.store).finish_non_exhaustive()
    }
}

/// A token that somebody wants. What is not given stays as the store has it, or takes a default for a new store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenOrder {
    /// For which store.
    pub store: StoreId,
    /// Its name; "Store 7" for a new one.
    pub name: Option<String>,
    /// Its price book; `default` for a new one.
    pub book: Option<Code>,
    /// Its group for sharing stock; `chain` for a new one.
    pub group: Option<Code>,
    /// Its currency; euro for a new one.
    pub currency: Option<Currency>,
    /// Its time zone, or `local` for that of the store's machine, which is the default.
    pub zone: Option<Code>,
    /// Minutes after midnight at which its day rolls over; 240 for a new one.
    pub rollover_min: Option<u16>,
    /// Where the store is; unknown for a new one.
    pub coordinates: Option<Coordinates>,
    /// For how long the token is good, milliseconds, at most 24 h; 24 h if not given.
    pub valid_ms: Option<u64>,
}

/// A token that is good from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// To be shown once; it is stored nowhere.
    pub text: String,
    /// The same with the hub's address, if the hub knows it: what a QR code holds.
    pub carried: String,
    /// Until when, milliseconds since 1970.
    pub expires_ms: u64,
}

/// Why there is no token. None was issued, except after [`TokenError::File`]: then nobody has its text, and it expires.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The core said no; at a store's node always.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The core could not be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The store's record could not be read.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// The list of tokens that are out could not be written.
    #[error("cannot write the list of enrolment tokens")]
    File(#[source] io::Error),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
}

/// Issues a token at a hub, and opens the enrolment port.
pub async fn issue_token(handle: &Handle, info: &NodeInfo, order: TokenOrder) -> Result<IssuedToken, TokenError> {
    let Some(enrolment) = info.enrolment.clone() else {
        return Err(Refusal::NotHere("this node is a store's: ask the hub for a token".into()).into());
    };
    let mut secret = [0; 16];
    getrandom::fill(&mut secret)?;
    let token = Token { store: order.store, secret, root_cert: enrolment.root_cert, root_key: enrolment.root_key };
    let request = complete(handle, order, token.digest())?;
    let Answer::TokenIssued { expires_ms } = handle.ask(Command::IssueToken(request)).await?? else {
        return Err(Refusal::State("the core answered something else".into()).into());
    };
    enrolment.add(token.digest(), expires_ms).await.map_err(TokenError::File)?;
    let text = token.to_text();
    let carried = Carried { token, hub: enrolment.hub.clone() }.to_text();
    Ok(IssuedToken { text, carried, expires_ms })
}

/// The tokens that are out, by the hash of their secrets. Kept in a file, so that the port opens again after a restart.
#[derive(Debug)]
pub struct Enrolment {
    path: PathBuf,
    root_cert: [u8; 32],
    root_key: [u8; 32],
    hub: Option<String>,
    out: Mutex<Vec<Outstanding>>,
    changed: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Outstanding {
    token_sha256: String,
    expires_ms: u64,
}

impl Enrolment {
    /// Reads the list at `path`; a list that cannot be read counts as empty, because the core decides about tokens anyway.
    pub fn open(path: PathBuf, root_cert: [u8; 32], root_key: [u8; 32]) -> Self {
        let read = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path, root_cert, root_key, hub: None, out: Mutex::new(read.unwrap_or_default()), changed: Notify::new() }
    }

    /// With the address of this hub's enrolment port, which tokens then carry along.
    pub fn at(mut self, hub: Option<String>) -> Self {
        self.hub = hub;
        self
    }

    /// When the last token that is out expires, milliseconds since 1970; `None` when none is good at `now_ms`.
    pub fn open_until(&self, now_ms: u64) -> Option<u64> {
        self.list().iter().map(|token| token.expires_ms).filter(|&expires| expires > now_ms).max()
    }

    /// Returns when the list changed since the last call.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Forgets a token that was used, and those that are too old.
    pub async fn used(self: &Arc<Self>, token: Digest, now_ms: u64) -> io::Result<()> {
        let token = hex(&token.0);
        self.list().retain(|held| held.token_sha256 != token && held.expires_ms > now_ms);
        self.save().await
    }

    async fn add(self: &Arc<Self>, token: Digest, expires_ms: u64) -> io::Result<()> {
        self.list().push(Outstanding { token_sha256: hex(&token.0), expires_ms });
        self.save().await
    }

    async fn save(self: &Arc<Self>) -> io::Result<()> {
        let this = self.clone();
        let write = move || files::write_whole(&this.path, &serde_json::to_vec(&*this.list())?);
        let written = tokio::task::spawn_blocking(write).await.map_err(io::Error::other).flatten();
        self.changed.notify_one();
        written
    }

    fn list(&self) -> MutexGuard<'_, Vec<Outstanding>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn complete(handle: &Handle, order: TokenOrder, token: Digest) -> Result<TokenRequest, TokenError> {
    let snapshot = handle.snapshot()?;
    let held = View::new(&*snapshot).store(order.store)?;
    let held = held.as_ref();
    let code = |given: Option<Code>, kept: Option<&Code>, default: &str| {
        given.or_else(|| kept.cloned()).unwrap_or_else(|| Code::parse(default).unwrap_or_default())
    };
    Ok(TokenRequest {
        token,
        store: order.store,
        name: order
            .name
            .or_else(|| held.map(|record| record.name.clone()))
            .unwrap_or_else(|| format!("Store {}", order.store.0)),
        book: code(order.book, held.map(|record| &record.book), "default"),
        group: code(order.group, held.map(|record| &record.group), "chain"),
        zone: code(order.zone, held.map(|record| &record.zone), LOCAL_ZONE),
        currency: order
            .currency
            .or_else(|| held.map(|record| record.currency))
            .or_else(|| Currency::parse("EUR"))
            .ok_or_else(|| Refusal::invalid("currency", "is not a currency"))?,
        rollover_min: order.rollover_min.or_else(|| held.map(|record| record.rollover_min)).unwrap_or(ROLLOVER_MIN),
        coordinates: order.coordinates.or_else(|| held.and_then(|record| record.coordinates)),
        valid_ms: order.valid_ms.unwrap_or(VALID_MS),
    })
}

/// SHA-256 of a token's secret.
pub fn digest_of(secret: &[u8; 16]) -> Digest {
    Digest::of(&[secret])
}

/// Reads hexadecimal digits, two per byte.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("the length was checked");
    *rest = tail;
    *head
}

/// The zone name that stands for the store machine's own zone.
pub const LOCAL_ZONE: &str = "local";

/// A token has 119 characters, a host 253.
const CARRIED_CHARS_MAX: usize = 512;

const FORMAT: u8 = 1;
const CHECK_BYTES: usize = 4;
const BODY_BYTES: usize = 1 + 4 + 16 + 32 + 32;
/// Four in the morning: after the last sale and before the first delivery.
const ROLLOVER_MIN: u16 = 240;
const VALID_MS: u64 = 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_a_slip_of_the_pen_is_noticed() {
        let token = Token { store: StoreId(7), secret: [1; 16], root_cert: [2; 32], root_key: [3; 32] };
        let text = token.to_text();
        assert_eq!(Token::parse(&format!(" {}\n{}", &text[..40], &text[40..])), Ok(token.clone()));
        let carried = Carried { token, hub: Some("hub.example:7402".into()) };
        assert_eq!(Carried::parse(&carried.to_text()), Ok(carried.clone()));
        assert_eq!(Carried::parse(&text), Ok(Carried { hub: None, ..carried.clone() }));
        assert_eq!(Carried::parse(&format!("{text}@")), Ok(Carried { hub: None, ..carried }));
        let other = URL_SAFE_NO_PAD.encode([[2].as_slice(), &[0; 88]].concat());
        assert_eq!(Token::parse(&other), Err(TokenTextError::Format));
        for wrong in [text.replacen("IC", "ID", 1), text[..20].into(), text[1..].into(), "ééé".into(), String::new()]
        {
            assert!(Token::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
