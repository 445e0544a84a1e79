//! What the service manager is told: that the API serves, how the node fares, that it stops, and that the core is alive.
//!
//! The watchdog is fed by real progress: a beat is sent only after the core's thread has turned its whole loop (inputs, commit,
//! outputs) for a probe that was put in before it. A node whose disk fails or hangs, or whose core spins, falls silent and is started anew.
//! Without a service manager nothing is sent anywhere.

use std::convert::Infallible;
use std::time::Duration;

use sd_notify::NotifyState;
use stockroom_core::status::Status;
use stockroom_core::sync::link::Relation;
use tokio::sync::{mpsc, oneshot};

use crate::handle::Handle;

/// Asks the core's thread for a sign of life; answered when what arrived with it is committed and carried out.
pub type Probe = oneshot::Sender<()>;

/// Whether the core answered a probe in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// It did.
    Beat,
    /// It did not.
    Miss,
}

/// The API serves.
pub fn ready(words: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(words)]);
}

/// The node does something that takes a while, or fares otherwise than before.
pub fn status(words: &str) {
    send(&[NotifyState::Status(words)]);
}

/// A stop was asked for, or the node ends by itself.
pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("stopping: what the hub does not have yet is sent")]);
}

/// For as long as there is no core yet, because the node waits to be set up: says that it is ready, and beats while the runtime turns. Never
/// ends; whoever set the node up drops it.
pub async fn wait_without_core(words: &str) -> Infallible {
    ready(words);
    let every = sd_notify::watchdog_enabled().map_or(STATUS_AFTER, |limit| limit / 2);
    let mut pace = tokio::time::interval(every);
    loop {
        pace.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

/// Tells of the core's beats and of how the node fares, until its task is ended.
pub async fn keep(name: String, handle: Handle, probes: mpsc::Sender<Probe>) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let every = sd_notify::watchdog_enabled().map_or(STATUS_AFTER, |limit| limit / 2);
    let mut missed = 0u32;
    let tell = |pulse| match pulse {
        Pulse::Beat => {
            missed = 0;
            send(&[NotifyState::Watchdog, NotifyState::Status(&words(&name, &handle.status()))]);
        }
        Pulse::Miss => {
            missed = missed.saturating_add(1);
            let silent_s = (every * missed).as_secs();
            tracing::error!(silent_s, "the core does not answer");
            status(&format!("the core has not answered for {silent_s} s"));
        }
    };
    pulse(every, probes, tell).await;
}

/// Probes the core's thread and tells whether it answered in time, over and over. Ends when the thread is gone.
pub async fn pulse(every: Duration, probes: mpsc::Sender<Probe>, mut tell: impl FnMut(Pulse)) {
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !probes.is_closed() {
        pace.tick().await;
        let (probe, answer) = oneshot::channel();
        let asked = async {
            probes.send(probe).await.ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(every, asked).await {
            Ok(Some(())) => tell(Pulse::Beat),
            // A probe is dropped with the thread that had it: at a stop, or at the end of the process.
            Ok(None) => return,
            Err(_) => tell(Pulse::Miss),
        }
    }
}

/// One line for whoever asks `systemctl status`.
pub fn words(name: &str, status: &Status) -> String {
    let Some(store) = status.store else {
        let connected = status.stores.iter().filter(|store| store.connected).count();
        return format!("hub of {name}: {connected} of {} stores connected", status.stores.len());
    };
    let hub = match status.peers.iter().any(|peer| peer.relation == Relation::Parent && peer.ready) {
        true => "hub connected",
        false => "hub not reached",
    };
    let waiting = match status.backlog.entries {
        0 => "everything is there".to_owned(),
        entries => format!("{entries} entries not there yet"),
    };
    format!("store {} of {name}: serving; {hub}, {waiting}", store.0)
}

/// A manager that does not listen is none of the node's troubles.
fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// How often the status is told where no watchdog waits.
const STATUS_AFTER: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(5);

    /// What is told while `core` deals with the probes, until it has told enough.
    async fn told(mut core: impl FnMut(usize, Probe) -> Option<Probe>, enough: usize) -> Vec<Pulse> {
        let (probes, mut asked) = mpsc::channel(1);
        let (out, mut heard) = mpsc::unbounded_channel();
        let pulses = tokio::spawn(pulse(EVERY, probes, move |pulse| out.send(pulse).unwrap()));
        let (mut kept, mut seen, mut turn) = (Vec::new(), Vec::new(), 0);
        while seen.len() < enough {
            tokio::select! {
                Some(probe) = asked.recv() => {
                    kept.extend(core(turn, probe));
                    turn += 1;
                }
                Some(pulse) = heard.recv() => seen.push(pulse),
            }
        }
        pulses.abort();
        seen
    }

    #[tokio::test]
    async fn a_core_that_turns_beats() {
        let answering = |_, probe: Probe| {
            probe.send(()).unwrap_or_default();
            None
        };
        // A machine that is busy may make one of them late.
        let seen = told(answering, 20).await;
        assert!(seen.iter().filter(|pulse| **pulse == Pulse::Beat).count() >= 10, "{seen:?}");
    }

    #[tokio::test]
    async fn a_core_that_hangs_in_its_disk_falls_silent_and_beats_again_afterwards() {
        // It takes the third probe and is not heard of any more: what a commit that does not return looks like.
        let hanging = |turn, probe: Probe| match turn {
            0..3 => {
                probe.send(()).unwrap_or_default();
                None
            }
            _ => Some(probe),
        };
        let seen = told(hanging, 12).await;
        let last = seen.iter().rposition(|pulse| *pulse == Pulse::Beat).map_or(0, |at| at + 1);
        assert!(last <= 4 && seen[last..].iter().all(|pulse| *pulse == Pulse::Miss), "{seen:?}");
        let recovering = |turn, probe: Probe| match turn {
            0..4 => Some(probe),
            _ => {
                probe.send(()).unwrap_or_default();
                None
            }
        };
        let seen = told(recovering, 24).await;
        assert_eq!(seen[..4], [Pulse::Miss; 4], "{seen:?}");
        assert!(seen[4..].contains(&Pulse::Beat), "{seen:?}");
    }

    #[tokio::test]
    async fn a_core_that_has_ended_ends_the_beats() {
        let (probes, asked) = mpsc::channel(1);
        drop(asked);
        pulse(EVERY, probes, |pulse| panic!("{pulse:?} of nobody")).await;
    }
}
