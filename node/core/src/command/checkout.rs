//! Baskets that this node prices. A basket is priced by the tables that held at its store when it was rung up, also when the store is cut off,
//! and then paid, put aside, or put on a slip: in one commit, or not at all.

use stockroom_crdt::checkout::basket::{Basket, HeldCoupon, Waits};
use stockroom_crdt::checkout::quote::{Asked, AskedLine, NoPrice, Quote, Tables, quote};
use stockroom_crdt::checkout::rules::TillRules;
use stockroom_crdt::checkout::{PriceSource, Stop};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, LINES_MAX};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::scope::Scope;

use super::coupons::{self, Shown};
use super::tenders::{self, Payment};
use super::{Failed, benefits, check_fact, check_quantity, own_store, sell};
use crate::books::baskets::{self, End, Held};
use crate::books::{sales, shifts};
use crate::input::checkout::{CheckoutAnswer, CheckoutRequest, Need, Then};
use crate::input::{Answer, Refusal};
use crate::journal::{damaged, entry_at};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::view::View;

/// Prices a basket and does with it what was asked for. Its number at its till is its retry key.
pub fn checkout(replica: &mut Replica, request: CheckoutRequest) -> Result<Answer, Failed> {
    let store = own_store(replica)?;
    let is_quote = matches!(request.then, Then::Quote { .. });
    if !is_quote && let Some(answer) = replayed(replica, store, &request)? {
        replica.reached("a retry was answered from an earlier write");
        return Ok(Answer::Checkout(answer));
    }
    let rung_ms = sell::check_time(replica, request.rung_ms)?;
    let rules = View::new(&replica.overlay).till_rules(store)?;
    let record = View::new(&replica.overlay).store(store)?;
    let currency = record.map(|record| record.currency);
    let currency = currency.ok_or_else(|| Refusal::State("the store's currency is not known yet".into()))?;
    let priced = priced(replica, store, &request, rung_ms)?;
    if let Then::Quote { points } = request.then {
        let quoted = benefits::quoted(replica, store, &request, (priced, currency, points))?;
        return Ok(Answer::Checkout(CheckoutAnswer::Quoted(Box::new(quoted))));
    }
    priced.refused(&request)?;
    let Priced { quote, held, tier, .. } = priced;
    if request.expected_total.is_some_and(|expected| expected != quote.total) {
        replica.reached("a price had changed since the customer was told");
        return Err(Refusal::PriceChanged(Box::new(quote)).into());
    }
    let shift = shift(replica, store, request.basket.till, &rules)?;
    let mut basket = Basket {
        id: request.basket,
        waits: Waits::Suspended,
        currency,
        holds: benefits::holds(&request, tier, held)?,
        cashier: request.cashier,
        approver: request.approver,
        owner: Code::default(),
        slip: None,
        shift,
        rung_ms,
        lines: quote.lines,
        explained: quote.explained,
        cash_rounding: 0,
        tenders: Vec::new(),
        assured: Vec::new(),
        body: request.body.short(),
    };
    match request.then {
        Then::Pay { tenders, terminal } => {
            let payment = Payment { tenders, terminal, body: request.body };
            let (_, answer) = tenders::pay(replica, store, basket, payment)?;
            return Ok(Answer::Checkout(answer));
        }
        Then::Suspend | Then::Quote { .. } => {}
        Then::Slip { owner } => (basket.waits, basket.owner) = (Waits::Slip, owner),
    }
    let id = basket.id;
    let fact = Fact::Basket(basket);
    check_fact(&fact, "lines")?;
    replica.write(&Scope::StoreStock(store), vec![fact])?;
    Ok(Answer::Checkout(CheckoutAnswer::Waits(id)))
}

/// Where a basket stands, as the till is told: the first time, and whenever it asks again.
pub fn standing(held: &Held) -> CheckoutAnswer {
    let id = held.basket.id;
    match (held.end, held.asking()) {
        (Some(End::Sold(receipt)), _) => CheckoutAnswer::Paid(receipt),
        (Some(End::Resumed(_) | End::Abandoned), _) => CheckoutAnswer::Ended(id),
        (None, Some(asking)) => CheckoutAnswer::Ask { basket: id, number: asking.last.number },
        (None, None) => CheckoutAnswer::Waits(id),
    }
}

/// The shift that is open at a till, 0 for none, which the store may not want.
pub fn shift(replica: &Replica, store: StoreId, till: TillId, rules: &TillRules) -> Result<u32, Failed> {
    match shifts::open_shift(&replica.overlay, store, till)? {
        None if rules.shift_needed => {
            Err(Refusal::State(format!("no shift is open at till {}: open one first", till.0)).into())
        }
        open => Ok(open.unwrap_or(0)),
    }
}

/// What was answered to an earlier try: where the basket stands by now, or the receipt of one that never waited.
fn replayed(
    replica: &mut Replica,
    store: StoreId,
    request: &CheckoutRequest,
) -> Result<Option<CheckoutAnswer>, Failed> {
    let id = request.basket;
    if let Some(held) = baskets::load(&replica.overlay, store, id)? {
        if held.basket.body != request.body.short() {
            return Err(Refusal::RetryMismatch.into());
        }
        if planted(Plant::ChargeAgain)
            && let Some(asking) = held.asking()
        {
            let terminal = (asking.last.terminal.clone(), asking.last.kind);
            tenders::ask(replica, store, &held, (terminal, request.cashier.clone()))?;
        }
        return Ok(Some(standing(&held)));
    }
    let Some(place) = sales::by_till(&replica.overlay, store, id.till, id.number)? else { return Ok(None) };
    let answer = sell::same_body(replica, (store, id.till.0, id.number), request.body, place)?;
    let place = if let Answer::Written { place, .. } = answer { place } else { place };
    match entry_at(&replica.overlay, place)?.map(|item| item.entry.fact) {
        Some(Fact::Sale(sale)) => Ok(Some(CheckoutAnswer::Paid(sale.receipt))),
        _ => Err(damaged("a sale's entry is missing").into()),
    }
}

/// What the basket costs, and what has to be approved or looked at before it is sold.
fn priced(replica: &Replica, store: StoreId, request: &CheckoutRequest, at_ms: u64) -> Result<Priced, Failed> {
    if request.lines.is_empty() || request.lines.len() > LINES_MAX {
        return Err(Refusal::invalid("lines", format!("a basket has 1 to {LINES_MAX} lines")).into());
    }
    request.lines.iter().enumerate().try_for_each(|(index, line)| check_line(index, line))?;
    for (index, line) in request.lines.iter().enumerate().filter(|(_, line)| line.quantity < 0) {
        benefits::paid_in_money(replica, (store, index), line.original)?;
    }
    let view = View::new(&replica.overlay);
    let mut tables = view.tables(store, &request.lines, at_ms)?;
    if planted(Plant::MixedPrices) && tables.len() > 1 {
        tables[1] = view.tables(store, &request.lines[1..2], at_ms + 3_600_000)?.remove(0);
    }
    let tier = benefits::tier(replica, store, request.member)?;
    let promotions = match view.store(store)? {
        Some(record) => view.promotions(&record.book, store, at_ms)?,
        None => Vec::new(),
    };
    let promotions = benefits::of_tier(replica, promotions, &tier)?;
    let rules = view.till_rules(store)?;
    let local_ms = (at_ms as i64).saturating_add(i64::from(replica.zone_offset_s) * 1000).max(0) as u64;
    let (days, minute) = (local_ms / DAY_MS, local_ms % DAY_MS / 60_000);
    let mut asked = Asked {
        store,
        at_ms,
        // The first of January 1970 was a Thursday.
        local: (((days + 3) % 7) as usize, minute as u16),
        today: u32::try_from(days).unwrap_or(u32::MAX),
        member: request.member.is_some(),
        coupons: Vec::new(),
        lines: request.lines.clone(),
    };
    let mut shown = coupons::shown(replica, (store, at_ms), request)?;
    // One that is refused by what it gives is left out and the rest is priced again: at most once for each.
    let mut quote = loop {
        asked.coupons = shown.iter().filter_map(Shown::presented).collect();
        let quote = quote(&asked, &tables, &promotions, &rules).map_err(no_price)?;
        if !coupons::refused_by_worth(replica, store, &mut shown, &quote.coupons)? {
            break quote;
        }
    };
    let mut needs = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let stops = quote.explained[index].stops.clone();
        let Some(why) = approval(&quote, (index, request), (&stops, table), &rules) else { continue };
        needs.push(Need { line: index, why });
        quote.lines[index].overridden |= stops.iter().any(|stop| !is_checked(*stop, request));
    }
    let held = shown.iter().filter_map(Shown::held).collect();
    Ok(Priced { quote, needs, shown, held, tier })
}

/// A basket with its price, and what became of the coupons that were shown.
pub struct Priced {
    /// What it costs.
    pub quote: Quote,
    /// What has to be approved or looked at before it is sold.
    pub needs: Vec<Need>,
    /// Each coupon that was shown.
    pub shown: Vec<Shown>,
    /// Those that are taken.
    pub held: Vec<HeldCoupon>,
    /// The member's tier.
    pub tier: Code,
}

impl Priced {
    /// Refuses a basket of which a line needs an approval that is not there, or of which one coupon is not taken.
    fn refused(&self, request: &CheckoutRequest) -> Result<(), Refusal> {
        if let Some(need) = self.needs.first().filter(|_| request.approver.is_empty()) {
            return Err(Refusal::Stopped { field: format!("lines[{}]", need.line), reason: need.why.clone() });
        }
        let refused = |(index, shown): (usize, &Shown)| {
            let why = shown.taken.as_ref().err()?.clone();
            Some(Refusal::Coupon { field: format!("coupons[{index}]"), why })
        };
        self.shown.iter().enumerate().find_map(refused).map_or(Ok(()), Err)
    }
}

/// Why a line needs somebody's approval, and what can be done, if it does.
fn approval(
    quote: &Quote,
    (index, request): (usize, &CheckoutRequest),
    (stops, table): (&[Stop], &Tables),
    rules: &TillRules,
) -> Option<String> {
    let (line, asked) = (&quote.lines[index], &request.lines[index]);
    let sku = &line.sku;
    if line.quantity < 0 {
        return Some(format!("{sku} comes back: a manager approves it"));
    }
    let book = table.price.map(|(price, _)| price);
    if quote.explained[index].source == PriceSource::Entered && book.is_some_and(|price| price != line.unit_price) {
        return Some(format!("{sku} has another price in the price book: a manager approves the one that was entered"));
    }
    if asked.discount > rules.cashier_limit {
        return Some(format!("more than {} is taken off {sku}: a manager approves it", rules.cashier_limit));
    }
    let stop = stops.iter().find(|stop| !is_checked(**stop, request))?;
    let why = match stop {
        Stop::Recall => {
            let reason = table.recall.as_ref().map(|recall| recall.reason.to_string()).unwrap_or_default();
            format!("{sku} is recalled: {reason}. Put it aside; only a manager lets it go")
        }
        Stop::Age => {
            let age = table.product.as_ref().map_or(0, |product| product.age_min);
            format!("who buys {sku} must be {age}: look at a document and confirm it, or ask a manager")
        }
        Stop::Hours => format!("{sku} is not sold at this hour: take it out, or ask a manager"),
        Stop::Expired => format!("{sku} has expired: fetch a fresh one, or ask a manager"),
        Stop::Excluded => format!("{sku} is not sold at tills: take it out, or ask a manager"),
    };
    Some(why)
}

/// The cashier has done what the stop asks for.
fn is_checked(stop: Stop, request: &CheckoutRequest) -> bool {
    stop == Stop::Age && request.age_checked
}

fn check_line(index: usize, line: &AskedLine) -> Result<(), Refusal> {
    let field = |name: &str| format!("lines[{index}].{name}");
    check_quantity(&field("quantity"), line.quantity.saturating_abs(), 1)?;
    if line.quantity > 0 && line.disposition != Disposition::Resale {
        let message = format!("is {}, but only goods that come back have one", line.disposition.as_str());
        return Err(Refusal::invalid(field("disposition"), message));
    }
    for (name, price) in [("code_price", line.code_price), ("entered_price", line.entered_price)] {
        if price.is_some_and(|price| !(0..=AMOUNT_MAX).contains(&price)) {
            return Err(Refusal::invalid(field(name), format!("is not between 0 and {AMOUNT_MAX}")));
        }
    }
    sell::check_amount(&field("discount"), line.discount)?;
    if line.discount.signum() * line.quantity.signum() < 0 {
        return Err(Refusal::invalid(field("discount"), "has the other sign than the line: it would add to the price"));
    }
    Ok(())
}

fn no_price(error: NoPrice) -> Refusal {
    let (index, field) = match error {
        NoPrice::Missing(index) => (index, "entered_price"),
        NoPrice::Unit(index) => (index, "unit"),
        NoPrice::Amount(index) => (index, "quantity"),
        NoPrice::Discount(index) => (index, "discount"),
    };
    Refusal::invalid(format!("lines[{index}].{field}"), error)
}

const DAY_MS: u64 = 86_400_000;
