//! Reading returns: where one stands, and everything about a receipt.

use std::collections::BTreeMap;

use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::redress::{Rule, redress_id};
use stockroom_crdt::order::resolve::resolve;
use stockroom_crdt::order::returns::judge::{Outcome, State, judge};
use stockroom_crdt::order::returns::{GoodsReturn, Origin, ReturnId};
use stockroom_crdt::sale::ReceiptNumber;

use super::View;
use crate::books::{orders, returns as book};
use crate::storage::{Snapshot, StoreError};

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// A return and where it stands; `own` is the store of this node, if it has one.
    pub fn return_outcome(
        &self,
        own: Option<StoreId>,
        id: ReturnId,
    ) -> Result<Option<(GoodsReturn, Outcome)>, StoreError> {
        let told = book::told(self.snapshot, own, id)?;
        let Some(returned) = told.returned.clone() else { return Ok(None) };
        let outcome = match returned.origin {
            Origin::Receipt(seller, number) => {
                self.receipt_returns(own, (seller, number))?.remove(&id).unwrap_or_else(|| waiting(&returned))
            }
            Origin::Order(order) => self.of_order(&returned, order)?,
            Origin::Nothing => of_manager(&returned, told.paid()),
        };
        Ok(Some((returned, outcome)))
    }

    /// What all returns of a receipt add up to, as far as they are known here.
    pub fn receipt_returns(
        &self,
        own: Option<StoreId>,
        (seller, number): (StoreId, ReceiptNumber),
    ) -> Result<BTreeMap<ReturnId, Outcome>, StoreError> {
        let told = book::of_receipt(self.snapshot, own, (seller, number))?;
        let sold = book::sold(self.snapshot, (seller, number))?.map(|(_, sold)| sold);
        // Another store than the seller may hold the sale and not all returns of it: there the seller's word is what counts.
        let sold = sold.filter(|_| own.is_none_or(|own| own == seller));
        Ok(judge(seller, sold.as_deref(), &told))
    }

    /// An order's home pays back what comes of it.
    fn of_order(&self, returned: &GoodsReturn, order: stockroom_crdt::order::OrderId) -> Result<Outcome, StoreError> {
        let Some(resolved) = resolve(&orders::known(self.snapshot, order)?) else { return Ok(waiting(returned)) };
        let mut out = waiting(returned);
        for line in &returned.lines {
            let due_id = redress_id(order, (Rule::GoodsBack, line.line), vec![returned.said().short()]);
            let Some(due) = resolved.due.iter().find(|due| due.id == due_id) else { continue };
            out.granted.push(stockroom_crdt::order::LineUnits { line: line.line, quantity: due.units });
            out.refund += due.amount;
            out.paid += if due.done { due.amount } else { 0 };
        }
        (out.state, out.why) = match (out.granted.is_empty(), out.paid < out.refund) {
            (true, _) => (State::Refused, "the customer did not have these units of the order: nothing is due".into()),
            (false, true) => (State::Granted, format!("the order's home pays back {}", out.refund - out.paid)),
            (false, false) => (State::Paid, format!("the order's home paid back {}", out.paid)),
        };
        Ok(out)
    }
}

fn waiting(returned: &GoodsReturn) -> Outcome {
    Outcome {
        id: returned.id,
        state: State::Pending,
        granted: Vec::new(),
        over: Vec::new(),
        refund: 0,
        paid: 0,
        loss: 0,
        bearer: String::new(),
        why: "where the goods were bought has not decided yet: the refund is pending".into(),
    }
}

/// Without a receipt a manager decided.
fn of_manager(returned: &GoodsReturn, paid: i64) -> Outcome {
    let amount = returned.amount();
    let units = |line: &stockroom_crdt::order::returns::ReturnLine| stockroom_crdt::order::LineUnits {
        line: line.line,
        quantity: line.quantity,
    };
    Outcome {
        state: if paid >= amount { State::Paid } else { State::Granted },
        granted: returned.lines.iter().map(units).collect(),
        refund: amount,
        paid,
        why: format!("taken without a receipt on the word of {}", returned.approver),
        ..waiting(returned)
    }
}
