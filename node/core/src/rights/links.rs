//! How long links to other nodes were up and down, kept over restarts: policies ask how long an outage will last, and people
//! replay what was.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{NodeId, StoreId};
use stockroom_crdt::stock::rights::Account;

use crate::journal::{damaged, fixed};
use crate::overlay::scan_prefix;
use crate::policy::outage::History;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};

/// A link's state now, and what it did before.
#[derive(Clone, Debug, Default)]
pub struct LinkHistory {
    /// Lengths of outages and of times between them.
    pub history: History,
    /// Since when it is as it is now, on the wall clock.
    pub since_ms: u64,
    /// It is up now.
    pub up: bool,
    /// Outages that were written down.
    outages: u64,
    /// When rights were last spread because it came up, on the monotonic clock of this start.
    spread_ms: Option<u64>,
}

impl LinkHistory {
    fn encode(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::TIME, self.since_ms);
            sink.uint(col::FLAGS, u64::from(self.up));
            sink.uint(col::COUNT, self.outages);
            self.history.encode(sink);
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        let since_ms = reader.uint(col::TIME)?;
        let up = reader.flag(col::FLAGS)?;
        let outages = reader.uint(col::COUNT)?;
        Ok(Self { history: History::decode(&mut reader)?, since_ms, up, outages, spread_ms: None })
    }
}

impl Replica {
    /// A link came up or went down: its history grows. When it came up, accounts are looked at in which somebody may wait for the
    /// other end; `store` is the peer's, 0 for a hub.
    pub(crate) fn note_link(&mut self, node: NodeId, store: StoreId, up: bool) {
        let now = self.now.wall_ms;
        let link = self.desk.links.entry(node).or_default();
        if link.up == up {
            return;
        }
        if link.since_ms > 0 {
            let lasted = now.saturating_sub(link.since_ms);
            if link.up {
                link.history.saw_up(lasted);
            } else {
                link.history.saw_outage(lasted);
                let span = [link.since_ms.to_be_bytes(), now.to_be_bytes()].concat();
                self.lazy.insert((Table::Meta, outage_key(node, link.outages)), span);
                link.outages += 1;
            }
        }
        (link.up, link.since_ms) = (up, now);
        self.lazy.insert((Table::Meta, link_key(node)), link.encode());
        // A link that flaps is no reason to spread rights each time.
        let mono = self.now.mono_ms;
        let rested = link.spread_ms.is_none_or(|at| mono >= at + SPREAD_AGAIN_MS);
        if up && rested {
            link.spread_ms = Some(mono);
            let concerned = |account: &&Account| store.0 == 0 || account.store == store;
            let accounts: Vec<_> = self.desk.active.iter().filter(concerned).cloned().collect();
            self.desk.spread.extend(accounts);
        }
    }

    /// All links are gone with the epoch that they were greeted in; what others know of this node is to be heard anew.
    pub(crate) fn links_dropped(&mut self) {
        let nodes: Vec<_> = self.desk.links.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.note_link(node, StoreId(0), false));
        self.desk.contacted.clear();
        self.desk.heard = false;
        self.forget_obstacle();
    }

    pub(super) fn load_links(&mut self) -> Result<(), StoreError> {
        for (key, value) in self.overlay.scan_prefix(Table::Meta, LINK_PREFIX, usize::MAX)? {
            let node = NodeId(u32::from_be_bytes(fixed(&key[LINK_PREFIX.len()..])?));
            self.desk.links.insert(node, LinkHistory::decode(&value).map_err(damaged)?);
        }
        // While this node was off, its links were down; since when is not known better than this.
        let nodes: Vec<_> = self.desk.links.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.note_link(node, StoreId(0), false));
        Ok(())
    }
}

/// Outages of links to other nodes that were seen here: node, from, to, milliseconds since 1970; the newest of each node.
pub fn outages(snapshot: &(impl Snapshot + ?Sized)) -> Result<Vec<(NodeId, u64, u64)>, StoreError> {
    let mut out = Vec::new();
    for (key, value) in scan_prefix(snapshot, Table::Meta, OUTAGE_PREFIX, usize::MAX)? {
        let node =
            NodeId(u32::from_be_bytes(fixed(key.get(OUTAGE_PREFIX.len()..OUTAGE_PREFIX.len() + 4).unwrap_or(&[]))?));
        let (from, to) = value.split_at_checked(8).ok_or_else(|| damaged("outage"))?;
        out.push((node, u64::from_be_bytes(fixed(from)?), u64::from_be_bytes(fixed(to)?)));
    }
    out.sort_unstable();
    Ok(out)
}

/// How often the coming up of one link makes a hub spread rights.
const SPREAD_AGAIN_MS: u64 = 60_000;

const LINK_PREFIX: &[u8] = b"link/";

const OUTAGE_PREFIX: &[u8] = b"outage/";

fn link_key(node: NodeId) -> Vec<u8> {
    [LINK_PREFIX, &node.0.to_be_bytes()].concat()
}

/// The newest outages of a link take the places of the oldest.
fn outage_key(node: NodeId, number: u64) -> Vec<u8> {
    [OUTAGE_PREFIX, &node.0.to_be_bytes(), &(number % OUTAGES_KEPT).to_be_bytes()].concat()
}

/// A few weeks of a bad link.
const OUTAGES_KEPT: u64 = 1_000;
