//! What moved the rights to goods, and why, as one person tells another; the newest first.

use serde::Serialize;
use stockroom_core::view::promises::TrailLine;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::Actor;
use stockroom_crdt::stock::promise::Promise;
use stockroom_crdt::stock::rights::{Account, Class, RightsFact, RightsRow};
use stockroom_crdt::stock::shortage::Remedy;
use utoipa::ToSchema;

use super::Books;
use super::limits::TRAIL_MAX;
use super::problem::Answered;
use super::promises::claim_word;
use super::values::{Moment, Text, Word};

/// What moved the rights to the goods of one account.
#[derive(Serialize, ToSchema)]
pub struct TrailAnswer {
    /// Older entries were left out.
    omitted: bool,
    /// The newest 200 entries, newest first.
    entries: Vec<TrailEntry>,
}

/// One entry about rights or promises.
#[derive(Serialize, ToSchema)]
pub struct TrailEntry {
    /// What happened, in words.
    what: String,
    /// `rights`, `promise`, `step`, `request`, `hint`, `shortage`, `compensation` or `write-off`.
    kind: &'static str,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// Who wrote it: node and epoch.
    #[schema(value_type = String, example = "7.1")]
    writer: Text<Actor>,
    /// Its number in that writer's log of the store's rights.
    seq: u64,
}

impl TrailAnswer {
    /// What moved the rights to an account.
    pub fn of(books: &Books<'_>, account: &Account) -> Answered<Self> {
        let trail = books.trail(account, TRAIL_MAX)?;
        let entries = trail.lines.iter().filter_map(TrailEntry::of).collect();
        Ok(Self { omitted: trail.is_cut, entries })
    }
}

impl TrailEntry {
    fn of(line: &TrailLine) -> Option<Self> {
        let (kind, what) = words(line)?;
        let at = Text(Moment(line.entry.hlc.ms()));
        Some(Self { what, kind, at, writer: Text(line.actor), seq: line.place.seq })
    }
}

fn words(line: &TrailLine) -> Option<(&'static str, String)> {
    Some(match &line.entry.fact {
        Fact::Rights(fact) => ("rights", row_words(fact, line.before.as_ref())),
        Fact::Promise(promise) => ("promise", promise_words(promise)),
        Fact::PromiseStep(step) => {
            let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
            let by = if step.staff.is_empty() { String::new() } else { format!(", by {}", step.staff) };
            ("step", format!("reservation {} {}{note}{by}", step.promise, step.step.as_str()))
        }
        Fact::Want(want) => (
            "request",
            format!("request {} to node {} for {}: {}", want.number, want.of.0, want.quantity, want.why.as_str()),
        ),
        Fact::Hint(hint) if hint.richest.0 == 0 => {
            ("hint", format!("request {} of {} answered: nobody else has any", hint.number, hint.to))
        }
        Fact::Hint(hint) => {
            let (richest, held) = (hint.richest.0, hint.held);
            ("hint", format!("request {} of {} answered: node {richest} holds {held}", hint.number, hint.to))
        }
        Fact::Shortage(shortage) => {
            let victims: Vec<_> = shortage.victims.iter().map(|(id, units)| format!("{id} ({units})")).collect();
            let (on_hand, cause) = (shortage.on_hand, &shortage.cause);
            ("shortage", format!("{on_hand} in the book ({cause}), so these are broken: {}", victims.join(", ")))
        }
        Fact::Compensation(compensation) => {
            let remedy = match compensation.remedy {
                Remedy::Refund => "a refund".to_owned(),
                Remedy::Resourced(other) => format!("the same goods as {other}"),
            };
            ("compensation", format!("for reservation {}: {remedy}", compensation.promise))
        }
        Fact::Retire(retire) => (
            "write-off",
            format!("the rights of {} written off: {}; {} units at risk", retire.actor, retire.reason, retire.risk),
        ),
        _ => return None,
    })
}

/// What a row says that the one before it did not.
fn row_words(fact: &RightsFact, before: Option<&RightsRow>) -> String {
    let noun = match fact.class {
        Class::Goods => "rights",
        Class::Overbooking => "soft rights",
    };
    let Some(before) = before else {
        let row = &fact.row;
        return format!(
            "{noun} so far: {} made, {} used, {} burned, {} granted",
            row.mint,
            row.used,
            row.burned,
            row.granted()
        );
    };
    let row = &fact.row;
    let mut parts = Vec::new();
    for (now, then, verb) in [
        (row.mint, before.mint, "made from goods"),
        (row.used, before.used, "used for a promise"),
        (row.burned, before.burned, "burned, because goods are missing"),
    ] {
        if now > then {
            parts.push(format!("{} {noun} {verb}", now - then));
        }
    }
    for (to, units) in &row.grants {
        let then = before.grants.get(to).copied().unwrap_or(0);
        if *units > then {
            parts.push(format!("{} {noun} granted to {to}", units - then));
        }
    }
    for (of, number) in &row.served {
        if *number > before.served(*of) {
            parts.push(format!("request {number} of {of} answered"));
        }
    }
    if parts.is_empty() { format!("{noun} written again, unchanged") } else { parts.join("; ") }
}

fn promise_words(promise: &Promise) -> String {
    let (quantity, claim, channel) = (promise.quantity, claim_word(promise.claim), promise.channel.as_str());
    let order = if promise.reference.is_empty() { String::new() } else { format!(", order {}", promise.reference) };
    let until = Moment(promise.until_ms).write();
    format!("{quantity} promised ({claim}) for {channel} as {}{order}, held until {until}", promise.id)
}
