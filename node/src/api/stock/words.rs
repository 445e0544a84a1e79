//! What an entry did to a product's goods, as one person tells another.

use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::stock::{Aside, Cause, Effect};

use crate::api::values::{ReceiptId, Word};

/// The word for programs.
pub fn kind(cause: &Cause) -> &'static str {
    match cause {
        Cause::Sale(_) => "sale",
        Cause::Receipt(_) => "receipt",
        Cause::Adjustment(_) => "adjustment",
        Cause::Issue(_) => "issue",
        Cause::Decision(_) => "decision",
        Cause::Returned(_) => "return",
        Cause::Shipped(..) => "shipment",
        Cause::Came(..) => "transfer",
    }
}

/// The sentence for people.
pub fn of(store: StoreId, effect: &Effect, entry: Option<&Entry>) -> String {
    let fact = entry.map(|entry| &entry.fact);
    match effect {
        Effect::Move(moved) => format!("{}{}", moving(store, moved.delta, &moved.cause, fact), staff(fact)),
        Effect::Count(counted) => format!("{} counted in session {}{}", counted.quantity, counted.session, staff(fact)),
        Effect::Aside(aside) => format!("{}{}", standing_aside(store, aside, fact), staff(fact)),
    }
}

fn moving(store: StoreId, delta: i64, cause: &Cause, fact: Option<&Fact>) -> String {
    let units = delta.unsigned_abs();
    match cause {
        Cause::Sale(_) => {
            let verb = match (fact, delta > 0) {
                (Some(Fact::Sale(sale)), _) if sale.voids.is_some() => "voided",
                (_, true) => "taken back",
                (_, false) => "sold",
            };
            format!("{units} {verb}{}", on_receipt(store, cause, fact))
        }
        Cause::Receipt(document) if document.is_empty() => format!("{delta} received"),
        Cause::Receipt(document) => format!("{delta} received under {document}"),
        Cause::Adjustment(reason) => format!("corrected by {delta:+}: {reason}"),
        Cause::Issue(promise) => format!("{units} handed over for reservation {promise}"),
        Cause::Decision(reason) => format!("{units} back on the shelf out of quarantine{}", because(reason)),
        Cause::Returned(id) => format!("{units} brought back by a customer, return {id}"),
        Cause::Shipped(id, to) => format!("{units} shipped to store {} as transfer {id}", to.0),
        Cause::Came(id, from) => format!("{units} came from store {} as transfer {id}", from.0),
    }
}

fn standing_aside(store: StoreId, aside: &Aside, fact: Option<&Fact>) -> String {
    let Aside { quarantined, scrapped, cause, .. } = aside;
    let receipt = on_receipt(store, cause, fact);
    match (cause, *quarantined, *scrapped) {
        (Cause::Decision(reason), out, 0) => format!("{} out of quarantine{}", out.unsigned_abs(), because(reason)),
        (Cause::Decision(reason), _, gone) => format!("{gone} out of quarantine thrown away{}", because(reason)),
        (_, 0, gone) if gone < 0 => format!("{} taken back and thrown away, voided{receipt}", gone.unsigned_abs()),
        (_, 0, gone) => format!("{gone} taken back and thrown away{receipt}"),
        (_, held, _) if held < 0 => format!("{} taken back into quarantine, voided{receipt}", held.unsigned_abs()),
        (_, held, _) => format!("{held} taken back into quarantine{receipt}"),
    }
}

fn on_receipt(store: StoreId, cause: &Cause, fact: Option<&Fact>) -> String {
    let Cause::Sale(number) = cause else { return String::new() };
    let till = match fact {
        Some(Fact::Sale(sale)) => format!(", till {} no. {}", number.till.0, sale.till_seq),
        Some(_) | None => String::new(),
    };
    format!(" on receipt {}{till}", ReceiptId { store, number: *number }.write())
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn staff(fact: Option<&Fact>) -> String {
    let staff = match fact {
        Some(Fact::Sale(sale)) => &sale.cashier,
        Some(Fact::GoodsReceipt(receipt)) => &receipt.staff,
        Some(Fact::Adjustment(adjustment)) => &adjustment.staff,
        Some(Fact::GoodsIssue(issue)) => &issue.staff,
        Some(Fact::Decision(decision)) => &decision.staff,
        Some(Fact::TransferShip(ship)) => &ship.staff,
        Some(Fact::TransferReceive(receive)) => &receive.staff,
        Some(Fact::CountClose(close)) => &close.staff,
        Some(_) | None => &Code::default(),
    };
    if staff.is_empty() { String::new() } else { format!(", by {staff}") }
}
