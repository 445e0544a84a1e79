//! Rights and promises as events: what each entry is about, and what only the API sees of them.

use serde_json::{Value, json};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Sku, StoreId, hex};
use stockroom_crdt::stock::promise::{PromiseId, Step};
use stockroom_crdt::stock::shortage::Remedy;

use crate::api::promises::claim_word;

/// Something that happened at the API without being written down.
#[derive(Clone, Debug)]
pub struct ApiEvent {
    /// What, e.g. `promise.turned-down`.
    pub kind: &'static str,
    /// What it is about.
    pub subject: Option<String>,
    /// Enough to know what to read again.
    pub data: Value,
}

impl ApiEvent {
    /// Nothing could be promised.
    pub fn turned_down(sku: &Sku, quantity: u64, stores: &[StoreId], asked: bool) -> Self {
        let stores: Vec<u32> = stores.iter().map(|store| store.0).collect();
        let data = json!({ "sku": sku.as_str(), "quantity": quantity, "stores": stores, "asked": asked });
        Self { kind: "promise.turned-down", subject: Some(format!("product/{sku}")), data }
    }

    /// Rights were locked, or may be used again.
    pub fn locked(locked: bool) -> Self {
        let kind = if locked { "rights.locked" } else { "rights.unlocked" };
        Self { kind, subject: None, data: json!({ "locked": locked }) }
    }
}

/// Subject and data of what an entry says about rights and promises; nothing for other facts.
pub fn about(fact: &Fact) -> Option<(Option<String>, Value)> {
    let product = |sku: &Sku| Some(format!("product/{sku}"));
    Some(match fact {
        Fact::PolicyRule(rule) => {
            let data = json!({ "allocation": rule.allocation.as_str(), "ended": rule.ended });
            (None, data)
        }
        Fact::Rights(rights) => {
            let data = json!({
                "sku": rights.account.sku.as_str(), "store": rights.account.store.0, "by": rights.by.to_string(),
                "minted": rights.row.mint, "used": rights.row.used, "burned": rights.row.burned,
                "granted": rights.row.granted(),
            });
            (product(&rights.account.sku), data)
        }
        Fact::Promise(promise) => {
            let data = json!({
                "reservation": promise.id.to_string(), "sku": promise.account.sku.as_str(),
                "store": promise.account.store.0, "quantity": promise.quantity, "outcome": claim_word(promise.claim),
                "channel": promise.channel.as_str(), "reference": promise.reference.as_str(),
            });
            (reservation(promise.id), data)
        }
        Fact::PromiseStep(step) => {
            (reservation(step.promise), json!({ "reservation": step.promise.to_string(), "step": step.step.as_str() }))
        }
        Fact::GoodsIssue(issue) => {
            let data = json!({
                "reservation": issue.promise.to_string(), "sku": issue.account.sku.as_str(), "quantity": issue.quantity,
            });
            (reservation(issue.promise), data)
        }
        Fact::Shortage(shortage) => {
            let victims: Vec<Value> = shortage
                .victims
                .iter()
                .map(|(id, units)| json!({ "reservation": id.to_string(), "quantity": units }))
                .collect();
            let data = json!({
                "sku": shortage.account.sku.as_str(), "store": shortage.account.store.0, "on_hand": shortage.on_hand,
                "cause": shortage.cause.as_str(), "victims": victims,
            });
            (product(&shortage.account.sku), data)
        }
        Fact::Compensation(compensation) => {
            let remedy = match compensation.remedy {
                Remedy::Refund => "refund",
                Remedy::Resourced(_) => "resourced",
            };
            let data = json!({
                "id": hex(&compensation.id), "reservation": compensation.promise.to_string(), "remedy": remedy,
            });
            (reservation(compensation.promise), data)
        }
        Fact::Want(want) => {
            let data = json!({
                "sku": want.account.sku.as_str(), "store": want.account.store.0, "of": want.of.0,
                "quantity": want.quantity, "why": want.why.as_str(),
            });
            (product(&want.account.sku), data)
        }
        Fact::Hint(hint) => {
            let data =
                json!({ "sku": hint.account.sku.as_str(), "to": hint.to.to_string(), "richest": hint.richest.0 });
            (product(&hint.account.sku), data)
        }
        Fact::Retire(retire) => (
            Some(format!("node/{}", retire.actor.node.0)),
            json!({ "actor": retire.actor.to_string(), "risk": retire.risk }),
        ),
        Fact::Consent(consent) => (None, json!({ "owner": consent.owner.as_str(), "share_ppm": consent.share_ppm })),
        _ => return None,
    })
}

/// The type of an event about rights or promises; nothing for other kinds. A step has the type of what was said.
pub fn word(number: u16, fact: Option<&Fact>) -> Option<&'static str> {
    Some(match number {
        kind::POLICY => "policy.changed",
        kind::RIGHTS => "rights.moved",
        kind::PROMISE => "promise.made",
        kind::PROMISE_STEP => match fact {
            Some(Fact::PromiseStep(step)) => step_word(step.step),
            _ => "promise.changed",
        },
        kind::WANT => "rights.requested",
        kind::HINT => "rights.refused",
        kind::SHORTAGE => "promise.shorted",
        kind::COMPENSATION => "promise.compensated",
        kind::RETIRE => "rights.written-off",
        kind::CONSENT => "consent.given",
        kind::GOODS_ISSUE => "goods.issued",
        _ => return None,
    })
}

fn step_word(step: Step) -> &'static str {
    match step {
        Step::Confirm => "promise.confirmed",
        Step::AskRelease => "promise.release-asked",
        Step::Expire => "promise.expired",
        Step::Harden => "promise.hardened",
        Step::Pick => "promise.picked",
        Step::PutBack => "promise.put-back",
        Step::Fulfil => "promise.fulfilled",
        Step::Release => "promise.released",
        Step::NotFound => "promise.not-found",
    }
}

fn reservation(id: PromiseId) -> Option<String> {
    Some(format!("reservation/{id}"))
}
