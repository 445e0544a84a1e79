//! What the nodes say of themselves, asked twice a second: who is linked, what waits, and the meters that run in the nodes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::DemoError;
use super::door::Door;
use super::sample::STORES;

/// A node's status, as far as the demo shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Its id.
    pub node: u32,
    /// Its store, 0 for the hub.
    pub store: u32,
    /// When its process started.
    started_at: String,
    /// What the hub does not have yet.
    pub backlog: Backlog,
    /// Who is linked.
    pub peers: Vec<Peer>,
    /// How old what it knows of stores is.
    pub stores: Vec<Known>,
    counters: Counters,
}

/// Own entries that are not known to be durable at the hub.
#[derive(Clone, Debug, Deserialize)]
pub struct Backlog {
    /// How many.
    pub entries: u64,
    /// For how long the oldest waits, seconds.
    pub oldest_age_s: u64,
    oldest_at: Option<String>,
}

/// A linked node.
#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    /// Which.
    pub node: u32,
    /// Its store, 0 for the hub.
    pub store: u32,
    /// The handshake is through.
    pub ready: bool,
    /// It has everything of ours that it follows.
    pub drained: bool,
    udp_tx_bytes: u64,
    udp_rx_bytes: u64,
}

/// What is known of a store.
#[derive(Clone, Debug, Deserialize)]
pub struct Known {
    /// Which.
    pub store: u32,
    /// How old it is, seconds; nothing if never.
    pub age_s: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
struct Counters {
    commits: u64,
}

impl Status {
    /// True with a link to the hub that is through its handshake.
    pub fn reaches_hub(&self) -> bool {
        self.peers.iter().any(|peer| peer.store == 0 && peer.ready)
    }

    /// True if nothing that was written before a moment still waits for the hub.
    pub fn brought_all_since(&self, moment: Timestamp) -> bool {
        let oldest = self.backlog.oldest_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok());
        self.reaches_hub() && (self.backlog.entries == 0 || oldest.is_some_and(|at| at > moment))
    }

    /// True if the hub and all other stores have everything of this store.
    pub fn is_everywhere(&self) -> bool {
        let there = self.peers.iter().filter(|peer| peer.ready && peer.drained).count();
        self.backlog.entries == 0 && there == STORES as usize
    }

    /// Stores that it is linked to.
    pub fn neighbours(&self) -> usize {
        self.peers.iter().filter(|peer| peer.store != 0 && peer.ready).count()
    }
}

/// Asks a node for its status.
pub fn status_of(door: &Door) -> Result<Status, String> {
    serde_json::from_value(door.read("/v1/status")?).map_err(|error| format!("the status cannot be read: {error}"))
}

/// Sums of the meters of all store nodes over all their lives. What a killed process did since it was last asked is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// UDP payload between stores and the hub, both ways, bytes.
    pub hub_bytes: u64,
    /// UDP payload between stores, both ways, each byte once.
    pub neighbour_bytes: u64,
    /// Commits made durable at store nodes.
    pub commits: u64,
}

/// The newest status of every node, kept by a thread.
pub struct Board {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    newest: Vec<Option<Status>>,
    /// Bytes sent and received, per life of a store node and peer; the flag marks the hub.
    wires: BTreeMap<(u32, String, u32), (u64, u64, bool)>,
    commits: BTreeMap<(u32, String), u64>,
}

impl Board {
    /// Begins to ask. The first node is the hub, the others are stores in order.
    pub fn watch(doors: &[Door]) -> Result<Self, DemoError> {
        let doors: Vec<Door> =
            doors.iter().map(|d| Door::new(d.url().trim_start_matches("http://"), ASK_MAX)).collect();
        let shared = Arc::new(Shared::default());
        shared.held().newest = vec![None; doors.len()];
        let watched = shared.clone();
        let watch = move || {
            while !watched.stop.load(Ordering::Relaxed) {
                doors.iter().enumerate().for_each(|(index, door)| watched.note(index, status_of(door).ok()));
                std::thread::sleep(ASK_AGAIN);
            }
        };
        let thread = std::thread::Builder::new().name("board".into()).spawn(watch);
        let thread = Some(thread.map_err(DemoError::system("start a thread"))?);
        Ok(Self { shared, thread })
    }

    /// The newest status of every node; nothing for one that did not answer.
    pub fn newest(&self) -> Vec<Option<Status>> {
        self.shared.held().newest.clone()
    }

    /// Asks for a status now, so that the sums are up to date.
    pub fn refresh(&self, doors: &[Door]) {
        doors.iter().enumerate().for_each(|(index, door)| self.shared.note(index, status_of(door).ok()));
    }

    /// The meters so far.
    pub fn sums(&self) -> Sums {
        let held = self.shared.held();
        let mut sums = Sums { commits: held.commits.values().sum(), ..Sums::default() };
        for (sent, received, to_hub) in held.wires.values() {
            match to_hub {
                true => sums.hub_bytes += sent + received,
                // What one store received another one sent.
                false => sums.neighbour_bytes += sent,
            }
        }
        sums
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has printed its message.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, index: usize, status: Option<Status>) {
        let mut held = self.held();
        if let Some(status) = status.as_ref().filter(|status| status.store != 0) {
            for peer in &status.peers {
                let key = (status.node, status.started_at.clone(), peer.node);
                let wire = held.wires.entry(key).or_default();
                *wire = (wire.0.max(peer.udp_tx_bytes), wire.1.max(peer.udp_rx_bytes), peer.store == 0);
            }
            let commits = held.commits.entry((status.node, status.started_at.clone())).or_default();
            *commits = status.counters.commits.max(*commits);
        }
        held.newest[index] = status;
    }
}

impl Sums {
    /// What came since an earlier look.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            hub_bytes: self.hub_bytes - earlier.hub_bytes,
            neighbour_bytes: self.neighbour_bytes - earlier.neighbour_bytes,
            commits: self.commits - earlier.commits,
        }
    }
}

const ASK_AGAIN: Duration = Duration::from_millis(400);

/// A killed node refuses at once; one that is busy is shown as away.
const ASK_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn status(started_at: &str, sent: u64) -> Status {
        let text = format!(
            r#"{{"node":2,"store":1,"started_at":"{started_at}","backlog":{{"entries":0,"oldest_age_s":0}},"stores":[],
            "peers":[{{"node":1,"store":0,"ready":true,"drained":true,"udp_tx_bytes":{sent},"udp_rx_bytes":5}},
            {{"node":3,"store":2,"ready":true,"drained":true,"udp_tx_bytes":{sent},"udp_rx_bytes":5}}],"counters":{{"commits":{sent}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn meters_go_on_over_a_restart_and_count_neighbours_once() {
        let board = Board { shared: Arc::default(), thread: None };
        board.shared.held().newest = vec![None];
        board.shared.note(0, Some(status("a", 100)));
        let earlier = board.sums();
        board.shared.note(0, None);
        board.shared.note(0, Some(status("b", 10)));
        assert_eq!(board.sums(), Sums { hub_bytes: 120, neighbour_bytes: 110, commits: 110 });
        assert_eq!(board.sums().since(&earlier), Sums { hub_bytes: 15, neighbour_bytes: 10, commits: 10 });
        assert!(board.newest()[0].as_ref().is_some_and(|status| status.reaches_hub() && status.neighbours() == 1));
    }
}
