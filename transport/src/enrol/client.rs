//! The new box's side of enrolment.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::enrol::server::transport;
use crate::enrol::{EnrolError, Enrolled, STATUS_OK, STATUS_REFUSED};
use crate::limits::{
    ENROL_REQUEST_BYTES_MAX, ENROL_RESPONSE_BYTES_MAX, ENROL_TIMEOUT, HANDSHAKE_TIMEOUT, SHUTDOWN_GRACE,
};
use crate::link::describe;
use crate::trust::{TlsClock, enrol_client, fingerprinted};

/// Asks the hub at `addr`, which must show the root with this SHA-256, and returns its answer with that root. Takes at most 16 s.
pub async fn request(
    addr: SocketAddr,
    root_fingerprint: [u8; 32],
    clock: &TlsClock,
    request: &[u8],
) -> Result<Enrolled, EnrolError> {
    if request.len() > ENROL_REQUEST_BYTES_MAX {
        return Err(EnrolError::TooLong(request.len()));
    }
    let mut config = ClientConfig::new(Arc::new(enrol_client(root_fingerprint, clock)?));
    config.transport_config(Arc::new(transport()));
    let bind: SocketAddr = match addr {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::client(bind).map_err(|source| EnrolError::Bind { addr: bind, source })?;
    let answer = ask(&endpoint, addr, config, root_fingerprint, request).await;
    endpoint.close(VarInt::from_u32(0), b"");
    if !matches!(answer, Err(EnrolError::Unreachable(_))) {
        // A hub that does not hear the farewell times out by itself.
        let _ = timeout(SHUTDOWN_GRACE, endpoint.wait_idle()).await;
    }
    answer
}

async fn ask(
    endpoint: &Endpoint,
    addr: SocketAddr,
    config: ClientConfig,
    root_fingerprint: [u8; 32],
    request: &[u8],
) -> Result<Enrolled, EnrolError> {
    let connecting =
        endpoint.connect_with(config, addr, SERVER_NAME).map_err(|error| EnrolError::Unreachable(error.to_string()))?;
    let connection = match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Err(refused(&error)),
        Err(_) => return Err(EnrolError::Unreachable(String::from("no answer in time"))),
    };
    let root = shown_root(&connection, root_fingerprint).ok_or(EnrolError::Untrusted)?;
    let response = match timeout(ENROL_TIMEOUT, exchange(&connection, request)).await {
        Ok(response) => decode(response?)?,
        Err(_) => return Err(EnrolError::Unreachable(String::from("no answer in time"))),
    };
    Ok(Enrolled { response, root })
}

async fn exchange(connection: &Connection, request: &[u8]) -> Result<Vec<u8>, EnrolError> {
    let lost = |error: &dyn std::error::Error| {
        EnrolError::Unreachable(connection.close_reason().map_or_else(|| error.to_string(), |reason| describe(&reason)))
    };
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| lost(&error))?;
    send.write_all(request).await.map_err(|error| lost(&error))?;
    send.finish().map_err(|error| lost(&error))?;
    match receive.read_to_end(1 + ENROL_RESPONSE_BYTES_MAX).await {
        Ok(response) => Ok(response),
        Err(quinn::ReadToEndError::TooLong) => Err(EnrolError::Malformed),
        Err(error) => Err(lost(&error)),
    }
}

fn decode(mut response: Vec<u8>) -> Result<Vec<u8>, EnrolError> {
    match response.first() {
        Some(&STATUS_OK) => Ok(response.split_off(1)),
        Some(&STATUS_REFUSED) => Err(EnrolError::Refused(String::from_utf8_lossy(&response[1..]).into_owned())),
        _ => Err(EnrolError::Malformed),
    }
}

fn shown_root(connection: &Connection, root_fingerprint: [u8; 32]) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    fingerprinted(&chain, root_fingerprint).cloned()
}

/// A refusal of our own verifier, told apart from a connection that failed.
fn refused(error: &ConnectionError) -> EnrolError {
    match error {
        ConnectionError::TransportError(inner) if (0x100..0x200).contains(&u64::from(inner.code)) => {
            EnrolError::Untrusted
        }
        other => EnrolError::Unreachable(describe(other)),
    }
}

/// Any name: the client's verifier goes by the root, not by names.
const SERVER_NAME: &str = "enrol.stockroom.internal";
