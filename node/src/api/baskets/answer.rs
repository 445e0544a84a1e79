//! How a basket is shown: where it stands, what can be done about it now, and how it is paid.

use serde::Serialize;
use stockroom_core::books::baskets::{Asked, End, Held};
use stockroom_crdt::checkout::basket::{Basket, BasketId, Waits};
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};
use utoipa::ToSchema;

use super::none;
use crate::api::checkout::priced::{PricedLine, priced};
use crate::api::loyalty::benefits::{UsedCouponAnswer, UsedPointsAnswer, of_basket, of_receipt};
use crate::api::problem::Answered;
use crate::api::values::{Moment, ReceiptId, Text};
use crate::api::{Books, unexpected_entry};

/// A basket, whatever became of it.
#[derive(Serialize, ToSchema)]
pub struct BasketAnswer {
    /// Its name, `till-till_seq`.
    #[schema(value_type = String, example = "3-17")]
    pub basket: Text<BasketId>,
    /// `paid`, `suspended`, `slip` (to be paid at a cash desk), `paying` (a terminal is asked, or something is left to be paid), `leaving` (it
    /// is thrown away once a terminal has given its money back), `resumed` or `abandoned`.
    state: &'static str,
    /// What can be done about it now: `wait`, `ask`, `tender`, `resume`, `abandon`, `pay`, `release`.
    can: Vec<&'static str>,
    /// The same in words, for whoever stands at the till.
    now: String,
    /// The receipt that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub receipt: Option<Text<ReceiptId>>,
    /// Currency of all amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// What the customer owes, with the rounding of cash.
    total: i64,
    /// Minor units added so that cash can pay the total.
    cash_rounding: i64,
    /// What is left to be paid.
    left: i64,
    /// What is in it, and why each line costs what it costs.
    lines: Vec<PricedLine>,
    /// What was paid: without a terminal, and what terminals took.
    tenders: Vec<TenderAnswer>,
    /// What terminals were asked for, and what they said.
    terminals: Vec<AskedAnswer>,
    /// Coupons that reduced it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coupons: Vec<UsedCouponAnswer>,
    /// Points that it gave and cost; while it waits, those that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<UsedPointsAnswer>,
    /// Who rang it up.
    #[schema(value_type = String)]
    cashier: Text<Code>,
    /// Who approved what needed it; empty if nothing did.
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// When it was rung up.
    #[schema(value_type = String, format = DateTime)]
    rung_at: Text<Moment>,
    /// The concession whose counter wrote the slip; empty for the store's own.
    #[schema(value_type = String)]
    owner: Text<Code>,
    /// The counter's slip that it pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    slip: Option<Text<BasketId>>,
    /// Of a paid slip: the counter has released the goods.
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<bool>,
}

/// A payment, and how sure it is.
#[derive(Serialize, ToSchema)]
#[schema(as = AssuredTender)]
pub struct TenderAnswer {
    /// `cash`, `card`, `voucher` or `other`.
    #[schema(value_type = String)]
    kind: Text<TenderKind>,
    /// Minor units.
    amount: i64,
    /// Under which whoever took it knows it.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// `cash`, `captured`, `offline` or `seen`.
    #[schema(value_type = String)]
    assurance: Text<Assurance>,
    /// Who bears the loss if it is refused after all; only for `offline`.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<String>,
}

/// What a terminal was asked for, and what it said.
#[derive(Serialize, ToSchema)]
#[schema(as = AskedTender)]
pub struct AskedAnswer {
    /// Its number in the basket, from 1.
    number: u16,
    /// Which terminal.
    #[schema(value_type = String)]
    terminal: Text<Code>,
    /// `card`, or `other` for a wallet's code.
    #[schema(value_type = String)]
    kind: Text<TenderKind>,
    /// Minor units that it was asked for.
    asked: i64,
    /// Minor units that it took; absent unless it has approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    took: Option<i64>,
    /// `intended`, `unknown`, `approved`, `declined`, `reversing` or `reversed`.
    state: &'static str,
    /// Its approval code, or why it declined.
    #[schema(value_type = String)]
    said: Text<Code>,
    /// Under which it knows the tender for ever.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// When it was to be asked.
    #[schema(value_type = String, format = DateTime)]
    since: Text<Moment>,
}

impl BasketAnswer {
    /// Something is left to be done before it is over: paid, or given back.
    pub fn is_open(&self) -> bool {
        self.state == PAYING || self.state == LEAVING
    }

    /// A basket by its name: one that waits or waited, or a sale of that number that never waited.
    pub fn find(books: &Books<'_>, store: StoreId, id: BasketId) -> Answered<Self> {
        if let Some(held) = books.basket(store, id)? {
            return Self::of(books, store, &held);
        }
        let place = books.sale_by_till(store, id.till, id.number)?;
        let fact = place.map(|place| books.entry(place)).transpose()?.flatten().map(|entry| entry.fact);
        match fact {
            Some(Fact::Sale(sale)) => Self::sold(books, store, sale.receipt),
            Some(_) => unexpected_entry(),
            None => Err(none(id)),
        }
    }

    /// What became a receipt.
    pub fn sold(books: &Books<'_>, store: StoreId, receipt: ReceiptNumber) -> Answered<Self> {
        let place = books.sale_by_receipt(store, receipt)?;
        let entry = place.map(|place| books.entry(place)).transpose()?.flatten();
        let Some(Fact::Sale(sale)) = entry.map(|entry| entry.fact) else { return unexpected_entry() };
        let checkout = books.explained(store, receipt)?;
        let (explained, assured) = checkout.map_or_else(Default::default, |it| (it.lines, it.assured));
        let id = BasketId { till: receipt.till, number: sale.till_seq };
        let held = books.basket(store, id)?;
        let total = sale.total();
        let (coupons, points) = of_receipt(books, store, receipt)?;
        Ok(Self {
            basket: Text(id),
            state: PAID,
            can: Vec::new(),
            now: "it is paid".into(),
            receipt: Some(Text(ReceiptId { store, number: receipt })),
            currency: Text(sale.currency),
            total,
            cash_rounding: sale.cash_rounding,
            left: total.saturating_sub(sale.paid()),
            lines: priced(books, store, &sale.lines, &explained)?,
            tenders: tenders(books, store, &sale.tenders, &assured)?,
            terminals: held.iter().flat_map(|held| &held.tenders).map(AskedAnswer::of).collect(),
            coupons,
            points,
            cashier: Text(sale.cashier),
            approver: Text(sale.approver),
            rung_at: Text(Moment(sale.rung_ms)),
            owner: Text(sale.seller),
            slip: held.and_then(|held| held.basket.slip).map(Text),
            released: None,
        })
    }

    /// Where a basket stands.
    pub fn of(books: &Books<'_>, store: StoreId, held: &Held) -> Answered<Self> {
        let Basket { id, currency, cash_rounding, rung_ms, slip, .. } = held.basket;
        let is_slip = held.basket.waits == Waits::Slip;
        if let (Some(End::Sold(receipt)), false) = (held.end, is_slip) {
            return Self::sold(books, store, receipt);
        }
        let (state, can, now) = standing(held);
        let receipt = match held.end {
            Some(End::Sold(receipt)) => Some(Text(ReceiptId { store, number: receipt })),
            Some(End::Resumed(_) | End::Abandoned) | None => None,
        };
        let (mut paid, mut assured) = (held.basket.tenders.clone(), held.basket.assured.clone());
        for step in held.approved() {
            paid.push(Tender { kind: step.kind, amount: step.amount, reference: step.reference.clone() });
            assured.push(step.assurance);
        }
        let (coupons, points) = of_basket(books, &held.basket.holds)?;
        Ok(Self {
            basket: Text(id),
            state,
            can,
            now,
            currency: Text(currency),
            total: held.basket.total(),
            cash_rounding,
            left: if receipt.is_some() { 0 } else { held.left() },
            receipt,
            lines: priced(books, store, &held.basket.lines, &held.basket.explained)?,
            tenders: tenders(books, store, &paid, &assured)?,
            terminals: held.tenders.iter().map(AskedAnswer::of).collect(),
            coupons,
            points,
            cashier: Text(held.basket.cashier.clone()),
            approver: Text(held.basket.approver.clone()),
            rung_at: Text(Moment(rung_ms)),
            owner: Text(held.basket.owner.clone()),
            slip: slip.map(Text),
            released: (is_slip && matches!(held.end, Some(End::Sold(_)))).then_some(held.released),
        })
    }
}

/// How a basket stands, what can be done about it, and that in words.
fn standing(held: &Held) -> (&'static str, Vec<&'static str>, String) {
    let left = held.left();
    match (held.end, held.basket.waits) {
        (Some(End::Sold(_)), Waits::Slip) if !held.released => {
            (PAID, vec!["release"], "it is paid: release its goods at the counter".into())
        }
        (Some(End::Sold(_)), _) => (PAID, Vec::new(), "it is paid".into()),
        (Some(End::Resumed(till)), _) => {
            ("resumed", Vec::new(), format!("somebody went on with it at till {}", till.0))
        }
        (Some(End::Abandoned), _) => ("abandoned", Vec::new(), "it was thrown away".into()),
        (None, _) if held.is_leaving() => {
            (LEAVING, vec!["wait"], "it is being thrown away: a terminal still has to give its money back".into())
        }
        (None, Waits::Suspended) => ("suspended", vec!["resume", "abandon"], "it waits for the customer".into()),
        (None, Waits::Slip) => ("slip", vec!["pay", "abandon"], format!("{left} are to be paid at a cash desk")),
        (None, Waits::Paying) => match (held.asking(), held.tenders.last()) {
            (Some(asking), _) => {
                let name = &asking.last.terminal;
                let now = match asking.last.state {
                    TenderState::Unknown => format!(
                        "terminal {name} does not say what it did: it is asked again by itself. Wait, take {left} otherwise, or throw the basket \
                         away; what it took is given back then"
                    ),
                    TenderState::Intended
                    | TenderState::Approved
                    | TenderState::Declined
                    | TenderState::Reversing
                    | TenderState::Reversed => format!("terminal {name} is being asked: wait for the customer"),
                };
                (PAYING, vec!["wait", "tender", "abandon"], now)
            }
            (None, Some(Asked { last, .. })) => {
                let (name, said) = (&last.terminal, &last.said);
                let heard = match last.state {
                    TenderState::Approved => format!("terminal {name} took only {}", last.amount),
                    TenderState::Intended
                    | TenderState::Unknown
                    | TenderState::Declined
                    | TenderState::Reversing
                    | TenderState::Reversed => format!("terminal {name} took nothing ({said})"),
                };
                let now = format!("{heard}: ask a terminal again, take {left} otherwise, or throw the basket away");
                (PAYING, vec!["ask", "tender", "abandon"], now)
            }
            (None, None) => (PAYING, vec!["ask", "tender", "abandon"], format!("{left} are left to be paid")),
        },
    }
}

fn tenders(books: &Books<'_>, store: StoreId, paid: &[Tender], assured: &[Assurance]) -> Answered<Vec<TenderAnswer>> {
    let bearer = books.till_rules(store)?.floor_bearer;
    let each = |(tender, assurance): (&Tender, &Assurance)| TenderAnswer {
        kind: Text(tender.kind),
        amount: tender.amount,
        reference: Text(tender.reference.clone()),
        assurance: Text(*assurance),
        bearer: (*assurance == Assurance::Offline).then(|| bearer.as_str().to_owned()),
    };
    Ok(paid.iter().zip(assured).map(each).collect())
}

impl AskedAnswer {
    fn of(asked: &Asked) -> Self {
        let last = &asked.last;
        Self {
            number: last.number,
            terminal: Text(last.terminal.clone()),
            kind: Text(last.kind),
            asked: asked.amount,
            took: (last.state == TenderState::Approved).then_some(last.amount),
            state: last.state.as_str(),
            said: Text(last.said.clone()),
            reference: Text(last.reference.clone()),
            since: Text(Moment(asked.since_ms)),
        }
    }
}

const PAID: &str = "paid";
const PAYING: &str = "paying";
const LEAVING: &str = "leaving";
