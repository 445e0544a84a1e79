//! Building feed frames: what a peer gets next, decided when the link can take it.

use stockroom_crdt::batch::Item;
use stockroom_crdt::ids::{Digest, Epoch, NodeId};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_crdt::scope::Scope;

use super::frames::{CellsFrame, Entries, Frame};
use super::link::Out;
use crate::books::cells;
use crate::ingest::RunIn;
use crate::journal::{FeedRow, Log, LogNumber, damaged, feed_key, feed_rows, position_of};
use crate::limits::{FRAME_CELLS_MAX, FRAME_RUNS_MAX};
use crate::replica::Replica;
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// Whom a feed goes to.
#[derive(Clone, Copy, Debug)]
pub struct Follower {
    /// Which node.
    pub node: NodeId,
    /// Its epoch: one that was restored gets its own unsealed entries back.
    pub epoch: Epoch,
    /// It gets ours before we sealed them, because after a restore we would take them back from it.
    pub unsealed: bool,
}

/// The next frame of a feed, of about `goal` bytes; `None` when the peer has everything.
pub fn next_frame(
    replica: &Replica,
    follower: Follower,
    scope: &Scope,
    out: &mut Out,
    goal: usize,
) -> Result<Option<Frame>, StoreError> {
    let Some(feed) = replica.journal.feed(scope) else { return Ok(None) };
    if (out.next >= feed.next && out.again.is_empty()) || out.paused {
        out.since_ms = None;
        return Ok(None);
    }
    let frame = if scope.is_shared() {
        cells_frame(replica, scope, out, goal)?
    } else {
        log_frame(replica, follower, scope, out, goal)?
    };
    if out.next >= feed.next && out.again.is_empty() {
        out.since_ms = None;
    }
    Ok(frame)
}

fn log_frame(
    replica: &Replica,
    follower: Follower,
    scope: &Scope,
    out: &mut Out,
    goal: usize,
) -> Result<Option<Frame>, StoreError> {
    let feed = replica.journal.feed(scope).expect("the caller looked");
    let (scope, feed_epoch) = (scope.clone(), replica.feed_epoch);
    let asked = !out.again.is_empty();
    let after = if asked { out.acked } else { out.told.max(out.acked) };
    let mut frame = Entries { scope, feed_epoch, after, to: 0, complete: false, runs: Vec::new() };
    let mut bytes = 0;
    while let Some(&number) = out.again.first() {
        if !send_again(replica, follower, number, out, (&mut frame, &mut bytes, goal))? {
            // Not before everything that was asked for is there does the peer have what stands behind its last acknowledgement.
            frame.to = out.acked;
            return Ok(Some(Frame::Entries(frame)));
        }
        out.again.pop_first();
    }
    while out.next < feed.next && bytes < goal && frame.runs.len() < FRAME_RUNS_MAX {
        let rows = feed_rows(&replica.overlay, feed.number, out.next, ROWS_AT_ONCE)?;
        if rows.is_empty() {
            out.next = feed.next;
        }
        for (position, row) in rows {
            let complete = send_row(replica, follower, row, out, (&mut frame, &mut bytes, goal))?;
            if !complete {
                out.next = position;
                break;
            }
            out.next = position + 1;
            if bytes >= goal || frame.runs.len() >= FRAME_RUNS_MAX {
                break;
            }
        }
    }
    frame.to = out.next - 1;
    frame.complete = out.next >= feed.next && !withholds(replica, follower, &frame.scope);
    if frame.runs.is_empty() && frame.to.saturating_sub(out.acked) < SKIP_TOLD_AFTER && !asked {
        return Ok(None);
    }
    out.told = out.told.max(frame.to);
    Ok(Some(Frame::Entries(frame)))
}

/// Puts what a row of the feed is about into the frame. False when it did not fit.
fn send_row(
    replica: &Replica,
    follower: Follower,
    row: FeedRow,
    out: &mut Out,
    frame: (&mut Entries, &mut usize, usize),
) -> Result<bool, StoreError> {
    let (frame, bytes, goal) = frame;
    let (number, last) = match row {
        FeedRow::Entries { log, last, .. } => (log, last),
        FeedRow::Seal(place) => (place.log, place.seq),
    };
    let log = replica.journal.log(number).ok_or_else(|| damaged("feed names a missing log"))?;
    if !goes_there(replica, log, follower) {
        return Ok(true);
    }
    let ours = log.id.actor.node == replica.actor().node;
    let told = out.sent.get(&number).copied();
    let from = told.unwrap_or_else(|| first_sent(replica, row, number, out, follower));
    // A third party gets only what a signature covers; the seal's own row comes later in the feed.
    let target = if goes_unsealed(replica, log, follower) { last } else { last.min(log.sealed_seq()) };
    if told.is_none() && log.parent.is_none() && from >= target && from > 0 {
        // The peer says that it has all of this, but not of which history: a seal that it cannot place shows the difference.
        if from >= log.sealed_seq()
            && let Some(run) = seal_run(replica, number)?
        {
            out.sent.insert(number, run.first - 1);
            frame.runs.push(run);
            *bytes += RUN_OVERHEAD;
        }
        return Ok(true);
    }
    let mut sent = from;
    while sent < target {
        if *bytes >= goal || frame.runs.len() >= FRAME_RUNS_MAX {
            out.sent.insert(number, sent);
            return Ok(false);
        }
        let Some(run) = run_after(replica, number, sent, target)? else { break };
        sent = run.first + run.items.len() as u64 - 1;
        *bytes += run.items.iter().map(|item| item.bytes.len()).sum::<usize>() / 2 + RUN_OVERHEAD;
        frame.runs.push(run);
    }
    if let (FeedRow::Seal(place), true) = (row, sent == from && from >= last && ours) {
        // The entries went out before they were sealed: the seal follows by itself, if it was not replaced meanwhile.
        if let Some(seal) =
            replica.journal.seal_after(&replica.overlay, number, place.seq)?.filter(|s| s.seq == place.seq)
        {
            let before = short(replica.journal.hash_at(&replica.overlay, number, seal.seq)?)?;
            let (log, first) = (log.id.clone(), seal.seq + 1);
            frame.runs.push(RunIn { log, first, before, items: Vec::new(), seal: Some(seal) });
            *bytes += RUN_OVERHEAD;
        }
    }
    out.sent.insert(number, sent);
    Ok(true)
}

/// Puts what the peer lacks of a history, which it has up to where `out` says, into the frame. False when it did not fit.
fn send_again(
    replica: &Replica,
    follower: Follower,
    number: LogNumber,
    out: &mut Out,
    (frame, bytes, goal): (&mut Entries, &mut usize, usize),
) -> Result<bool, StoreError> {
    let last = replica.journal.log(number).map_or(0, |log| log.head.seq);
    let runs = frame.runs.len();
    let row = FeedRow::Entries { log: number, first: last, last };
    let complete = send_row(replica, follower, row, out, (&mut *frame, &mut *bytes, goal))?;
    if complete && frame.runs.len() == runs {
        // It may have been the last seal that could not be placed.
        let seal = seal_run(replica, number)?;
        *bytes += seal.iter().len() * RUN_OVERHEAD;
        frame.runs.extend(seal);
    }
    Ok(complete)
}

/// The newest seal of a history, without entries.
fn seal_run(replica: &Replica, number: LogNumber) -> Result<Option<RunIn>, StoreError> {
    let log = replica.journal.log(number).ok_or_else(|| damaged("feed names a missing log"))?;
    let Some(seal) = log.seal.clone() else { return Ok(None) };
    let before = short(replica.journal.hash_at(&replica.overlay, number, seal.seq)?)?;
    Ok(Some(RunIn { log: log.id.clone(), first: seal.seq + 1, before, items: Vec::new(), seal: Some(seal) }))
}

/// Entries after `sent`, ending in the first seal that is kept after it; our own unsealed tail may go without one.
fn run_after(replica: &Replica, number: LogNumber, sent: u64, target: u64) -> Result<Option<RunIn>, StoreError> {
    let log = replica.journal.log(number).ok_or_else(|| damaged("feed names a missing log"))?;
    let seal = replica.journal.seal_after(&replica.overlay, number, sent + 1)?;
    let last = match &seal {
        Some(seal) => seal.seq,
        None => target.min(sent + RUN_ENTRIES_MAX as u64),
    };
    let items = replica.journal.history(&replica.overlay, number, sent + 1, last)?;
    if items.is_empty() || items.len() > RUN_ENTRIES_MAX {
        return Ok(None);
    }
    let before = short(replica.journal.hash_at(&replica.overlay, number, sent)?)?;
    Ok(Some(RunIn { log: log.id.clone(), first: sent + 1, before, items, seal }))
}

/// How far a log was sent before this connection, as far as can be told.
fn first_sent(replica: &Replica, row: FeedRow, number: LogNumber, out: &Out, follower: Follower) -> u64 {
    let log = replica.journal.log(number).expect("the caller looked");
    if let Some(parent) = log.parent {
        let sent = out.sent.get(&parent.log).copied().unwrap_or(u64::MAX);
        return begins(replica, number, follower).min(sent);
    }
    let ours = log.id.actor.node == replica.actor().node;
    match (out.known.get(&log.id.actor), row) {
        (Some(&known), _) => known,
        (None, FeedRow::Entries { first, .. }) if ours && out.acked > 0 => first - 1,
        (None, _) => 0,
    }
}

/// Up to where a history comes to `follower` together with the one that it parts from: what that one has no seal for goes with
/// this one's.
pub fn begins(replica: &Replica, number: LogNumber, follower: Follower) -> u64 {
    let mut limit = u64::MAX;
    let mut next = replica.journal.log(number).and_then(|log| log.parent);
    while let Some(parent) = next {
        limit = limit.min(parent.seq);
        let Some(log) = replica.journal.log(parent.log) else { break };
        let brought = if goes_unsealed(replica, log, follower) { log.head.seq } else { log.sealed_seq() };
        if brought >= limit || brought > log.parent.map_or(0, |before| before.seq) {
            return limit.min(brought);
        }
        next = log.parent;
    }
    0
}

/// Whether a follower gets entries of a log that no seal covers: its author's word is enough, and its own come back to it.
fn goes_unsealed(replica: &Replica, log: &Log, follower: Follower) -> bool {
    let returned = log.id.actor.node == follower.node && log.id.actor.epoch < follower.epoch;
    returned || follower.unsealed && log.id.actor.node == replica.actor().node
}

/// True when a follower lacks what we wrote in a scope and did not seal yet.
pub fn withholds(replica: &Replica, follower: Follower, scope: &Scope) -> bool {
    let mut ours = replica.journal.written_by(replica.actor().node);
    !follower.unsealed && ours.any(|(_, log)| log.id.scope == *scope && log.has_unsealed())
}

/// Control flows down: a hub above gets back what it, or one above it, wrote.
fn goes_there(replica: &Replica, log: &Log, follower: Follower) -> bool {
    let chain = &replica.me.chain;
    let above = chain.iter().position(|link| link.node == follower.node).filter(|_| log.id.scope == Scope::Control);
    above.is_none_or(|at| chain[..=at].iter().any(|link| link.node == log.id.actor.node))
}

fn cells_frame(replica: &Replica, scope: &Scope, out: &mut Out, goal: usize) -> Result<Option<Frame>, StoreError> {
    let feed = replica.journal.feed(scope).expect("the caller looked");
    let (from, to) = (feed_key(feed.number, out.next), feed_key(feed.number, u64::MAX));
    let range = (std::ops::Bound::Included(from.as_slice()), std::ops::Bound::Included(to.as_slice()));
    let rows = replica.overlay.scan(Table::CellFeed, range, Direction::Forward, FRAME_CELLS_MAX)?;
    let (mut stamps, mut items, mut bytes) = (Vec::new(), Vec::new(), 0);
    let exhausted = rows.len() < FRAME_CELLS_MAX;
    let mut reached = None;
    for (key, cell_key) in rows {
        if bytes >= goal {
            break;
        }
        let row = replica.overlay.get(Table::Cells, &cell_key)?.ok_or_else(|| damaged("feed names a missing cell"))?;
        let row = cells::decode(&row)?;
        let item = Item::from_bytes(row.bytes).map_err(damaged)?;
        bytes += item.bytes.len() / 2;
        stamps.push((cells::writer_of(&cell_key)?, row.stamp.seq));
        items.push(item);
        reached = Some(position_of(&key)?);
    }
    let complete = exhausted && bytes < goal;
    out.next = if complete { feed.next } else { reached.map_or(feed.next, |position| position + 1) };
    if items.is_empty() {
        return Ok(None);
    }
    let (scope, feed_epoch, to) = (scope.clone(), replica.feed_epoch, out.next - 1);
    out.told = to;
    let mut frame = CellsFrame { scope, feed_epoch, to, stamps, items, signature: [0; 64] };
    frame.signature = replica.me.signer.sign(&frame.message(replica.me.tenant));
    Ok(Some(Frame::Cells(frame)))
}

fn short(hash: Option<Digest>) -> Result<[u8; 8], StoreError> {
    let hash = hash.ok_or_else(|| damaged("log"))?;
    Ok(std::array::from_fn(|i| hash.0[i]))
}

/// Rows of a feed that are looked at together.
const ROWS_AT_ONCE: usize = 256;

/// Positions without anything for this peer after which it is told all the same, so that it need not be asked again.
const SKIP_TOLD_AFTER: u64 = 256;

/// Bytes that a run costs beside its entries: writer, position, hash, seal.
const RUN_OVERHEAD: usize = 100;
