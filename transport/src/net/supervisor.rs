//! The one task that owns all others: lets connections in, starts dials when they are due, and joins everything at the end.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use quinn::VarInt;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, sleep_until, timeout};

use crate::discovery::{Discovery, Hint};
use crate::limits::{REASON_BYTES_MAX, RECHECK, SHUTDOWN_GRACE};
use crate::link::CloseCode;
use crate::net::shared::Shared;
use crate::net::{NetEvent, accept, dial};
use crate::targets::Source;

/// Runs until `stop` carries a reason, or every handle is gone.
pub(super) async fn run(
    shared: Arc<Shared>,
    events: mpsc::Sender<NetEvent>,
    mut stop: watch::Receiver<Option<String>>,
    mut discovery: Option<Discovery>,
) {
    let mut tasks = JoinSet::new();
    let mut recheck = interval(RECHECK);
    loop {
        start_due_dials(&shared, &mut tasks, &events, &stop);
        let deadline = next_dial(&shared);
        tokio::select! {
            incoming = shared.endpoint.accept() => match incoming.map(|incoming| accept::enter(&shared, incoming)) {
                Some(Some((handshake, incoming))) => {
                    tasks.spawn(accept::run(handshake, incoming, events.clone(), stop.clone()));
                }
                Some(None) => {}
                None => break,
            },
            Some(ended) = tasks.join_next() => note(ended),
            () = shared.wake.notified() => {}
            () = wait_until(deadline) => {}
            hint = next_hint(&mut discovery) => take_hint(&shared, hint),
            _ = recheck.tick() => shared.recheck(),
            _ = stop.changed() => break,
        }
    }
    let reason = stop.borrow().clone().unwrap_or_else(|| String::from("endpoint dropped"));
    end(&shared, tasks, discovery, &reason).await;
}

fn start_due_dials(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<()>,
    events: &mpsc::Sender<NetEvent>,
    stop: &watch::Receiver<Option<String>>,
) {
    let now = Instant::now();
    loop {
        let state = &mut *shared.state();
        let Some(peer) = state.targets.poll_due(now, |node| state.table.rests(node)) else { return };
        tasks.spawn(dial::run(shared.clone(), peer, events.clone(), stop.clone()));
    }
}

/// While everything is cut off nothing is due; `isolate` wakes the supervisor.
fn next_dial(shared: &Shared) -> Option<Instant> {
    let state = shared.state();
    state.targets.deadline(|node| state.table.rests(node))
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(at.into()).await,
        None => pending().await,
    }
}

async fn next_hint(discovery: &mut Option<Discovery>) -> Hint {
    match discovery {
        Some(discovery) => discovery.next().await,
        None => pending().await,
    }
}

fn take_hint(shared: &Shared, hint: Hint) {
    match hint {
        Hint::Found(peers) => {
            for peer in peers {
                shared.add_target(peer, Source::Discovered);
            }
        }
        Hint::Lost(node) => shared.state().targets.forget_hints(node),
    }
}

/// A task that panicked lost one link, and its guards cleaned up after it; the node lives on and says so.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "link task panicked");
    }
}

async fn end(shared: &Shared, mut tasks: JoinSet<()>, discovery: Option<Discovery>, reason: &str) {
    let bytes = &reason.as_bytes()[..reason.len().min(REASON_BYTES_MAX)];
    shared.endpoint.close(VarInt::from_u32(CloseCode::Goodbye as u32), bytes);
    let joined = timeout(SHUTDOWN_GRACE, async {
        while let Some(ended) = tasks.join_next().await {
            note(ended);
        }
    });
    if joined.await.is_err() {
        tracing::warn!(left = tasks.len(), "links did not end in time");
        tasks.shutdown().await;
    }
    if timeout(SHUTDOWN_GRACE, shared.endpoint.wait_idle()).await.is_err() {
        tracing::debug!("peers did not hear the farewell");
    }
    if let Some(discovery) = discovery {
        discovery.stop().await;
    }
}
