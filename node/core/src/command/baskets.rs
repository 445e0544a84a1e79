//! What becomes of baskets that wait: somebody goes on with one at another till, throws it away, pays a counter's slip, asks another terminal,
//! or releases the goods of a paid slip.

use stockroom_crdt::checkout::basket::{Basket, BasketId, BasketStep, Outcome, Waits};
use stockroom_crdt::checkout::tender::{TenderState, TenderStep};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Digest, StoreId, TillId};
use stockroom_crdt::scope::Scope;

use super::checkout::{shift, standing};
use super::tenders::{self, Payment};
use super::{Failed, earlier, own_store, remember};
use crate::books::baskets::{self as book, ABANDONED, End, Held};
use crate::books::sales;
use crate::input::checkout::{BasketDeed, BasketRequest, CheckoutAnswer};
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::{Place, damaged, entry_at};
use crate::replica::Replica;
use crate::view::View;

/// Does something about a basket. A retry is told where the basket stands by now.
pub fn basket(replica: &mut Replica, retry: RetryKey, request: BasketRequest) -> Result<Answer, Failed> {
    let store = own_store(replica)?;
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        return answer(replica, store, place);
    }
    let place = act(replica, store, request, retry.body)?;
    remember(replica, retry, place, 1);
    answer(replica, store, place)
}

fn act(replica: &mut Replica, store: StoreId, request: BasketRequest, body: Digest) -> Result<Place, Failed> {
    let BasketRequest { basket, till, staff, what } = request;
    let held = book::load(&replica.overlay, store, basket)?;
    let held = held.ok_or(Refusal::Unknown { field: "basket".into(), what: "basket" })?;
    let step = |outcome| Fact::BasketStep(BasketStep { basket, outcome, till, staff: staff.clone() });
    let facts = match what {
        BasketDeed::Resume => {
            still(&held, Waits::Suspended)?;
            vec![step(Outcome::Resume)]
        }
        BasketDeed::Release => {
            may_release(&held)?;
            vec![step(Outcome::Release)]
        }
        BasketDeed::Abandon => {
            still(&held, held.basket.waits)?;
            check_unpaid(replica, store, &held)?;
            let has_money =
                |state| matches!(state, TenderState::Intended | TenderState::Unknown | TenderState::Approved);
            let asked = held.tenders.iter().map(|asked| &asked.last).filter(|last| has_money(last.state));
            let back = |last: &TenderStep| {
                let back = tenders::next(last, TenderState::Reversing, ABANDONED);
                Fact::TenderStep(TenderStep { staff: staff.clone(), ..back })
            };
            let back: Vec<_> = asked.map(back).collect();
            if back.is_empty() { vec![step(Outcome::Abandon)] } else { back }
        }
        BasketDeed::Ask { terminal, kind } => {
            still(&held, Waits::Paying)?;
            if let Some(asking) = held.asking() {
                let message = format!("terminal {} is being asked: wait for its answer", asking.last.terminal);
                return Err(Refusal::State(message).into());
            }
            return tenders::ask(replica, store, &held, ((terminal, kind), staff));
        }
        BasketDeed::Tender { tenders } => {
            still(&held, Waits::Paying)?;
            return tenders::pay_rest(replica, store, &held, (tenders, staff));
        }
        BasketDeed::PaySlip { number, tenders, terminal } => {
            still(&held, Waits::Slip)?;
            check_unpaid(replica, store, &held)?;
            let id = BasketId { till, number };
            check_free(replica, store, id)?;
            let rules = View::new(&replica.overlay).till_rules(store)?;
            let basket = Basket {
                id,
                waits: Waits::Paying,
                cashier: staff,
                slip: Some(held.basket.id),
                shift: shift(replica, store, till, &rules)?,
                rung_ms: replica.now.wall_ms,
                body: body.short(),
                ..held.basket
            };
            let payment = Payment { tenders, terminal, body };
            return tenders::pay(replica, store, basket, payment).map(|(place, _)| place);
        }
    };
    Ok(replica.write(&Scope::StoreStock(store), facts)?[0])
}

/// Where the basket stands that an entry is about.
fn answer(replica: &Replica, store: StoreId, place: Place) -> Result<Answer, Failed> {
    let fact = entry_at(&replica.overlay, place)?.map(|item| item.entry.fact);
    let id = match fact {
        Some(Fact::Sale(sale)) => return Ok(Answer::Checkout(CheckoutAnswer::Paid(sale.receipt))),
        Some(Fact::Basket(basket)) => basket.id,
        Some(Fact::BasketStep(step)) => step.basket,
        Some(Fact::TenderStep(step)) => step.basket,
        _ => return Err(damaged("a basket's retry key names another entry").into()),
    };
    let held = book::load(&replica.overlay, store, id)?.ok_or_else(|| damaged("a basket went away"))?;
    Ok(Answer::Checkout(standing(&held)))
}

/// Refuses a basket that has ended, that is being thrown away, or that waits for something else.
fn still(held: &Held, waits: Waits) -> Result<(), Refusal> {
    match held.end {
        Some(End::Sold(receipt)) => {
            let number = format!("{}-{}-{}", receipt.till.0, receipt.series, receipt.sequence);
            return Err(Refusal::State(format!("it is paid: receipt {number}")));
        }
        Some(End::Resumed(TillId(till))) => {
            return Err(Refusal::State(format!("somebody went on with it at till {till}")));
        }
        Some(End::Abandoned) => return Err(Refusal::State("it was thrown away".into())),
        None => {}
    }
    if held.is_leaving() {
        return Err(Refusal::State("it is being thrown away: a terminal still has to give its money back".into()));
    }
    if held.basket.waits != waits {
        return Err(Refusal::State(format!("it is {}, not {}", held.basket.waits.as_str(), waits.as_str())));
    }
    Ok(())
}

fn may_release(held: &Held) -> Result<(), Refusal> {
    if held.basket.waits != Waits::Slip {
        return Err(Refusal::State("it is not a slip: its goods are with the customer".into()));
    }
    match held.end {
        Some(End::Sold(_)) if held.released => Err(Refusal::State("its goods were released already".into())),
        Some(End::Sold(_)) => Ok(()),
        Some(End::Resumed(_) | End::Abandoned) | None => Err(Refusal::State("it is not paid".into())),
    }
}

/// Refuses a slip that a cash desk is paying.
fn check_unpaid(replica: &Replica, store: StoreId, held: &Held) -> Result<(), Failed> {
    for payer in &held.payers {
        if book::load(&replica.overlay, store, *payer)?.is_some_and(|payer| payer.end.is_none()) {
            return Err(Refusal::State(format!("it is being paid at till {}", payer.till.0)).into());
        }
    }
    Ok(())
}

/// Refuses a till's number that another sale or basket has.
fn check_free(replica: &Replica, store: StoreId, id: BasketId) -> Result<(), Failed> {
    let sold = sales::by_till(&replica.overlay, store, id.till, id.number)?.is_some();
    match sold || book::exists(&replica.overlay, store, id)? {
        true => Err(Refusal::RetryMismatch.into()),
        false => Ok(()),
    }
}
