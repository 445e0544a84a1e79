//! The enrolment port: where a box without a certificate asks a hub for one. Carries opaque bytes; tokens are the caller's business.
//!
//! A UDP port and protocol name of its own, open only while the caller has tokens out. The server shows leaf, issuer and root; the
//! client believes exactly the root whose SHA-256 its token carries, and sends nothing before. One request and one answer per
//! connection.

mod client;
mod server;

use std::io;
use std::net::SocketAddr;

use rustls::pki_types::CertificateDer;

pub use client::request;
pub use server::{Answer, EnrolHandler, EnrolServer};

/// The hub's answer, and the root that vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The handler's bytes, at most 64 KiB.
    pub response: Vec<u8>,
    /// The tenant's root certificate, to be saved.
    pub root: CertificateDer<'static>,
}

/// Why a request was not answered, or the port not opened.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The port cannot be bound.
    #[error("cannot bind {addr}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The own certificate (server) is unusable.
    #[error("TLS configuration failed")]
    Tls(#[from] rustls::Error),
    /// Nobody answered, or the connection was lost. The hub may have handled the request: ask again with the same token only if the
    /// handler is idempotent.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// Who answered is not a hub under the expected root. The token is wrong, or somebody is in between. Nothing was sent.
    #[error("the hub does not show the expected root certificate")]
    Untrusted,
    /// The request is longer than 16 KiB. Nothing was sent.
    #[error("request of {0} bytes")]
    TooLong(usize),
    /// The hub said no, in these words.
    #[error("the hub refused: {0}")]
    Refused(String),
    /// The answer is empty, too long, or not of the protocol.
    #[error("the hub's answer is unreadable")]
    Malformed,
}

const STATUS_OK: u8 = 0;
const STATUS_REFUSED: u8 = 1;
