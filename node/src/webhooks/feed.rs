//! The durable feeds as events: what became known here, scope by scope, from any position on.
//!
//! An event's id is made of where its author wrote it, so it is the same after a restart, and however often it is read.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Value, json};
use stockroom_core::authority;
use stockroom_core::books::cells::scope_row_number;
use stockroom_core::input::Event;
use stockroom_core::journal::{FeedRow, Log, entries, feed_key, feed_rows, position_of};
use stockroom_core::storage::{Direction, Snapshot, StoreError, Table};
use stockroom_core::view::View;
use stockroom_crdt::capability::Role;
use stockroom_crdt::control::Fence;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Digest, NodeId, StoreId, hex};
use stockroom_crdt::scope::Scope;

use super::outbox::Message;
use crate::api::events::{ApiEvent, CloudEvent, describe, of_entry};
use crate::api::orders::notices;
use crate::handle::{Handle, NumberedEvent};
use crate::info::NodeInfo;

/// One step of a feed.
#[derive(Debug)]
pub struct Step {
    /// The position after it.
    pub next: u64,
    /// What happened, in the order of the log.
    pub messages: Vec<Message>,
}

/// A scope as a cursor's name.
pub fn scope_key(scope: &Scope) -> String {
    hex(&scope.to_bytes())
}

/// Every scope that has a feed.
pub fn scopes(snapshot: &dyn Snapshot) -> Result<Vec<Scope>, StoreError> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    let rows = snapshot.scan(Table::Scopes, all, Direction::Forward, usize::MAX)?;
    // A scope of a later version is skipped, like its entries.
    Ok(rows.into_iter().filter_map(|(key, _)| Scope::from_bytes(&key).ok()).collect())
}

/// The position that comes next, of each feed.
pub fn ends(snapshot: &dyn Snapshot) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut ends = BTreeMap::new();
    for scope in scopes(snapshot)? {
        let Some(number) = number(snapshot, &scope)? else { continue };
        let (from, to) = (feed_key(number, 0), feed_key(number, u64::MAX));
        let range = (Bound::Included(from.as_slice()), Bound::Included(to.as_slice()));
        let last = snapshot.scan(Table::Feed, range, Direction::Backward, 1)?;
        let next = last.first().map(|(key, _)| position_of(key)).transpose()?.map_or(0, |last| last + 1);
        ends.insert(scope_key(&scope), next);
    }
    Ok(ends)
}

/// The next steps of a scope's feed, at most `limit`.
pub fn steps(
    snapshot: &dyn Snapshot,
    info: &NodeInfo,
    scope: &Scope,
    from: u64,
    limit: usize,
) -> Result<Vec<Step>, StoreError> {
    let Some(number) = number(snapshot, scope)? else { return Ok(Vec::new()) };
    let rows = feed_rows(snapshot, number, from, limit)?;
    let fences = if rows.is_empty() { Vec::new() } else { View::new(snapshot).fences()? };
    let mut steps = Vec::new();
    for (position, row) in rows {
        let mut messages = Vec::new();
        if let FeedRow::Entries { log, first, last } = row
            && let Some(row) = snapshot.get(Table::Logs, &log.0.to_be_bytes())?
        {
            let log_row = Log::from_row(&row)?;
            for (seq, item) in entries(snapshot, log, first, last)? {
                let fact = &item.entry.fact;
                if counts(&log_row, seq, fact, &fences) {
                    let (word, subject, data) = of_entry(scope, fact.kind(), seq, Some(fact));
                    let id = entry_id(info, &log_row, seq);
                    messages.push(message(info, (id.clone(), word), item.entry.hlc.ms(), (subject, data)));
                    let author = (scope.store(), &item.entry);
                    let notices = notices::of_entry(&View::new(snapshot), NodeId(info.node), author)?;
                    for (index, notice) in notices.into_iter().enumerate() {
                        let about = (Some(notice.subject), notice.data);
                        let id = (format!("{id}_{index}"), notice.kind);
                        messages.push(message(info, id, item.entry.hlc.ms(), about));
                    }
                }
            }
        }
        steps.push(Step { next: position + 1, messages });
    }
    Ok(steps)
}

/// Something that stands in no log; nothing for an entry, which is read from its feed.
pub fn of_core(handle: &Handle, info: &NodeInfo, event: &NumberedEvent) -> Option<Message> {
    if matches!(event.event, Event::Entry { .. }) {
        return None;
    }
    let (word, subject, data) = describe(handle, &event.event);
    let id = format!("core_{}_{}_{}", info.node, info.started_ms, event.number);
    Some(message(info, (id, word), event.at_ms, (subject, data)))
}

/// Something that only the API saw. `number` tells those of one millisecond apart.
pub fn of_api(info: &NodeInfo, event: &ApiEvent, now_ms: u64, number: u64) -> Message {
    let id = format!("api_{}_{now_ms}_{number}", info.node);
    message(info, (id, event.kind), now_ms, (event.subject.clone(), event.data.clone()))
}

fn message(info: &NodeInfo, (id, word): (String, &str), at_ms: u64, about: (Option<String>, Value)) -> Message {
    let of = |about| CloudEvent::new(info, id.clone(), word, at_ms, about);
    let subject = about.0.clone();
    let mut body = serde_json::to_string(&of(about)).unwrap_or_default();
    if body.len() > BODY_BYTES_MAX {
        body = serde_json::to_string(&of((subject, json!({ "cut": true })))).unwrap_or_default();
    }
    Message { id, kind: word.to_owned(), body }
}

/// True for an entry that has an effect here: its author may say it, and is not fenced before it. The same rules as the core's,
/// but for signatures inside of facts, which it alone checks.
fn counts(log: &Log, seq: u64, fact: &Fact, fences: &[Fence]) -> bool {
    let (actor, scope, store) = (log.id.actor, &log.id.scope, StoreId(log.author_store));
    let role = if store.0 == 0 { Role::Hub } else { Role::Store };
    let writer = authority::writer(role, store, scope);
    let is_cut = fences
        .iter()
        .filter(|fence| fence.node == actor.node)
        .any(|fence| !fence.cuts.iter().any(|cut| cut.epoch == actor.epoch && cut.scope == *scope && seq <= cut.seq));
    fact.kind() != kind::EPOCH_OPEN
        && !matches!(fact, Fact::Opaque(_))
        && !is_cut
        && fact.belongs_in(scope)
        && authority::may_write(writer, authority::area(scope), fact.kind())
        && authority::may_say(writer, actor, fact)
}

/// 128 bits of a hash over tenant, log and position.
fn entry_id(info: &NodeInfo, log: &Log, seq: u64) -> String {
    let actor = log.id.actor.to_string();
    let parts = [info.tenant.as_bytes(), &[0], actor.as_bytes(), &[0], &log.id.scope.to_bytes(), &seq.to_be_bytes()];
    format!("evt_{}", hex(&Digest::of(&parts).0[..16]))
}

/// The number under which a feed stands, if the scope has one.
pub fn number(snapshot: &dyn Snapshot, scope: &Scope) -> Result<Option<u32>, StoreError> {
    snapshot.get(Table::Scopes, &scope.to_bytes())?.map(|row| scope_row_number(&row)).transpose()
}

/// What the standard asks for. An event says what to read again, so the few that are longer lose their details.
const BODY_BYTES_MAX: usize = 20_000;
