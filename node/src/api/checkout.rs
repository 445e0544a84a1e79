//! Checkout: this node prices a basket by the tables in force at its store, and it is then paid, put aside, or put on a counter's slip, all at
//! once or not at all. Its number at its till is its retry key, as for a sale.

pub mod priced;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use stockroom_core::input::checkout::{CheckoutAnswer as Outcome, CheckoutRequest, Then};
use stockroom_core::input::{Answer, Command, Refusal};
use stockroom_core::view::ScanError;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::{Code, Digest, MemberId, Sku, StoreId, TillId};
use stockroom_crdt::limits::{LINES_MAX, TENDERS_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};
use utoipa::ToSchema;

use super::baskets::answer::BasketAnswer;
use super::baskets::settle;
use super::goods::{check_quantity, packs};
use super::idempotency::done;
use super::limits::{TERMINAL_WAIT_S, TERMINAL_WAIT_S_MAX};
use super::problem::{Answered, Problem};
use super::request::Body;
use super::values::{Day, Moment, Text, Word, now_ms};
use super::who::{SessionHeader, Shown, Who};
use super::{Api, Books, unexpected};
use crate::staff::approvals::What;
use priced::QuoteAnswer;

/// A basket. `till` and `till_seq` are its identity: the same number with the same body is a retry.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutBody {
    /// Which till.
    till: u32,
    /// The till's own number of the sale; see `/v1/tills/{till}` for the next one. Only a quote needs none.
    till_seq: Option<u64>,
    /// What becomes of it: `quote` (it is only priced, and nothing is written), `pay`, `suspend` (it waits for the customer) or `slip` (a
    /// concession's counter rang it up; it is paid at a cash desk).
    #[schema(value_type = String, example = "pay")]
    then: Text<Wish>,
    /// When it was rung up; now if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    rung_at: Option<Text<Moment>>,
    /// Who sells.
    #[serde(default)]
    #[schema(value_type = String)]
    cashier: Text<Code>,
    /// Who approved what a cashier may not do alone, where her name alone is believed.
    #[serde(default)]
    #[schema(value_type = String)]
    approver: Text<Code>,
    /// What `/v1/approvals` gave for `checkout`: it names the approver.
    approval: Option<String>,
    /// The cashier looked at a document, or at the customer, where the buyer's age matters.
    #[serde(default)]
    age_checked: bool,
    /// The customer's account, if she is a member: it earns points, and prices for members are hers.
    #[schema(value_type = Option<String>, example = "00c0ffee00c0ffee")]
    member: Option<Text<MemberId>>,
    /// Further accounts that are hers, whose points may pay as well.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    accounts: Vec<Text<MemberId>>,
    /// Codes of the coupons that she shows.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    coupons: Vec<Text<Code>>,
    /// For `quote`: how many points she wants to pay with. They pay as a tender of kind `points`.
    points: Option<u64>,
    /// 1 to 1,000 lines.
    lines: Vec<BasketLineBody>,
    /// What the customer was told, but for the rounding of cash. If it costs something else by now nothing is done, and the answer has the new
    /// prices.
    expected_total: Option<i64>,
    /// For `pay`: what is there without a terminal of this node. Change is a negative cash tender.
    #[serde(default)]
    tenders: Vec<PaidBody>,
    /// For `pay`: the terminal that is asked for what the tenders leave. Without one they have to cover the total.
    terminal: Option<TerminalBody>,
    /// For `slip`: which concession.
    #[serde(default)]
    #[schema(value_type = String)]
    owner: Text<Code>,
    /// How long the answer waits for the terminal's, seconds, 0 to 12; 10 if absent. After that ask `/v1/baskets/{basket}`.
    wait_s: Option<u64>,
}

/// What becomes of a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is priced.
    Quote,
    /// It is paid.
    Pay,
    /// It waits.
    Suspend,
    /// It is paid at a cash desk.
    Slip,
}

/// One line of a basket.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BasketLine)]
pub struct BasketLineBody {
    /// What; either this or `code`.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A scanned code; may stand for a pack, or carry a weight or a price.
    code: Option<String>,
    /// Pieces or grams; scans of a `code`, then 1 if absent. Negative for goods that come back without their receipt, at today's price, which
    /// needs an approver; what was paid on a receipt is given back by `/v1/returns` and `/v1/exchanges`.
    quantity: Option<i64>,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// Minor units per piece or per kilogram, as somebody entered them: needs an approver where the price book says something else. No
    /// promotion takes anything from it. The price book's if absent.
    unit_price: Option<i64>,
    /// Minor units that somebody takes off after all promotions, in the sign of the quantity.
    #[serde(default)]
    discount: i64,
    /// Why.
    #[serde(default)]
    #[schema(value_type = String)]
    discount_reason: Text<Code>,
    /// Lot, where the code told it.
    #[serde(default)]
    #[schema(value_type = String)]
    lot: Text<Code>,
    /// Best before, where the code told it.
    #[schema(value_type = Option<String>, format = Date)]
    expires: Option<Text<Day>>,
    /// What becomes of goods that come back: `resale`, `quarantine` or `scrap`.
    #[serde(default)]
    #[schema(value_type = String, example = "resale")]
    disposition: Text<Disposition>,
}

/// A payment that is there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaidTender)]
pub struct PaidBody {
    /// `cash`, `card`, `voucher`, `points` or `other`. Points are given in money: what they are worth, and how sure they are, is found here.
    #[schema(value_type = String, example = "cash")]
    kind: Text<TenderKind>,
    /// Minor units.
    amount: i64,
    /// Under which whoever took it knows it.
    #[serde(default)]
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// How sure the money is: `captured` (confirmed by who pays), `offline` (approved without asking) or `seen` (somebody looked at it, also
    /// if absent). Cash is `cash`.
    #[schema(value_type = Option<String>)]
    assurance: Option<Text<Assurance>>,
}

/// A terminal that is asked for what is left.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AskTerminal)]
pub struct TerminalBody {
    /// Its name in this node's configuration.
    #[schema(value_type = String, example = "lane-1")]
    name: Text<Code>,
    /// `card`, or `other` for a wallet's code; `card` if absent.
    #[schema(value_type = Option<String>)]
    kind: Option<Text<TenderKind>>,
}

/// Prices a basket and does with it what was asked for. Nothing of it is written unless all of it is. When a terminal is asked, its intent is
/// durable first, and the answer waits for the terminal's for a while: 202 says that it has not come, and where to ask.
#[utoipa::path(post, path = "/v1/checkout", tag = "checkout", params(SessionHeader), request_body = CheckoutBody, responses(
    (status = 201, body = BasketAnswer, description = "It is paid, or waits as it was asked to"),
    (status = 200, body = QuoteAnswer, description = "It was only priced; or, as for 201, an earlier try had done it"),
    (status = 202, body = BasketAnswer, description = "It is not paid yet: the terminal was asked, or has declined")))]
pub async fn checkout(State(api): State<Arc<Api>>, who: Who, Body { value, digest }: Body<CheckoutBody>) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let wait = wait(value.wait_s)?;
    let (request, replayed) = api.read(|books| value.read((&api, books, store), digest, &who))?;
    let events = api.handle.events();
    let outcome = match api.handle.ask(Command::Checkout(Box::new(request))).await? {
        Ok(Answer::Checkout(outcome)) => outcome,
        Ok(answer) => return unexpected(&answer),
        Err(Refusal::PriceChanged(quote)) => {
            let changed = api.read(|books| QuoteAnswer::changed(books, store, &quote))?;
            return Err(Problem::price_changed(changed));
        }
        Err(refusal) => return Err(as_asked(refusal.into())),
    };
    match outcome {
        Outcome::Quoted(quoted) => Ok(done(false, api.read(|books| QuoteAnswer::of(books, store, *quoted))?)),
        Outcome::Paid(_) | Outcome::Waits(_) | Outcome::Ended(_) | Outcome::Ask { .. } => {
            let settled = settle(&api, (store, outcome), (events, wait)).await?;
            if !replayed && settled.is_sold() {
                api.metrics.sold();
            }
            Ok(settled.answer(replayed))
        }
    }
}

impl CheckoutBody {
    /// The request that it means, and whether an earlier try had done it: its lines stand in the log then, and neither what its codes mean
    /// today nor who is signed in by now must stop the answer.
    fn read(
        self,
        (api, books, store): (&Api, &Books<'_>, StoreId),
        digest: Digest,
        who: &Who,
    ) -> Answered<(CheckoutRequest, bool)> {
        if !(1..=LINES_MAX).contains(&self.lines.len()) {
            return Err(Problem::invalid("lines", format_args!("are not 1 to {LINES_MAX}")));
        }
        let number = match (self.then.0, self.till_seq) {
            (_, Some(number)) => number,
            (Wish::Quote, None) => 0,
            (Wish::Pay | Wish::Suspend | Wish::Slip, None) => return Err(Problem::invalid("till_seq", "is missing")),
        };
        let basket = BasketId { till: TillId(self.till), number };
        let is_done = self.then.0 != Wish::Quote
            && (books.sale_by_till(store, basket.till, number)?.is_some() || books.basket(store, basket)?.is_some());
        let then = self.then(api)?;
        let at_ms = self.rung_at.as_ref().map_or_else(now_ms, |at| at.0.0);
        let mut request = CheckoutRequest {
            basket,
            body: digest,
            rung_ms: self.rung_at.map(|at| at.0.0),
            cashier: self.cashier.0,
            approver: self.approver.0,
            age_checked: self.age_checked,
            member: self.member.as_ref().map(|it| it.0),
            accounts: self.accounts.iter().map(|it| it.0).collect(),
            coupons: self.coupons.iter().map(|it| it.0.clone()).collect(),
            lines: Vec::new(),
            expected_total: self.expected_total,
            then,
        };
        if is_done {
            return Ok((request, true));
        }
        request.cashier = who.name("cashier", &request.cashier)?;
        if self.then.0 != Wish::Quote {
            let shown = Shown { approver: request.approver, approval: self.approval };
            request.approver = who.approver(api, &shown, (What::Checkout, digest))?;
        }
        let lines = self.lines.into_iter().enumerate();
        request.lines = lines.map(|(at, line)| line.asked((books, store, at_ms), at)).collect::<Answered<_>>()?;
        Ok((request, false))
    }

    /// What becomes of it. Fields that mean nothing for that are refused: somebody meant something by them.
    fn then(&self, api: &Api) -> Answered<Then> {
        let wish = self.then.0;
        let stray = |field: &str| Problem::invalid(field, format_args!("means nothing for {}", wish.as_str()));
        if wish != Wish::Pay && !self.tenders.is_empty() {
            return Err(stray("tenders"));
        }
        if wish != Wish::Pay && self.terminal.is_some() {
            return Err(stray("terminal"));
        }
        if wish != Wish::Quote && self.points.is_some() {
            return Err(stray("points"));
        }
        if wish != Wish::Slip && !self.owner.0.is_empty() {
            return Err(stray("owner"));
        }
        Ok(match wish {
            Wish::Quote => Then::Quote { points: self.points.unwrap_or(0) },
            Wish::Pay => Then::Pay { tenders: paid(&self.tenders)?, terminal: terminal(api, self.terminal.as_ref())? },
            Wish::Suspend => Then::Suspend,
            Wish::Slip if self.owner.0.is_empty() => {
                return Err(Problem::invalid("owner", "is missing: whose counter wrote the slip"));
            }
            Wish::Slip => Then::Slip { owner: self.owner.0.clone() },
        })
    }
}

impl BasketLineBody {
    /// The line that is asked for, after its code was looked up.
    fn asked(self, place: (&Books<'_>, StoreId, u64), index: usize) -> Answered<AskedLine> {
        let (sku, quantity, code_price) = self.goods(place, &|name| format!("lines[{index}].{name}"))?;
        Ok(AskedLine {
            sku,
            unit: self.unit.map(|unit| unit.0),
            quantity,
            code_price,
            entered_price: self.unit_price,
            discount: self.discount,
            discount_reason: self.discount_reason.0,
            lot: self.lot.0,
            expires: self.expires.map(|day| day.0.0),
            original: None,
            disposition: self.disposition.0,
        })
    }

    /// What, how much of it, and the price that its code carries.
    fn goods(
        &self,
        (books, store, at_ms): (&Books<'_>, StoreId, u64),
        field: &dyn Fn(&str) -> String,
    ) -> Answered<(Sku, i64, Option<i64>)> {
        let quantity = self.quantity.unwrap_or(1);
        check_quantity(&field("quantity"), quantity)?;
        let code = match (&self.sku, &self.code) {
            (Some(sku), None) if self.quantity.is_some() => return Ok((sku.0.clone(), quantity, None)),
            (Some(_), None) => return Err(Problem::invalid(field("quantity"), "is missing")),
            (Some(_), Some(_)) => {
                return Err(Problem::invalid(field("code"), "stands beside a sku; one of them is enough"));
            }
            (None, None) => return Err(Problem::invalid(field("sku"), "is missing, and there is no code")),
            (None, Some(code)) => code,
        };
        let scanned = match books.scan(code)? {
            Ok(scanned) => scanned,
            // The goods are in the customer's hands: the code stands for a SKU that is not known yet, and its price has to be entered.
            Err(ScanError::Unknown) => {
                let sku = Sku::parse(code).map_err(|error| Problem::invalid(field("code"), error))?;
                return Ok((sku, quantity, None));
            }
            Err(error @ (ScanError::Code(_) | ScanError::Ambiguous)) => {
                return Err(Problem::invalid(field("code"), error));
            }
        };
        let Some(label) = scanned.price else {
            let units = packs(&field("quantity"), quantity, scanned.quantity)?;
            return Ok((scanned.sku, units, None));
        };
        if books.product(&scanned.sku)?.map_or(Unit::Each, |product| product.unit) == Unit::Each {
            return Ok((scanned.sku, quantity, Some(label)));
        }
        // The price on the label of weighed goods tells their weight.
        let per_kilogram = match self.unit_price {
            Some(price) => Some(price),
            None => books.price_at_store(store, &scanned.sku, at_ms)?,
        };
        let per_kilogram = per_kilogram.filter(|&price| price > 0).ok_or_else(|| {
            Problem::invalid(field("unit_price"), "is needed: it tells the weight of a package with a price label")
        })?;
        let grams = label.saturating_mul(1_000).saturating_add(per_kilogram - 1) / per_kilogram;
        let together = label.saturating_mul(quantity.saturating_abs());
        Ok((scanned.sku, packs(&field("quantity"), quantity, grams)?, Some(together)))
    }
}

/// Tenders that are there, and how sure each is.
pub fn paid(bodies: &[PaidBody]) -> Answered<Vec<(Tender, Assurance)>> {
    if bodies.len() > TENDERS_MAX {
        return Err(Problem::invalid("tenders", format_args!("are more than {TENDERS_MAX}")));
    }
    let each = |body: &PaidBody| {
        let usual = if body.kind.0 == TenderKind::Cash { Assurance::Cash } else { Assurance::Seen };
        let assurance = body.assurance.as_ref().map_or(usual, |assurance| assurance.0);
        let tender = Tender { kind: body.kind.0, amount: body.amount, reference: body.reference.0.clone() };
        (tender, assurance)
    };
    Ok(bodies.iter().map(each).collect())
}

/// The terminal that is asked: one of those that are set up here, since nobody would ask another.
pub fn terminal(api: &Api, body: Option<&TerminalBody>) -> Answered<Option<(Code, TenderKind)>> {
    let Some(body) = body else { return Ok(None) };
    if !api.config.terminals.contains(&body.name.0) {
        let known: Vec<_> = api.config.terminals.iter().map(Code::as_str).collect();
        let there = if known.is_empty() { "none is set up".into() } else { known.join(", ") };
        let message = format_args!("there is no terminal {} at this node: {there}", body.name.0);
        return Err(Problem::unknown("terminal.name", message));
    }
    Ok(Some((body.name.0.clone(), body.kind.as_ref().map_or(TenderKind::Card, |kind| kind.0))))
}

/// The core calls a price that somebody entered otherwise than the body does.
fn as_asked(problem: Problem) -> Problem {
    let Some(field) = problem.field().map(str::to_owned) else { return problem };
    match field.strip_suffix("entered_price") {
        Some(line) => problem.renamed(&field, &format!("{line}unit_price")),
        None => problem,
    }
}

/// How long an answer waits for a terminal.
pub fn wait(wait_s: Option<u64>) -> Answered<Duration> {
    let wait_s = wait_s.unwrap_or(TERMINAL_WAIT_S);
    if wait_s > TERMINAL_WAIT_S_MAX {
        return Err(Problem::invalid("wait_s", format_args!("is not 0 to {TERMINAL_WAIT_S_MAX}")));
    }
    Ok(Duration::from_secs(wait_s))
}

impl Wish {
    const ALL: [Self; 4] = [Self::Quote, Self::Pay, Self::Suspend, Self::Slip];

    fn as_str(self) -> &'static str {
        match self {
            Self::Quote => "quote",
            Self::Pay => "pay",
            Self::Suspend => "suspend",
            Self::Slip => "slip",
        }
    }
}

impl Word for Wish {
    fn read(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|wish| wish.as_str() == text);
        known.ok_or_else(|| "is not one of quote, pay, suspend, slip".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Assurance {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of cash, captured, offline, seen".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}
