//! The logs that this replica holds: heads, runs, seals, and the order in which they came in, per scope.
//!
//! Every node numbers what it ingests per scope (`Feed`); a peer follows with a cursor into that numbering. Logs are stored by
//! branch: a forked history becomes a log of its own that begins where the two part.

mod rows;
pub mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use stockroom_crdt::batch::{Item, decode_run, encode_run};
use stockroom_crdt::chain::{Head, LogId, Seal, advance_by_digest};
use stockroom_crdt::codec::Rows;
use stockroom_crdt::ids::{Actor, Digest, NodeId, TenantId};
use stockroom_crdt::limits::{RUN_ENTRIES_MAX, SEAL_BYTES_MAX};
use stockroom_crdt::scope::Scope;

use crate::journal::rows::{
    decode_feed, decode_log, decode_scope, decode_seal, encode_feed, encode_log, encode_scope, run_key,
};
use crate::overlay::Overlay;
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// A log's number in this database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LogNumber(pub u32);

/// Where an entry stands in this database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Place {
    /// In which log.
    pub log: LogNumber,
    /// At which sequence number.
    pub seq: u64,
}

/// What is known of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Whose log of which scope.
    pub id: LogId,
    /// For a forked history: the log it parts from, and the last sequence number they share.
    pub parent: Option<Place>,
    /// How far it is held.
    pub head: Head,
    /// The last seal, if there is one.
    pub seal: Option<Seal>,
    /// Position of the seal before it that is kept, 0 if there is none.
    pub kept_seq: u64,
    /// Canonical bytes up to the last seal since the one that is kept before it.
    pub kept_bytes: u64,
    /// The author's Ed25519 key.
    pub key: [u8; 32],
    /// The store of the author, 0 for a hub.
    pub author_store: u32,
    /// Canonical bytes since the last seal.
    pub unsealed_bytes: u64,
    /// Hybrid time of the newest entry, in milliseconds.
    pub newest_ms: u64,
}

impl Log {
    /// The last sequence number that a signature covers.
    pub fn sealed_seq(&self) -> u64 {
        self.seal.as_ref().map_or(0, |seal| seal.seq)
    }

    /// Reads a row of [`Table::Logs`].
    pub fn from_row(bytes: &[u8]) -> Result<Self, StoreError> {
        decode_log(bytes).map_err(damaged)
    }

    /// True when entries wait for a seal.
    pub fn has_unsealed(&self) -> bool {
        self.head.seq > self.sealed_seq()
    }
}

/// A scope's number in this database and the next free position of its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeFeed {
    /// The number.
    pub number: u32,
    /// The position that the next thing ingested will get.
    pub next: u64,
}

/// One step of a scope's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedRow {
    /// Entries `first..=last` of a log came in.
    Entries {
        /// The log.
        log: LogNumber,
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// A seal of the log at this sequence number came in.
    Seal(Place),
}

/// All logs, with heads in memory.
pub struct Journal {
    tenant: TenantId,
    logs: BTreeMap<LogNumber, Log>,
    by_id: BTreeMap<LogId, LogNumber>,
    /// Forked histories of a log, oldest first.
    branches: BTreeMap<LogId, Vec<LogNumber>>,
    /// Main branches of a scope's logs.
    by_scope: BTreeMap<Scope, BTreeMap<Actor, LogNumber>>,
    /// Every log that a node wrote, forks included.
    by_node: BTreeMap<NodeId, BTreeSet<LogNumber>>,
    scopes: BTreeMap<Scope, ScopeFeed>,
    next_scope: u32,
    /// Scopes whose feed grew in a batch that was flushed.
    grown: BTreeSet<Scope>,
    run_bytes_goal: usize,
    dirty_logs: BTreeSet<LogNumber>,
    dirty_scopes: BTreeSet<Scope>,
    /// What was appended in this batch, to be joined when it is committed.
    pieces: BTreeMap<LogNumber, Vec<Piece>>,
}

/// Entries that were appended together.
struct Piece {
    position: u64,
    first: u64,
    hash: Digest,
    entries: usize,
    bytes: usize,
}

impl Journal {
    /// Reads the heads of all logs. Runs that are written later are cut at about `run_bytes_goal`.
    pub fn load(tenant: TenantId, snapshot: &dyn Snapshot, run_bytes_goal: usize) -> Result<Self, StoreError> {
        let mut journal = Self {
            tenant,
            logs: BTreeMap::new(),
            by_id: BTreeMap::new(),
            branches: BTreeMap::new(),
            by_scope: BTreeMap::new(),
            by_node: BTreeMap::new(),
            scopes: BTreeMap::new(),
            next_scope: 1,
            grown: BTreeSet::new(),
            run_bytes_goal,
            dirty_logs: BTreeSet::new(),
            dirty_scopes: BTreeSet::new(),
            pieces: BTreeMap::new(),
        };
        let all = (Bound::Unbounded, Bound::Unbounded);
        for (key, value) in snapshot.scan(Table::Logs, all, Direction::Forward, usize::MAX)? {
            let number = LogNumber(u32::from_be_bytes(fixed(&key)?));
            let log = decode_log(&value).map_err(damaged)?;
            journal.insert(number, log);
        }
        for (key, value) in snapshot.scan(Table::Scopes, all, Direction::Forward, usize::MAX)? {
            let scope = Scope::from_bytes(&key).map_err(damaged)?;
            let feed = decode_scope(&value)?;
            journal.next_scope = journal.next_scope.max(feed.number + 1);
            journal.scopes.insert(scope, feed);
        }
        Ok(journal)
    }

    /// The main branch of a log.
    pub fn find(&self, id: &LogId) -> Option<(LogNumber, &Log)> {
        let number = *self.by_id.get(id)?;
        Some((number, self.logs.get(&number)?))
    }

    /// A log by its number.
    pub fn log(&self, number: LogNumber) -> Option<&Log> {
        self.logs.get(&number)
    }

    /// All logs.
    pub fn logs(&self) -> impl Iterator<Item = (LogNumber, &Log)> {
        self.logs.iter().map(|(&number, log)| (number, log))
    }

    /// The forked histories of a log.
    pub fn branches(&self, id: &LogId) -> impl Iterator<Item = (LogNumber, &Log)> {
        self.branches.get(id).into_iter().flatten().map(|&number| (number, &self.logs[&number]))
    }

    /// How far any history of a log goes.
    pub fn reach(&self, id: &LogId) -> u64 {
        let main = self.find(id).map_or(0, |(_, log)| log.head.seq);
        self.branches(id).map(|(_, log)| log.head.seq).fold(main, u64::max)
    }

    /// Every log that `node` wrote, main branches and forks.
    pub fn logs_by(&self, node: NodeId) -> impl Iterator<Item = (LogNumber, &Log)> {
        self.by_node.get(&node).into_iter().flatten().map(|&number| (number, &self.logs[&number]))
    }

    /// The feed of a scope, if anything was ever ingested there.
    pub fn feed(&self, scope: &Scope) -> Option<ScopeFeed> {
        self.scopes.get(scope).copied()
    }

    /// Steps of all feeds together; grows with everything that is taken in.
    pub fn fed(&self) -> u64 {
        self.scopes().map(|(_, feed)| feed.next - 1).sum()
    }

    /// All scopes with a feed.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, ScopeFeed)> {
        self.scopes.iter().map(|(scope, feed)| (scope, *feed))
    }

    /// Takes up a log that is not known yet, empty.
    pub fn open(&mut self, id: LogId, key: [u8; 32], author_store: u32, parent: Option<(Place, Digest)>) -> LogNumber {
        let number = LogNumber(self.logs.last_key_value().map_or(1, |(n, _)| n.0 + 1));
        let head = match parent {
            Some((place, hash)) => Head { seq: place.seq, hash },
            None => Head { seq: 0, hash: id.genesis(self.tenant) },
        };
        let parent = parent.map(|(place, _)| place);
        let log = Log {
            id,
            parent,
            head,
            seal: None,
            kept_seq: 0,
            kept_bytes: 0,
            key,
            author_store,
            unsealed_bytes: 0,
            newest_ms: 0,
        };
        self.insert(number, log);
        self.dirty_logs.insert(number);
        number
    }

    fn insert(&mut self, number: LogNumber, log: Log) {
        self.by_node.entry(log.id.actor.node).or_default().insert(number);
        if log.parent.is_none() {
            self.by_id.insert(log.id.clone(), number);
            self.by_scope.entry(log.id.scope.clone()).or_default().insert(log.id.actor, number);
        } else {
            self.branches.entry(log.id.clone()).or_default().push(number);
        }
        self.logs.insert(number, log);
    }

    /// Appends entries to a log and to its scope's feed.
    pub fn append(&mut self, overlay: &mut Overlay, number: LogNumber, items: &[Item]) {
        let log = self.logs.get_mut(&number).expect("appended logs are open");
        let mut rest = items;
        while !rest.is_empty() {
            let (run, after) = rest.split_at(run_len(rest, self.run_bytes_goal));
            rest = after;
            let first = log.head.seq + 1;
            for item in run {
                log.head = Head { seq: log.head.seq + 1, hash: advance_by_digest(log.head.hash, item.digest()) };
                log.unsealed_bytes += item.bytes.len() as u64;
                log.newest_ms = log.newest_ms.max(item.entry.hlc.ms());
            }
            let mut value = log.head.hash.0.to_vec();
            value.extend(encode_run(run, u16::MAX));
            overlay.put(Table::Runs, run_key(number, first), value);
            let row = FeedRow::Entries { log: number, first, last: log.head.seq };
            let scope = log.id.scope.clone();
            let feed = scope_feed((&mut self.scopes, &mut self.next_scope), overlay, &scope);
            let position = push_feed(feed, overlay, row);
            self.dirty_scopes.insert(scope);
            let bytes = run.iter().map(|item| item.bytes.len()).sum();
            let piece = Piece { position, first, hash: log.head.hash, entries: run.len(), bytes };
            self.pieces.entry(number).or_default().push(piece);
        }
        self.dirty_logs.insert(number);
    }

    /// Entries that came one by one within this batch become one row, and one step of the feed: a commit of a hundred sales
    /// costs the disk, the link and every later reader one row instead of a hundred.
    fn join_pieces(&mut self, overlay: &mut Overlay) {
        for (number, pieces) in std::mem::take(&mut self.pieces) {
            let Some(feed) = self.logs.get(&number).and_then(|log| self.scopes.get(&log.id.scope)).copied() else {
                continue;
            };
            let mut rest = pieces.as_slice();
            while let Some(first) = rest.first() {
                let (mut count, mut entries, mut bytes) = (0, 0, 0);
                for piece in rest {
                    entries += piece.entries;
                    bytes += piece.bytes;
                    if count > 0 && (entries > RUN_ENTRIES_MAX || bytes > self.run_bytes_goal) {
                        break;
                    }
                    count += 1;
                }
                let (joined, after) = rest.split_at(count);
                rest = after;
                let [_, others @ ..] = joined else { continue };
                let Some(last) = others.last() else { continue };
                let mut items = Vec::new();
                for piece in joined {
                    let row = overlay.get(Table::Runs, &run_key(number, piece.first)).ok().flatten();
                    let run = row.as_deref().and_then(|row| row.get(32..)).map(decode_run);
                    items.extend(run.and_then(Result::ok).expect("the row was put in this batch"));
                }
                for piece in others {
                    overlay.forget(Table::Runs, &run_key(number, piece.first));
                    overlay.forget(Table::Feed, &feed_key(feed.number, piece.position));
                }
                let mut value = last.hash.0.to_vec();
                value.extend(encode_run(&items, u16::MAX));
                overlay.put(Table::Runs, run_key(number, first.first), value);
                let row =
                    FeedRow::Entries { log: number, first: first.first, last: first.first + items.len() as u64 - 1 };
                overlay.put(Table::Feed, feed_key(feed.number, first.position), encode_feed(row));
            }
        }
    }

    /// Records a seal of a log. The caller verified it.
    pub fn put_seal(&mut self, overlay: &mut Overlay, number: LogNumber, seal: Seal) {
        let log = self.logs.get_mut(&number).expect("sealed logs are open");
        if log.sealed_seq() >= seal.seq {
            return;
        }
        // A seal is replaced by a later one as long as the entries between the seals that stay fit one run: so every run
        // that a third party gets ends in a signature, and a proof of a fork stays small.
        let (old_seq, bytes) = (log.sealed_seq(), log.kept_bytes + log.unsealed_bytes);
        let spans = seal.seq - log.kept_seq <= RUN_ENTRIES_MAX as u64 && bytes <= SEAL_BYTES_MAX;
        if spans && old_seq > log.kept_seq {
            overlay.remove(Table::Seals, run_key(number, old_seq));
        }
        (log.kept_seq, log.kept_bytes) = if spans { (log.kept_seq, bytes) } else { (old_seq, log.unsealed_bytes) };
        log.seal = Some(seal.clone());
        log.unsealed_bytes = 0;
        overlay.put(Table::Seals, run_key(number, seal.seq), Rows::of(|sink| seal.encode(sink)));
        let scope = log.id.scope.clone();
        let feed = scope_feed((&mut self.scopes, &mut self.next_scope), overlay, &scope);
        push_feed(feed, overlay, FeedRow::Seal(Place { log: number, seq: seal.seq }));
        self.dirty_scopes.insert(scope);
        self.dirty_logs.insert(number);
    }

    /// Takes the next position of a shared scope's feed of cells.
    pub fn next_cell_position(&mut self, overlay: &mut Overlay, scope: &Scope) -> (u32, u64) {
        let feed = scope_feed((&mut self.scopes, &mut self.next_scope), overlay, scope);
        feed.next += 1;
        self.dirty_scopes.insert(scope.clone());
        (feed.number, feed.next - 1)
    }

    /// The number of a scope, which gets one if it has none.
    pub fn scope_number(&mut self, overlay: &mut Overlay, scope: &Scope) -> u32 {
        scope_feed((&mut self.scopes, &mut self.next_scope), overlay, scope).number
    }

    /// Writes changed heads into the batch.
    pub fn flush(&mut self, overlay: &mut Overlay) {
        self.join_pieces(overlay);
        for number in std::mem::take(&mut self.dirty_logs) {
            let log = &self.logs[&number];
            overlay.put(Table::Logs, number.0.to_be_bytes(), encode_log(log));
        }
        for scope in std::mem::take(&mut self.dirty_scopes) {
            overlay.put(Table::Scopes, scope.to_bytes(), encode_scope(self.scopes[&scope]));
            self.grown.insert(scope);
        }
    }

    /// Scopes whose feed grew since the last time this was asked, as far as it was flushed.
    pub fn take_grown(&mut self) -> BTreeSet<Scope> {
        std::mem::take(&mut self.grown)
    }

    /// The hash of a log after `seq`, if it is held.
    pub fn hash_at(&self, snapshot: &dyn Snapshot, number: LogNumber, seq: u64) -> Result<Option<Digest>, StoreError> {
        let Some(log) = self.logs.get(&number) else { return Ok(None) };
        if seq == log.head.seq {
            return Ok(Some(log.head.hash));
        }
        if let Some(parent) = log.parent
            && seq <= parent.seq
        {
            return self.hash_at(snapshot, parent.log, seq);
        }
        if seq > log.head.seq {
            return Ok(None);
        }
        if seq == 0 {
            return Ok(Some(log.id.genesis(self.tenant)));
        }
        let Some((first, after, items)) = run_at(snapshot, number, seq)? else { return Ok(None) };
        if first + items.len() as u64 - 1 == seq {
            return Ok(Some(after));
        }
        let Some(before) = self.hash_at(snapshot, number, first - 1)? else { return Ok(None) };
        let count = (seq - first + 1) as usize;
        Ok(Some(items.iter().take(count).fold(before, |hash, item| advance_by_digest(hash, item.digest()))))
    }

    /// Entries `first..=last` of a history, also from before it parted from another.
    pub fn history(
        &self,
        snapshot: &dyn Snapshot,
        number: LogNumber,
        first: u64,
        last: u64,
    ) -> Result<Vec<Item>, StoreError> {
        let (mut parts, mut next, mut last) = (Vec::new(), Some(number), last);
        while let Some(number) = next.filter(|_| first <= last) {
            let parent = self.logs.get(&number).and_then(|log| log.parent);
            let begins = parent.map_or(0, |parent| parent.seq);
            parts.push(entries(snapshot, number, first.max(begins + 1), last)?);
            (next, last) = (parent.map(|parent| parent.log), last.min(begins));
        }
        Ok(parts.into_iter().rev().flatten().map(|(_, item)| item).collect())
    }

    /// The last seal at or after `seq`, for a proof.
    pub fn seal_after(&self, snapshot: &dyn Snapshot, number: LogNumber, seq: u64) -> Result<Option<Seal>, StoreError> {
        let (from, to) = (run_key(number, seq), run_key(number, u64::MAX));
        let range = (Bound::Included(from.as_slice()), Bound::Included(to.as_slice()));
        let rows = snapshot.scan(Table::Seals, range, Direction::Forward, 1)?;
        rows.first().map(|(_, value)| decode_seal(value)).transpose()
    }

    /// The actors whose logs of `scope` are held, with how far.
    pub fn heads(&self, scope: &Scope) -> Vec<(Actor, u64)> {
        let logs = self.by_scope.get(scope).into_iter().flatten();
        logs.map(|(&actor, number)| (actor, self.logs[number].head.seq)).collect()
    }

    /// Logs that `node` wrote, main branches.
    pub fn written_by(&self, node: NodeId) -> impl Iterator<Item = (LogNumber, &Log)> {
        self.logs_by(node).filter(|(_, log)| log.parent.is_none())
    }
}

/// The entry at a place.
pub fn entry_at(snapshot: &(impl Snapshot + ?Sized), place: Place) -> Result<Option<Item>, StoreError> {
    let Some((first, _, items)) = run_at(snapshot, place.log, place.seq)? else { return Ok(None) };
    Ok(items.into_iter().nth((place.seq - first) as usize))
}

/// Entries `first..=last` of a log, as far as they are held, with the sequence number of each.
pub fn entries(
    snapshot: &(impl Snapshot + ?Sized),
    log: LogNumber,
    first: u64,
    last: u64,
) -> Result<Vec<(u64, Item)>, StoreError> {
    let mut out = Vec::new();
    let mut next = first;
    while next <= last {
        let Some((start, _, items)) = run_at(snapshot, log, next)? else { break };
        for (seq, item) in (start..).zip(items) {
            if seq >= next && seq <= last {
                out.push((seq, item));
            }
        }
        let Some(&(seq, _)) = out.last() else { break };
        if seq < next {
            break;
        }
        next = seq + 1;
    }
    Ok(out)
}

/// Reads a row of [`Table::Runs`]: its log, the sequence number of its first entry, the hash after its last one, and the entries.
pub fn run_from_row(key: &[u8], value: &[u8]) -> Result<(LogNumber, u64, Digest, Vec<Item>), StoreError> {
    let (log, first) = key.split_at_checked(4).ok_or_else(|| damaged("run key"))?;
    let (hash, run) = value.split_at_checked(32).ok_or_else(|| damaged("run"))?;
    let log = LogNumber(u32::from_be_bytes(fixed(log)?));
    Ok((log, u64::from_be_bytes(fixed(first)?), Digest(fixed(hash)?), decode_run(run).map_err(damaged)?))
}

/// Steps of a scope's feed from `position` on.
pub fn feed_rows(
    snapshot: &(impl Snapshot + ?Sized),
    scope: u32,
    position: u64,
    limit: usize,
) -> Result<Vec<(u64, FeedRow)>, StoreError> {
    let (from, to) = (feed_key(scope, position), feed_key(scope, u64::MAX));
    let range = (Bound::Included(from.as_slice()), Bound::Included(to.as_slice()));
    let rows = snapshot.scan(Table::Feed, range, Direction::Forward, limit)?;
    rows.iter().map(|(key, value)| Ok((position_of(key)?, decode_feed(value).map_err(damaged)?))).collect()
}

/// The last step of a scope's feed; 0 while nothing was ever ingested there.
pub fn feed_end(snapshot: &(impl Snapshot + ?Sized), scope: &Scope) -> Result<u64, StoreError> {
    let row = snapshot.get(Table::Scopes, &scope.to_bytes())?;
    row.map_or(Ok(0), |row| Ok(decode_scope(&row)?.next - 1))
}

/// A step of a feed from its row of [`Table::Feed`].
pub fn feed_of_row(bytes: &[u8]) -> Result<FeedRow, StoreError> {
    decode_feed(bytes).map_err(damaged)
}

/// (scope number, position), ascending.
pub fn feed_key(scope: u32, position: u64) -> Vec<u8> {
    [scope.to_be_bytes().as_slice(), position.to_be_bytes().as_slice()].concat()
}

/// The position in a feed's key.
pub fn position_of(key: &[u8]) -> Result<u64, StoreError> {
    key.get(4..).map_or_else(|| Err(damaged("feed key")), fixed).map(u64::from_be_bytes)
}

/// The bytes on disk are not what we wrote.
pub fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError(format!("a stored row is damaged: {what}"))
}

/// A row's bytes as a fixed array.
pub fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| damaged("length"))
}

fn run_at(
    snapshot: &(impl Snapshot + ?Sized),
    log: LogNumber,
    seq: u64,
) -> Result<Option<(u64, Digest, Vec<Item>)>, StoreError> {
    let (from, to) = (run_key(log, 0), run_key(log, seq));
    let range = (Bound::Included(from.as_slice()), Bound::Included(to.as_slice()));
    let rows = snapshot.scan(Table::Runs, range, Direction::Backward, 1)?;
    let Some((key, value)) = rows.into_iter().next() else { return Ok(None) };
    let (_, first, after, items) = run_from_row(&key, &value)?;
    Ok((first + items.len() as u64 > seq).then_some((first, after, items)))
}

/// How many of the items fit into one run.
fn run_len(items: &[Item], bytes_goal: usize) -> usize {
    let mut bytes = 0;
    let fits = |item: &&Item| {
        bytes += item.bytes.len();
        bytes <= bytes_goal
    };
    items.iter().take(RUN_ENTRIES_MAX).take_while(fits).count().max(1)
}

/// Adds a step to a scope's feed, and gives its position.
fn push_feed(feed: &mut ScopeFeed, overlay: &mut Overlay, row: FeedRow) -> u64 {
    overlay.put(Table::Feed, feed_key(feed.number, feed.next), encode_feed(row));
    feed.next += 1;
    feed.next - 1
}

/// A scope's feed. A new one is written at once, so that readers of the batch find its number.
fn scope_feed<'a>(
    (scopes, next): (&'a mut BTreeMap<Scope, ScopeFeed>, &mut u32),
    overlay: &mut Overlay,
    scope: &Scope,
) -> &'a mut ScopeFeed {
    if !scopes.contains_key(scope) {
        let feed = ScopeFeed { number: *next, next: 1 };
        *next += 1;
        overlay.put(Table::Scopes, scope.to_bytes(), encode_scope(feed));
        scopes.insert(scope.clone(), feed);
    }
    scopes.get_mut(scope).expect("the scope was just put in")
}
