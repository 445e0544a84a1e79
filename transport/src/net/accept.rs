//! From a first packet to a link: gate, handshake, verify, wait for the claim, answer, run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use quinn::Incoming;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::gate::{Entry, Outcome, Proof};
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::link::FirstLane;
use crate::net::NetEvent;
use crate::net::dial::{HandshakeError, judge, other_lane, own_lane};
use crate::net::shared::{KeptLink, Shared};
use crate::table::Dialer;

/// An admitted first packet: counted at the gate until its handshake has ended.
pub(super) struct Handshake {
    shared: Arc<Shared>,
    from: SocketAddr,
    proof: Proof,
    outcome: Outcome,
}

/// Lets a first packet in, makes its address prove itself, or drops it.
pub(super) fn enter(shared: &Arc<Shared>, incoming: Incoming) -> Option<(Handshake, Incoming)> {
    let from = incoming.remote_address();
    let proof = if incoming.remote_address_validated() { Proof::Validated } else { Proof::Unvalidated };
    let mut state = shared.state();
    let entry = if state.table.is_cut_off() { Entry::Ignore } else { state.gate.enter(from, proof, Instant::now()) };
    drop(state);
    match entry {
        Entry::Accept => {
            let handshake = Handshake { shared: shared.clone(), from, proof, outcome: Outcome::Failed };
            return Some((handshake, incoming));
        }
        // An address that has answered a Retry before is not asked twice.
        Entry::Retry if incoming.may_retry() => drop(incoming.retry()),
        Entry::Retry | Entry::Ignore => incoming.ignore(),
    }
    None
}

/// Finishes the handshake and stays with the link that comes of it.
pub(super) async fn run(
    mut handshake: Handshake,
    incoming: Incoming,
    events: mpsc::Sender<NetEvent>,
    stop: watch::Receiver<Option<String>>,
) {
    let from = handshake.from;
    let opened =
        timeout(HANDSHAKE_TIMEOUT, open(&mut handshake, incoming)).await.unwrap_or(Err(HandshakeError::Timeout));
    drop(handshake);
    match opened {
        Ok((kept, first)) => kept.run(first, events, stop).await,
        Err(HandshakeError::NotAdmitted(peer)) => tracing::warn!(peer = peer.node, %from, "peer not admitted"),
        Err(error) => tracing::debug!(%from, error = &error as &dyn std::error::Error, "handshake failed"),
    }
}

async fn open(handshake: &mut Handshake, incoming: Incoming) -> Result<(KeptLink, FirstLane), HandshakeError> {
    let connection = incoming.accept()?.await?;
    let judged = judge(&handshake.shared, connection.clone());
    if matches!(judged, Ok(_) | Err(HandshakeError::NotAdmitted(_))) {
        handshake.outcome = Outcome::Proved;
    }
    let opened = judged?;
    let receive = other_lane(&connection).await?;
    let kept = handshake.shared.keep(opened, Dialer::Peer)?;
    let send = own_lane(&connection).await?;
    Ok((kept, FirstLane { send, receive }))
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.shared.state().gate.ended(self.from, self.proof, self.outcome, Instant::now());
    }
}
