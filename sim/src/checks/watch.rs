//! What several checks look at together, taken in once per observation: faults that were marked, links, entries of a commit,
//! disks that are not the ones that were written last.
//!
//! Sums over rows follow commits. A disk that was set back, replaced, or cut in the middle of a commit holds other rows than
//! the commits told: [`Flow`] says when a sum must be made anew.

use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use stockroom_core::books::cells;
use stockroom_core::journal::{Log, LogNumber, run_from_row};
use stockroom_core::storage::{Snapshot, Table};
use stockroom_core::view::View;
use stockroom_crdt::batch::Item;
use stockroom_crdt::chain::Head;
use stockroom_crdt::control::{Fence, StoreRecord};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::Digest;
use stockroom_crdt::scope::Scope;

use super::Scene;
use super::fleet::{identity, logs, mix, snapshot};
use crate::observe::{Observation, RowChange, Seen};

/// What one check sees of what all checks share.
#[derive(Clone, Default)]
pub struct Watch(Rc<RefCell<Sight>>);

impl Watch {
    /// Takes an observation in, unless another check did.
    pub fn see(&self, seen: &Observation, scene: &Scene<'_>) -> Ref<'_, Sight> {
        if self.0.borrow().event != seen.event {
            self.0.borrow_mut().take(seen, scene);
        }
        self.0.borrow()
    }

    /// What was seen so far.
    pub fn last(&self) -> Ref<'_, Sight> {
        self.0.borrow()
    }
}

/// What was seen so far, and what the last commit held.
#[derive(Default)]
pub struct Sight {
    event: u64,
    marks: BTreeMap<u32, Marks>,
    tides: BTreeMap<u32, Tide>,
    /// Runs of the observed commit, in the order of logs and sequence numbers.
    pub runs: Vec<Run>,
    /// How the observation changes sums over the node's rows.
    pub flow: Flow,
    /// Links that are up: (end that knows it, other end).
    pub links: BTreeSet<(u32, u32)>,
    /// Everything that any hub ever said of a store.
    pub records: BTreeMap<u32, Vec<StoreRecord>>,
    /// Fences that a node holds: (node, fenced node).
    pub fences: BTreeMap<(u32, u32), Fence>,
}

/// Faults that struck a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Its disk was once not the one that it wrote last.
    pub set_back: bool,
    /// Something was done to its disk.
    pub disk: bool,
    /// Its clock was wrong.
    pub clock: bool,
    /// It ran twice.
    pub cloned: bool,
    /// Until when it is suspended.
    pub paused_until_ms: u64,
    /// The last observation after which its disk was not the one that it wrote last.
    pub set_back_event: u64,
    /// Until when its disk may still forget what it said was written.
    pub set_back_until_ms: u64,
}

/// One row of entries.
pub struct Run {
    /// The history.
    pub log: LogNumber,
    /// Sequence number of its first entry.
    pub first: u64,
    /// The hash after its last one.
    pub after: Digest,
    /// Its entries.
    pub items: Vec<Item>,
}

/// What an observation means for sums over a node's rows.
#[derive(Clone, Default)]
pub enum Flow {
    /// Nothing.
    #[default]
    Still,
    /// The commit's rows take the place of the old ones.
    Apply,
    /// Make the sums anew from these rows. Commits that are in them already will not be [`Flow::Apply`].
    Anew(Arc<dyn Snapshot>),
    /// Nobody can tell what the node holds until it starts again.
    Lost,
}

/// What a node's disk must hold, told from its commits.
#[derive(Default)]
struct Tide {
    heads: BTreeMap<LogNumber, Head>,
    /// Rows of shared scopes, which change with every cell.
    scopes: BTreeMap<Vec<u8>, u64>,
    /// Commits since the last start.
    commits: u64,
    /// Commits that a new sum holds already.
    included: u64,
    /// A fault struck the disk: the next start looks at all of it.
    suspect: bool,
    /// It started and was gone again before anybody could look.
    lost: bool,
}

impl Sight {
    /// Faults that struck the node, or the one whose identity it has.
    pub fn marks(&self, node: u32) -> Marks {
        self.marks.get(&identity(node)).copied().unwrap_or_default()
    }

    /// True when histories of this author may part: its disk was once not the one that it wrote last.
    pub fn may_fork(&self, scene: &Scene<'_>, author: u32) -> bool {
        self.marks(author).set_back || scene.written_off.contains(&author)
    }

    fn take(&mut self, seen: &Observation, scene: &Scene<'_>) {
        self.event = seen.event;
        self.runs.clear();
        self.flow = Flow::Still;
        let tide = self.tides.entry(seen.node).or_default();
        match &seen.what {
            Seen::Started { .. } => {
                self.flow = tide.start(seen.node, scene);
                self.reload_fences(seen.node, scene);
            }
            Seen::Stopped(_) => tide.commits = 0,
            Seen::Committed(rows) => {
                self.flow = tide.commit(rows);
                self.committed(seen.node, rows, scene);
            }
            Seen::Connected { peer } => drop(self.links.insert((seen.node, *peer))),
            Seen::Disconnected { peer, .. } => drop(self.links.remove(&(seen.node, *peer))),
            Seen::Marked { name, until_ms, .. } => self.mark(seen, name, *until_ms),
            Seen::Sent { .. } | Seen::Told(_) | Seen::Acknowledged(_) | Seen::Unanswered { .. } => {}
        }
        if matches!(seen.what, Seen::Stopped(_)) {
            self.links.retain(|&(node, peer)| node != seen.node && peer != seen.node);
        }
    }

    fn mark(&mut self, seen: &Observation, name: &str, until_ms: Option<u64>) {
        let marks = self.marks.entry(identity(seen.node)).or_default();
        let code = name.split(' ').next().unwrap_or_default();
        marks.clock |= is_family(code, 'C');
        marks.cloned |= code == CLONE || seen.node != identity(seen.node);
        if SET_BACK.contains(&code) {
            marks.set_back = true;
            marks.set_back_event = seen.event;
            marks.set_back_until_ms = marks.set_back_until_ms.max(until_ms.unwrap_or(0));
        }
        if is_family(code, 'D') {
            marks.disk = true;
            for (_, tide) in self.tides.iter_mut().filter(|(node, _)| identity(**node) == identity(seen.node)) {
                tide.suspect = true;
            }
        }
        if code == PAUSE {
            marks.paused_until_ms = marks.paused_until_ms.max(until_ms.unwrap_or(u64::MAX));
        }
    }

    fn committed(&mut self, node: u32, rows: &[RowChange], scene: &Scene<'_>) {
        for row in rows {
            let Some(new) = &row.new else { continue };
            match row.table {
                Table::Runs => {
                    let (log, first, after, items) =
                        run_from_row(&row.key, new).expect("a node writes rows that can be read");
                    self.runs.push(Run { log, first, after, items });
                }
                Table::Cells => self.decided(node, &row.key, new, scene),
                _ => {}
            }
        }
    }

    /// Stores and fences, as a cell of `control` tells them.
    fn decided(&mut self, node: u32, key: &[u8], value: &[u8], scene: &Scene<'_>) {
        let field = key.get(4..6).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        if !matches!(field, Some(kind::STORE | kind::FENCE)) || scope_of_cell(scene, node, key) != Some(&Scope::Control)
        {
            return;
        }
        let entry = cells::decode(value).ok().and_then(|cell| Entry::from_bytes(&cell.bytes).ok());
        match entry.map(|entry| entry.fact) {
            Some(Fact::Store(record)) => {
                let known = self.records.entry(record.store.0).or_default();
                if !known.contains(&record) {
                    known.push(record);
                }
            }
            Some(Fact::Fence(fence)) => drop(self.fences.insert((node, fence.node.0), fence)),
            _ => {}
        }
    }

    /// A disk that was set back may not hold a fence any more.
    fn reload_fences(&mut self, node: u32, scene: &Scene<'_>) {
        let Some(snapshot) = snapshot(scene, node) else { return };
        self.fences.retain(|(at, _), _| *at != node);
        for fence in View::new(&*snapshot).fences().unwrap_or_default() {
            self.fences.insert((node, fence.node.0), fence);
        }
    }
}

impl Tide {
    fn start(&mut self, node: u32, scene: &Scene<'_>) -> Flow {
        let Some(snapshot) = snapshot(scene, node) else {
            self.lost = true;
            return Flow::Lost;
        };
        if !self.suspect && !self.lost && self.is_as_left(node, &*snapshot) {
            return Flow::Still;
        }
        let Ok(status) = scene.world.nodes[&node].core.as_ref().expect("it has a snapshot").status() else {
            self.lost = true;
            return Flow::Lost;
        };
        (self.suspect, self.lost) = (false, false);
        self.included = status.counters.commits.saturating_sub(self.commits);
        self.heads = logs(&*snapshot).into_iter().map(|(number, log)| (number, log.head)).collect();
        self.scopes = shared_scopes(&*snapshot);
        Flow::Anew(snapshot)
    }

    /// True when the disk holds what was committed, and nothing beyond it but what the start itself wrote.
    fn is_as_left(&self, node: u32, snapshot: &dyn Snapshot) -> bool {
        let now = logs(snapshot);
        let known = now.iter().filter(|(number, _)| self.heads.contains_key(number)).count();
        let same = |(number, log): &(LogNumber, Log)| match self.heads.get(number) {
            Some(head) => *head == log.head || (is_home(node, log) && log.head.seq == head.seq + 1),
            None => is_home(node, log),
        };
        known == self.heads.len() && now.iter().all(same) && shared_scopes(snapshot) == self.scopes
    }

    fn commit(&mut self, rows: &[RowChange]) -> Flow {
        self.commits += 1;
        for row in rows {
            let Some(new) = &row.new else { continue };
            match row.table {
                Table::Logs => {
                    let number = row.key.as_slice().try_into().map(u32::from_be_bytes);
                    let log = Log::from_row(new).expect("a node writes rows that can be read");
                    number.ok().and_then(|number| self.heads.insert(LogNumber(number), log.head));
                }
                Table::Scopes if is_shared(&row.key) => drop(self.scopes.insert(row.key.clone(), mix(new))),
                _ => {}
            }
        }
        if self.included > 0 {
            self.included -= 1;
            return Flow::Still;
        }
        if self.lost { Flow::Lost } else { Flow::Apply }
    }
}

/// The scope of a cell's row on a node's disk.
pub fn scope_of_cell<'a>(scene: &'a Scene<'_>, node: u32, key: &[u8]) -> Option<&'a Scope> {
    let number = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
    scene.union.nodes.get(&node)?.scopes.get(&number)
}

/// The log in which a node notes its starts.
fn is_home(node: u32, log: &Log) -> bool {
    log.id.actor.node.0 == identity(node) && matches!(log.id.scope, Scope::Control | Scope::StoreRights(_))
}

fn is_shared(key: &[u8]) -> bool {
    Scope::from_bytes(key).is_ok_and(|scope| scope.is_shared())
}

fn shared_scopes(snapshot: &dyn Snapshot) -> BTreeMap<Vec<u8>, u64> {
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let rows = snapshot.scan(Table::Scopes, all, stockroom_core::storage::Direction::Forward, usize::MAX);
    let shared = rows.unwrap_or_default().into_iter().filter(|(key, _)| is_shared(key));
    shared.map(|(key, value)| (key, mix(&value))).collect()
}

/// A letter and a number.
fn is_family(code: &str, letter: char) -> bool {
    code.strip_prefix(letter).is_some_and(|number| number.parse::<u8>().is_ok())
}

/// Faults after which a disk is not the one that was written last.
const SET_BACK: [&str; 6] = ["D5", "D7", "D10", "D11", "D12", "D13"];

/// The fault that starts an image as a second process.
const CLONE: &str = "D11";

/// The fault that suspends a machine.
const PAUSE: &str = "P3";
