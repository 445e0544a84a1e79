//! How a basket is paid. Without a terminal its sale is written at once. With one, the intent is written first; each word of the terminal is
//! written when it comes, and the word that covers the total writes the sale in the same commit.
//!
//! A terminal that has money for which there is no sale is told to give it back, whatever went wrong: the answer came after the basket was
//! thrown away or paid otherwise, it took too much, or it approved alone what its bank should have been asked for.

use stockroom_crdt::checkout::basket::{Basket, BasketStep, Outcome, Waits};
use stockroom_crdt::checkout::tender::{Assurance, TenderState, TenderStep};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, StoreId};
use stockroom_crdt::limits::{AMOUNT_MAX, TENDERS_MAX};
use stockroom_crdt::sale::{Tender, TenderKind};
use stockroom_crdt::scope::Scope;

use super::checkout::standing;
use super::receipt::{check_fits, receipt};
use super::{Failed, benefits, cover, own_store};
use crate::books::baskets::{self, Held};
use crate::input::checkout::{CheckoutAnswer, TerminalSaid};
use crate::input::{Answer, Refusal};
use crate::journal::{Place, damaged};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::view::View;

/// How somebody pays.
pub struct Payment {
    /// What is there, and how sure it is.
    pub tenders: Vec<(Tender, Assurance)>,
    /// Which terminal brings the rest, and whether by card or by a wallet's code.
    pub terminal: Option<(Code, TenderKind)>,
    /// SHA-256 of the request.
    pub body: Digest,
}

/// Pays a basket that was never tried to be paid: sells it, or asks a terminal for what is left.
pub fn pay(
    replica: &mut Replica,
    store: StoreId,
    mut basket: Basket,
    payment: Payment,
) -> Result<(Place, CheckoutAnswer), Failed> {
    let mut payment = payment;
    benefits::take_points(replica, store, &mut basket, &mut payment.tenders)?;
    let (total, only_here) = (basket.total(), payment.terminal.is_none());
    let rules = View::new(&replica.overlay).till_rules(store)?;
    if only_here && payment.tenders.iter().all(|(tender, _)| tender.kind == TenderKind::Cash) {
        basket.cash_rounding = cover::rounding(&rules, total);
    }
    cover::check(&payment.tenders, basket.total())?;
    (basket.tenders, basket.assured) = payment.tenders.into_iter().unzip();
    let due = basket.due();
    let Some(terminal) = payment.terminal else {
        cover::exactly(due)?;
        let staff = basket.cashier.clone();
        let (place, number) = receipt(replica, store, (&basket, false), (payment.body, staff))?;
        return Ok((place, CheckoutAnswer::Paid(number)));
    };
    cover::rest(&basket.tenders, due)?;
    basket.waits = Waits::Paying;
    let intent = intent(replica, store, (&basket, 1), (terminal, due, basket.cashier.clone()))?;
    check_fits(&paid(&basket, std::iter::once(&intent)))?;
    let id = basket.id;
    let places = replica.write(&Scope::StoreStock(store), vec![Fact::Basket(basket), Fact::TenderStep(intent)])?;
    Ok((places[0], CheckoutAnswer::Ask { basket: id, number: 1 }))
}

/// Asks a terminal for what is left of a basket, under the next number.
pub fn ask(
    replica: &mut Replica,
    store: StoreId,
    held: &Held,
    (terminal, staff): ((Code, TenderKind), Code),
) -> Result<Place, Failed> {
    let left = held.left();
    cover::rest(&held.basket.tenders, left)?;
    let tries = held.tenders.iter().map(|asked| asked.last.number).max().unwrap_or(0);
    if held.basket.tenders.len() + usize::from(tries) >= TENDERS_MAX {
        return Err(
            Refusal::State("terminals were asked too often for it: take it out and ring it up anew".into()).into()
        );
    }
    let intent = intent(replica, store, (&held.basket, tries + 1), (terminal, left, staff))?;
    check_fits(&paid(&held.basket, held.approved().chain([&intent])))?;
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::TenderStep(intent)])?[0])
}

/// Pays what is left without a terminal. One that was asked and has not answered is told to give back what it may have taken.
pub fn pay_rest(
    replica: &mut Replica,
    store: StoreId,
    held: &Held,
    (mut tenders, staff): (Vec<(Tender, Assurance)>, Code),
) -> Result<Place, Failed> {
    let mut basket = paid(&held.basket, held.approved());
    benefits::take_points(replica, store, &mut basket, &mut tenders)?;
    let is_cash = |kind: TenderKind| kind == TenderKind::Cash;
    let only_cash = tenders.iter().all(|(tender, _)| is_cash(tender.kind));
    if only_cash && basket.tenders.iter().all(|tender| is_cash(tender.kind)) {
        let rules = View::new(&replica.overlay).till_rules(store)?;
        basket.cash_rounding = cover::rounding(&rules, basket.total());
    }
    cover::check(&tenders, basket.due())?;
    for (tender, assurance) in tenders {
        basket.tenders.push(tender);
        basket.assured.push(assurance);
    }
    cover::exactly(basket.due())?;
    check_fits(&basket)?;
    if let Some(asking) = held.asking() {
        replica.reached("a basket was paid otherwise while a terminal was asked");
        let step = next(&asking.last, TenderState::Reversing, OTHERWISE);
        replica
            .write(&Scope::StoreStock(store), vec![Fact::TenderStep(TenderStep { staff: staff.clone(), ..step })])?;
    }
    receipt(replica, store, (&basket, true), (Digest::of(&[&basket.body]), staff)).map(|(place, _)| place)
}

/// Takes a terminal's word. A late word, and one that is said again, changes nothing, unless the terminal has money that it must give back.
pub fn terminal_said(replica: &mut Replica, said: TerminalSaid) -> Result<Answer, Failed> {
    let store = own_store(replica)?;
    let unknown = |field: &str, what| Refusal::Unknown { field: field.into(), what };
    let held = baskets::load(&replica.overlay, store, said.basket)?.ok_or_else(|| unknown("basket", "basket"))?;
    let last = held.tender(said.number).ok_or_else(|| unknown("number", "tender"))?.last.clone();
    let written = match said.state {
        TenderState::Approved => approved(replica, store, (&held, &last), &said)?,
        TenderState::Unknown => word(replica, store, &last, &said)?,
        TenderState::Declined => match last.state {
            TenderState::Reversing => reversed(replica, store, &held, vec![last])?,
            _ => word(replica, store, &last, &said)?,
        },
        TenderState::Reversed => match last.state {
            TenderState::Reversing => reversed(replica, store, &held, vec![last])?,
            TenderState::Approved if held.end.is_none() => {
                let reversing = next(&last, TenderState::Reversing, BY_ITSELF);
                reversed(replica, store, &held, vec![reversing.clone(), reversing])?
            }
            // It gave the money back by itself: as if it had not taken it.
            _ => word(replica, store, &last, &TerminalSaid { state: TenderState::Declined, ..said.clone() })?,
        },
        TenderState::Intended | TenderState::Reversing => {
            return Err(Refusal::invalid("state", "is not what a terminal says").into());
        }
    };
    if !written {
        replica.reached("a terminal's word changed nothing");
    }
    let held = baskets::load(&replica.overlay, store, said.basket)?;
    Ok(Answer::Checkout(standing(&held.ok_or_else(|| damaged("a basket went away"))?)))
}

/// A tender one step on, for a reason of ours.
pub fn next(last: &TenderStep, state: TenderState, why: &str) -> TenderStep {
    let said = Code::parse(why).unwrap_or_default();
    TenderStep { state, said, ..last.clone() }
}

/// The terminal has the money.
fn approved(
    replica: &mut Replica,
    store: StoreId,
    (held, last): (&Held, &TenderStep),
    said: &TerminalSaid,
) -> Result<bool, Failed> {
    let amount = said.amount.unwrap_or(last.amount);
    if !(1..=AMOUNT_MAX).contains(&amount) {
        return Err(Refusal::invalid("amount", format!("is not between 1 and {AMOUNT_MAX}")).into());
    }
    if said.assurance == Assurance::Cash {
        return Err(Refusal::invalid("assurance", "is cash, but a terminal takes none").into());
    }
    // What somebody enters is what somebody saw.
    let assurance = if said.staff.is_empty() { said.assurance } else { Assurance::Seen };
    let taken = TenderStep {
        state: TenderState::Approved,
        amount,
        said: said.said.clone(),
        assurance,
        staff: said.staff.clone(),
        ..last.clone()
    };
    if last.state == TenderState::Declined {
        replica.reached("a terminal approved what it had declined");
        let back = next(&taken, TenderState::Reversing, LATE);
        return write(replica, store, vec![back]);
    }
    if !last.state.may_become(TenderState::Approved) {
        return Ok(false);
    }
    let floor = View::new(&replica.overlay).till_rules(store)?.floor_limit;
    let objection = if held.end.is_some() || held.is_leaving() {
        Some(LATE)
    } else if amount > held.left() {
        Some(TOO_MUCH)
    } else if assurance == Assurance::Offline && amount > floor {
        Some(FLOOR)
    } else {
        None
    };
    if let Some(why) = objection {
        replica.reached("an approval was given back");
        let back = next(&taken, TenderState::Reversing, why);
        return write(replica, store, vec![taken, back]);
    }
    let covered = amount == held.left();
    if !covered || !planted(Plant::SaleWithoutTender) {
        write(replica, store, vec![taken.clone()])?;
    }
    if covered {
        let basket = paid(&held.basket, held.approved().chain([&taken]));
        let staff = held.basket.cashier.clone();
        receipt(replica, store, (&basket, true), (Digest::of(&[&basket.body]), staff))?;
    }
    Ok(true)
}

/// Something else than an approval, where it still matters.
fn word(replica: &mut Replica, store: StoreId, last: &TenderStep, said: &TerminalSaid) -> Result<bool, Failed> {
    if !last.state.may_become(said.state) {
        return Ok(false);
    }
    let (said_code, staff) = (said.said.clone(), said.staff.clone());
    write(replica, store, vec![TenderStep { state: said.state, said: said_code, staff, ..last.clone() }])
}

/// The terminal gave the money back, or never took it. The last of several that does so ends a basket that is thrown away.
fn reversed(replica: &mut Replica, store: StoreId, held: &Held, mut steps: Vec<TenderStep>) -> Result<bool, Failed> {
    if let Some(last) = steps.last_mut() {
        last.state = TenderState::Reversed;
        let this = last.number;
        let is_other = |step: &TenderStep| step.number != this;
        let others = held.tenders.iter().map(|asked| &asked.last).filter(|step| is_other(step));
        let holds_money = |step: &TenderStep| step.state.is_open() || step.state == TenderState::Approved;
        if held.is_leaving() && !others.into_iter().any(holds_money) {
            let (basket, till) = (held.basket.id, held.basket.id.till);
            let step = BasketStep { basket, outcome: Outcome::Abandon, till, staff: last.staff.clone() };
            write(replica, store, steps)?;
            replica.write(&Scope::StoreStock(store), vec![Fact::BasketStep(step)])?;
            return Ok(true);
        }
    }
    write(replica, store, steps)
}

fn write(replica: &mut Replica, store: StoreId, steps: Vec<TenderStep>) -> Result<bool, Failed> {
    replica.write(&Scope::StoreStock(store), steps.into_iter().map(Fact::TenderStep).collect())?;
    Ok(true)
}

/// A basket with what terminals took among its tenders.
fn paid<'a>(basket: &Basket, taken: impl Iterator<Item = &'a TenderStep>) -> Basket {
    let mut basket = basket.clone();
    for step in taken {
        let tender = Tender { kind: step.kind, amount: step.amount, reference: step.reference.clone() };
        basket.tenders.push(tender);
        basket.assured.push(step.assurance);
    }
    basket
}

/// What is written before a terminal is asked. The reference follows from the request alone: a till that sends it again to a node that was
/// set back meets what the terminal did the first time.
fn intent(
    replica: &Replica,
    store: StoreId,
    (basket, number): (&Basket, u16),
    ((terminal, kind), amount, staff): ((Code, TenderKind), i64, Code),
) -> Result<TenderStep, Refusal> {
    if terminal.is_empty() {
        return Err(Refusal::invalid("terminal", "is empty"));
    }
    if !matches!(kind, TenderKind::Card | TenderKind::Other) {
        return Err(Refusal::invalid("kind", format!("is {}, but a terminal takes cards and codes", kind.as_str())));
    }
    let id = basket.id;
    let name = Digest::of(&[
        b"tender",
        &replica.me.tenant.0,
        &store.0.to_be_bytes(),
        &id.till.0.to_be_bytes(),
        &id.number.to_be_bytes(),
        &number.to_be_bytes(),
        &basket.body,
    ]);
    let reference: String = name.0.iter().take(REFERENCE_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let reference = Code::parse(&reference).map_err(|error| Refusal::invalid("terminal", error))?;
    Ok(TenderStep {
        basket: id,
        number,
        state: TenderState::Intended,
        kind,
        amount,
        reference,
        terminal,
        said: Code::default(),
        assurance: Assurance::Captured,
        staff,
    })
}

/// Why we have a tender given back, besides that nobody buys the basket.
const OTHERWISE: &str = "paid otherwise";
const LATE: &str = "too late";
const TOO_MUCH: &str = "more than is due";
const FLOOR: &str = "above the floor limit";
const BY_ITSELF: &str = "given back by itself";

/// 24 hexadecimal digits: no two tenders of a chain meet, and terminals take as many.
const REFERENCE_BYTES: usize = 12;
