//! Building feed frames: what a peer gets next, decided when the link can take it.

use stockroom_crdt::batch::Item;
use stockroom_crdt::ids::{Digest, Epoch, NodeId};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_crdt::scope::Scope;

use super::frames::{CellsFrame, Entries, Frame};
use super::link::Out;
use crate::books::cells;
use crate::ingest::RunIn;
use crate::journal::{FeedRow, LogNumber, damaged, entries, feed_key, feed_rows, position_of};
use crate::limits::{FRAME_CELLS_MAX, FRAME_RUNS_MAX};
use crate::replica::Replica;
use crate::storage::{Direction, Snapshot, StoreError, Table};

/// Whom a feed goes to: a node that was restored gets its own unsealed entries back.
pub type Follower = (NodeId, Epoch);

/// The next frame of a feed, of about `goal` bytes; `None` when the peer has everything.
pub fn next_frame(
    replica: &Replica,
    follower: Follower,
    scope: &Scope,
    out: &mut Out,
    goal: usize,
) -> Result<Option<Frame>, StoreError> {
    let Some(feed) = replica.journal.feed(scope) else { return Ok(None) };
    if out.next >= feed.next || out.paused {
        out.since_ms = None;
        return Ok(None);
    }
    let frame = if scope.is_shared() {
        cells_frame(replica, scope, out, goal)?
    } else {
        log_frame(replica, follower, scope, out, goal)?
    };
    if out.next >= feed.next {
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
    let mut frame = Entries { scope: scope.clone(), feed_epoch: replica.feed_epoch, to: 0, runs: Vec::new() };
    let mut bytes = 0;
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
    if frame.runs.is_empty() && frame.to.saturating_sub(out.acked) < SKIP_TOLD_AFTER {
        return Ok(None);
    }
    out.told = frame.to;
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
    let ours = log.id.actor.node == replica.actor().node;
    let from = match out.sent.get(&number) {
        Some(&sent) => sent,
        None => first_sent(replica, row, number, out, ours),
    };
    // A third party gets only what a signature covers; the seal's own row comes later in the feed.
    let returned = log.id.actor.node == follower.0 && log.id.actor.epoch < follower.1;
    let target = if ours || returned { last } else { last.min(log.sealed_seq()) };
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

/// Entries after `sent`, ending in the first seal that is kept after it; our own unsealed tail may go without one.
fn run_after(replica: &Replica, number: LogNumber, sent: u64, target: u64) -> Result<Option<RunIn>, StoreError> {
    let log = replica.journal.log(number).ok_or_else(|| damaged("feed names a missing log"))?;
    let seal = replica.journal.seal_after(&replica.overlay, number, sent + 1)?;
    let last = match &seal {
        Some(seal) => seal.seq,
        None => target.min(sent + RUN_ENTRIES_MAX as u64),
    };
    let items: Vec<Item> =
        entries(&replica.overlay, number, sent + 1, last)?.into_iter().map(|(_, item)| item).collect();
    if items.is_empty() {
        return Ok(None);
    }
    let before = short(replica.journal.hash_at(&replica.overlay, number, sent)?)?;
    Ok(Some(RunIn { log: log.id.clone(), first: sent + 1, before, items, seal }))
}

/// How far a log was sent before this connection.
fn first_sent(replica: &Replica, row: FeedRow, number: LogNumber, out: &Out, ours: bool) -> u64 {
    let log = replica.journal.log(number).expect("the caller looked");
    if let Some(parent) = log.parent {
        return parent.seq;
    }
    match (out.known.get(&log.id.actor), row) {
        (Some(&known), _) => known,
        (None, FeedRow::Entries { first, .. }) if ours && out.acked > 0 => first - 1,
        (None, _) => 0,
    }
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
