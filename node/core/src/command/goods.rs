//! Goods that come in, and corrections.

use std::collections::BTreeSet;

use stockroom_crdt::entry::Fact;
use stockroom_crdt::limits::LINES_MAX;
use stockroom_crdt::receiving::{Adjustment, GoodsReceipt};
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, check_known, check_quantity, own_store};
use crate::input::Refusal;
use crate::journal::Place;
use crate::replica::Replica;

/// Books goods in.
pub fn receive(replica: &mut Replica, receipt: GoodsReceipt) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    if receipt.lines.is_empty() || receipt.lines.len() > LINES_MAX {
        return Err(Refusal::invalid("lines", format!("a goods receipt has 1 to {LINES_MAX} lines")).into());
    }
    let mut seen = BTreeSet::new();
    for (index, line) in receipt.lines.iter().enumerate() {
        let field = format!("lines[{index}]");
        check_quantity(&format!("{field}.quantity"), line.quantity, 1)?;
        check_known(replica, &field, &line.sku, line.unit)?;
        if !seen.insert((&line.sku, &line.lot, line.expiry_day)) {
            return Err(Refusal::invalid(format!("{field}.sku"), "stands twice with the same lot and expiry").into());
        }
    }
    let fact = Fact::GoodsReceipt(receipt);
    check_fact(&fact, "lines")?;
    Ok(replica.write(&Scope::StoreStock(store), vec![fact])?[0])
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
    check_quantity("delta", adjustment.delta.saturating_abs(), 1)?;
    check_known(replica, "adjustment", &adjustment.sku, adjustment.unit)?;
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::Adjustment(adjustment)])?[0])
}
