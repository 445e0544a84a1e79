//! Returns between stores: a hub carries them to the seller and the seller's word back; the seller decides.

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::LineUnits;
use stockroom_crdt::order::returns::judge;
use stockroom_crdt::order::returns::{GoodsReturn, Origin, ReturnGrant, ReturnId, Verdict};
use stockroom_crdt::scope::Scope;

use crate::books::returns as book;
use crate::replica::Replica;
use crate::storage::StoreError;

/// What this node writes about a return.
pub fn follows(replica: &mut Replica, id: ReturnId) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let own = replica.own_store();
    let told = book::told(&replica.overlay, own, id)?;
    let Some(returned) = &told.returned else { return Ok(Vec::new()) };
    let Origin::Receipt(seller, _) = returned.origin else { return Ok(Vec::new()) };
    if seller == id.store {
        return Ok(Vec::new());
    }
    match own {
        None => carried(replica, returned, seller),
        Some(own) if own == seller && told.first(Verdict::Grant).is_none() => decided(replica, returned, seller),
        Some(_) => Ok(Vec::new()),
    }
}

/// Copies that are missing: of the return at its seller, of the seller's word at the store that took the goods.
fn carried(replica: &mut Replica, returned: &GoodsReturn, seller: StoreId) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let at_seller = book::told_at(&replica.overlay, seller, returned.id)?;
    if at_seller.returned.is_none() {
        replica.reached("a return was carried to its seller");
        return Ok(vec![(Scope::StoreOrders(seller), Fact::GoodsReturn(returned.clone()))]);
    }
    let Some(grant) = at_seller.first(Verdict::Grant) else { return Ok(Vec::new()) };
    let at_taker = book::told_at(&replica.overlay, returned.id.store, returned.id)?;
    if at_taker.first(Verdict::Grant).is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![(Scope::StoreOrders(returned.id.store), Fact::ReturnGrant(grant.clone()))])
}

/// The seller's word: as many units as were sold and have not come back, as far as it knows now.
fn decided(replica: &mut Replica, returned: &GoodsReturn, seller: StoreId) -> Result<Vec<(Scope, Fact)>, StoreError> {
    let Origin::Receipt(_, number) = returned.origin else { return Ok(Vec::new()) };
    let receipt = (seller, number);
    let sold = book::sold(&replica.overlay, receipt)?;
    let mut others = book::of_receipt(&replica.overlay, Some(seller), receipt)?;
    // What was paid elsewhere and is not decided yet is judged in the order in which it is heard of: this one first.
    others.retain(|id, told| *id != returned.id && (id.store == seller || told.first(Verdict::Grant).is_some()));
    let (mut lines, mut amount) = (Vec::new(), 0_i64);
    if let Some((sale, sold)) = &sold {
        let left = judge::left(seller, sold, &others);
        for line in &returned.lines {
            let at = usize::from(line.line);
            let is_it = sale.lines.get(at).is_some_and(|held| held.sku == line.sku && held.unit == line.unit);
            let units = left.get(at).map_or(0, |left| line.quantity.min(*left)).max(0);
            if is_it && units > 0 {
                let most = sold[at].part(sold[at].units - left.get(at).copied().unwrap_or(0), units);
                amount = amount.saturating_add(if line.amount > 0 { most.min(line.amount) } else { most });
                lines.push(LineUnits { line: line.line, quantity: units });
            }
        }
    }
    let asked: i64 = returned.lines.iter().map(|line| line.quantity).sum();
    let granted: i64 = lines.iter().map(|line| line.quantity).sum();
    let note = match (&sold, granted < asked) {
        (None, _) => "no such receipt",
        (Some(_), true) => "returned before, or not sold",
        (Some(_), false) => "",
    };
    if granted < asked {
        replica.reached("a return was granted in part or not at all");
    }
    let said = ReturnGrant {
        id: returned.id,
        verdict: Verdict::Grant,
        at_ms: replica.now.wall_ms,
        lines,
        amount,
        day: 0,
        note: Code::parse(note).unwrap_or_default(),
        staff: Code::default(),
    };
    Ok(vec![(Scope::StoreOrders(seller), Fact::ReturnGrant(said))])
}
