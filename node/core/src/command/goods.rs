//! Goods that come in, corrections, and decisions about goods in quarantine.

use std::collections::BTreeSet;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::limits::LINES_MAX;
use stockroom_crdt::receiving::{Adjustment, Decision, GoodsReceipt, Reason, ReceiptLine};
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, check_known, check_quantity, own_store};
use crate::books::account;
use crate::input::Refusal;
use crate::journal::Place;
use crate::replica::Replica;

/// Books goods in.
pub fn receive(replica: &mut Replica, receipt: GoodsReceipt) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_lines(replica, &receipt.lines, "a goods receipt")?;
    let fact = Fact::GoodsReceipt(receipt);
    check_fact(&fact, "lines")?;
    Ok(replica.write(&Scope::StoreStock(store), vec![fact])?[0])
}

/// Lines of goods that come in or leave: known products in their own units, each lot once.
pub fn check_lines(replica: &Replica, lines: &[ReceiptLine], what: &str) -> Result<(), Failed> {
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(Refusal::invalid("lines", format!("{what} has 1 to {LINES_MAX} lines")).into());
    }
    let mut seen = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        let field = format!("lines[{index}]");
        check_quantity(&format!("{field}.quantity"), line.quantity, 1)?;
        check_known(replica, &field, &line.sku, line.unit)?;
        if !seen.insert((&line.sku, &line.lot, line.expiry_day)) {
            return Err(Refusal::invalid(format!("{field}.sku"), "stands twice with the same lot and expiry").into());
        }
    }
    Ok(())
}

/// Corrects the book for a reason.
pub fn adjust(replica: &mut Replica, adjustment: Adjustment) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    if adjustment.delta == 0 {
        return Err(Refusal::invalid("delta", "is zero").into());
    }
    if adjustment.reason.is_empty() {
        return Err(Refusal::invalid("reason", "is needed").into());
    }
    if let Some(reason) = Reason::parse(adjustment.reason.as_str()).filter(|reason| !reason.fits(adjustment.delta)) {
        let sign = if adjustment.delta > 0 { "takes goods away" } else { "adds goods" };
        let message = format!("{} {sign}: {:+} does not fit it", reason.as_str(), adjustment.delta);
        return Err(Refusal::invalid("delta", message).into());
    }
    check_quantity("delta", adjustment.delta.saturating_abs(), 1)?;
    check_known(replica, "adjustment", &adjustment.sku, adjustment.unit)?;
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::Adjustment(adjustment)])?[0])
}

/// Puts goods from quarantine back on the shelf, or throws them away.
pub fn decide(replica: &mut Replica, decision: Decision) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_quantity("quantity", decision.quantity, 1)?;
    check_known(replica, "decision", &decision.sku, decision.unit)?;
    let key = account::key(store, &decision.sku, decision.unit);
    let held = account::load(&replica.overlay, &key)?.map_or(0, |account| account.aside.quarantined);
    if decision.quantity > held {
        let (sku, unit) = (&decision.sku, decision.unit.as_str());
        let message = format!("{} {unit} of {sku} cannot leave quarantine: {held} are there", decision.quantity);
        return Err(Refusal::State(message).into());
    }
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::Decision(decision)])?[0])
}
