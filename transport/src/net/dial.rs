//! From an address to a link: resolve, connect, verify, claim, wait for the answer, run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use quinn::{ConnectError, Connection, ConnectionError};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::identity::{PeerIdentity, any_dns_name, node_dns_name, not_after_unix_s};
use crate::limits::{HANDSHAKE_TIMEOUT, RESOLVED_MAX};
use crate::link::{self, CloseCode, FirstLane, Opened, open_lane};
use crate::net::NetEvent;
use crate::net::shared::{KeptLink, Shared};
use crate::table::{Dialer, Refusal};
use crate::targets::{DialEnd, PeerAddr};
use crate::trust::connected_peer;

/// Why a connection did not become a link. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("cannot connect")]
    Connect(#[from] ConnectError),
    #[error("connection failed")]
    Connection(#[from] ConnectionError),
    #[error("peer has no identity of this tenant")]
    Identity,
    #[error("another node answered")]
    OtherNode,
    #[error("peer is not admitted")]
    NotAdmitted(PeerIdentity),
    #[error("peer does not let this node in")]
    TurnedAway(PeerIdentity),
    #[error("connection is not kept")]
    Refused(PeerIdentity, #[source] Refusal),
    #[error("peer broke the opening")]
    Opening,
    #[error("no answer in time")]
    Timeout,
}

/// Dials one target and stays with the link that comes of it.
pub(super) async fn run(
    shared: Arc<Shared>,
    peer: PeerAddr,
    events: mpsc::Sender<NetEvent>,
    stop: watch::Receiver<Option<String>>,
) {
    // Dropped at the end, or by a panic or an abort: the target never stays marked as busy.
    let mut dialing = Dialing { shared: &shared, peer: &peer, end: DialEnd::Failed };
    for addr in resolve(&shared, &peer).await {
        match timeout(HANDSHAKE_TIMEOUT, connect(&shared, &peer, addr)).await.unwrap_or(Err(HandshakeError::Timeout)) {
            Ok((kept, first)) => {
                let (node, opened) = (kept.link.peer.node, kept.link.opened);
                shared.state().targets.linked(&peer, node);
                kept.run(first, events, stop).await;
                dialing.end = DialEnd::Linked { node, lived: opened.elapsed() };
                return;
            }
            Err(HandshakeError::Refused(_, Refusal::Myself)) => dialing.end = DialEnd::Myself,
            Err(HandshakeError::Refused(at, Refusal::Duplicate)) => dialing.end = DialEnd::Redundant { node: at.node },
            Err(HandshakeError::TurnedAway(by)) => {
                tracing::warn!(peer = by.node, %addr, "the peer does not let this node in");
                // Who does not listen any more is stopping.
                let _ = events.send(NetEvent::TurnedAway { peer: by }).await;
                continue;
            }
            Err(error) => {
                tracing::debug!(target = peer.addr, %addr, error = &error as &dyn std::error::Error, "dial failed");
                dialing.end = DialEnd::Failed;
                continue;
            }
        }
        return;
    }
}

/// Reads and judges the peer of a finished TLS handshake.
pub(super) fn judge(shared: &Shared, connection: Connection) -> Result<Opened, HandshakeError> {
    let Some((peer, leaf)) = connected_peer(&connection, shared.tenant()) else { return Err(HandshakeError::Identity) };
    let cert_not_after_unix_s = not_after_unix_s(&leaf).map_err(|_| HandshakeError::Identity)?;
    if !shared.admits(&peer) {
        link::close(&connection, CloseCode::NotAdmitted, "not admitted");
        return Err(HandshakeError::NotAdmitted(peer));
    }
    Ok(Opened { connection, peer, cert_not_after_unix_s })
}

/// Tells the peer why its connection is not kept.
pub(super) fn refuse(opened: &Opened, refusal: Refusal) -> HandshakeError {
    let code = match refusal {
        Refusal::Myself | Refusal::Duplicate => CloseCode::Duplicate,
        Refusal::Full => CloseCode::Full,
        Refusal::Isolated => CloseCode::Isolated,
    };
    link::close(&opened.connection, code, &refusal.to_string());
    HandshakeError::Refused(opened.peer, refusal)
}

/// Waits for the peer's lane 0, its word that it keeps the connection.
pub(super) async fn other_lane(connection: &Connection) -> Result<quinn::RecvStream, HandshakeError> {
    let mut stream = connection.accept_uni().await?;
    let mut lane = [0];
    match stream.read_exact(&mut lane).await {
        Ok(()) if lane == [0] => Ok(stream),
        Ok(()) => Err(HandshakeError::Opening),
        Err(_) => Err(connection.close_reason().map_or(HandshakeError::Opening, HandshakeError::Connection)),
    }
}

/// Gives our own lane 0.
pub(super) async fn own_lane(connection: &Connection) -> Result<quinn::SendStream, HandshakeError> {
    let mut stream = open_lane(connection, 0).await.ok_or(HandshakeError::Opening)?;
    stream.write_all(&[0]).await.map_err(|_| HandshakeError::Opening)?;
    Ok(stream)
}

async fn connect(
    shared: &Arc<Shared>,
    target: &PeerAddr,
    addr: SocketAddr,
) -> Result<(KeptLink, FirstLane), HandshakeError> {
    let name = target.node.map_or_else(|| any_dns_name(shared.tenant()), |node| node_dns_name(shared.tenant(), node));
    let connection = shared.endpoint.connect_with(shared.client(), addr, &name)?.await?;
    let opened = judge(shared, connection)?;
    if target.node.is_some_and(|node| node != opened.peer.node) {
        return Err(HandshakeError::OtherNode);
    }
    let node = opened.peer.node;
    let claimed = shared.state().table.claim(node);
    claimed.map_err(|refusal| refuse(&opened, refusal))?;
    let claim = Claim { shared, node };
    let send = own_lane(&opened.connection).await.map_err(|error| closed(error, &opened))?;
    let receive = other_lane(&opened.connection).await.map_err(|error| answered(error, opened.peer))?;
    let kept = shared.keep(opened, Dialer::Us)?;
    drop(claim);
    Ok((kept, FirstLane { send, receive }))
}

/// Why the peer closed what could not be opened.
fn closed(error: HandshakeError, opened: &Opened) -> HandshakeError {
    let why = opened.connection.close_reason().map_or(error, HandshakeError::Connection);
    answered(why, opened.peer)
}

/// A claim refused as a duplicate is no failure: the peer's own dial stays. Who is not let in should know.
fn answered(error: HandshakeError, peer: PeerIdentity) -> HandshakeError {
    let HandshakeError::Connection(ConnectionError::ApplicationClosed(close)) = &error else { return error };
    match close.error_code.into_inner() {
        code if code == CloseCode::Duplicate as u64 => HandshakeError::Refused(peer, Refusal::Duplicate),
        code if code == CloseCode::NotAdmitted as u64 => HandshakeError::TurnedAway(peer),
        _ => error,
    }
}

/// Addresses of the family that the socket can reach.
async fn resolve(shared: &Shared, peer: &PeerAddr) -> Vec<SocketAddr> {
    let v4_only = shared.endpoint.local_addr().is_ok_and(|local| local.is_ipv4());
    match timeout(HANDSHAKE_TIMEOUT, tokio::net::lookup_host(peer.addr.as_str())).await {
        Ok(Ok(found)) => found.filter(|addr| addr.is_ipv4() || !v4_only).take(RESOLVED_MAX).collect(),
        Ok(Err(error)) => {
            tracing::debug!(target = peer.addr, %error, "name does not resolve");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

struct Dialing<'a> {
    shared: &'a Shared,
    peer: &'a PeerAddr,
    end: DialEnd,
}

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        self.shared.state().targets.ended(self.peer, self.end, Instant::now());
        self.shared.wake.notify_one();
    }
}

struct Claim<'a> {
    shared: &'a Shared,
    node: u32,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.shared.state().table.unclaim(self.node);
        self.shared.wake.notify_one();
    }
}
