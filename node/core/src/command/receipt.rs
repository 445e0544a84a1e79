//! A basket becomes a receipt: the sale, what explains it, and what is said of the baskets behind it, in one commit.

use stockroom_crdt::checkout::Checkout;
use stockroom_crdt::checkout::basket::{Basket, BasketStep, Outcome};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, StoreId};
use stockroom_crdt::sale::{ReceiptNumber, Sale};
use stockroom_crdt::scope::Scope;

use super::{Failed, benefits, check_fact, sell};
use crate::books::shifts;
use crate::input::Refusal;
use crate::journal::Place;
use crate::replica::Replica;

/// Writes the receipt of a basket that holds all of its tenders; `waited` if the basket itself was written before.
pub fn receipt(
    replica: &mut Replica,
    store: StoreId,
    (basket, waited): (&Basket, bool),
    (body, staff): (Digest, Code),
) -> Result<(Place, ReceiptNumber), Failed> {
    check_fits(basket)?;
    let till = basket.id.till;
    let shift = shifts::open_shift(&replica.overlay, store, till)?.unwrap_or(0);
    let (place, number) = sell::post(replica, store, (sale(basket), body), Vec::new())?;
    benefits::redeem(replica, store, basket, number)?;
    let checkout = Checkout { shift, receipt: number, ..explanation(basket, waited) };
    let ended = [waited.then_some(basket.id), basket.slip].into_iter().flatten();
    let step = |id| BasketStep { basket: id, outcome: Outcome::Sold(number), till, staff: staff.clone() };
    let steps = ended.map(|id| Fact::BasketStep(step(id)));
    let facts = std::iter::once(Fact::Checkout(checkout)).chain(steps).collect();
    replica.write(&Scope::StoreStock(store), facts)?;
    Ok((place, number))
}

/// Refuses a basket whose receipt could not be read back: asked before a terminal is, since afterwards the receipt must be written.
pub fn check_fits(basket: &Basket) -> Result<(), Refusal> {
    check_fact(&Fact::Sale(sale(basket)), "lines")?;
    check_fact(&Fact::Checkout(explanation(basket, true)), "lines")?;
    check_fact(&Fact::Basket(basket.clone()), "lines")
}

/// Receipt number, day and shift are allotted when it is written.
fn sale(basket: &Basket) -> Sale {
    Sale {
        till_seq: basket.id.number,
        receipt: unnumbered(basket),
        day: 0,
        late: false,
        rung_ms: basket.rung_ms,
        currency: basket.currency,
        cashier: basket.cashier.clone(),
        approver: basket.approver.clone(),
        seller: basket.owner.clone(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        voids: None,
        lines: basket.lines.clone(),
        cash_rounding: basket.cash_rounding,
        tenders: basket.tenders.clone(),
    }
}

fn explanation(basket: &Basket, waited: bool) -> Checkout {
    Checkout {
        receipt: unnumbered(basket),
        shift: 0,
        basket: basket.slip.or(waited.then_some(basket.id)),
        lines: basket.explained.clone(),
        assured: basket.assured.clone(),
    }
}

fn unnumbered(basket: &Basket) -> ReceiptNumber {
    ReceiptNumber { till: basket.id.till, series: u16::MAX, sequence: u64::MAX }
}
