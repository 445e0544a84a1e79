//! Sheets as the books have them: fulfillments, pick lists, handovers and sales become what stands on paper.

use std::collections::BTreeMap;

use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::{Digest, StoreId, hex};
use stockroom_crdt::loyalty::points::SalePoints;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::resolve::{State as Stage, resolve};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::product::Channel;
use stockroom_crdt::sale::TenderKind;

use super::Paper;
use crate::api::Books;
use crate::api::fulfillments::answer::{FulfillmentAnswer, PartLineAnswer, Shown, name_of, newest};
use crate::api::fulfillments::lists::{self, IntoAnswer, PickLineAnswer, PickListAnswer};
use crate::api::fulfillments::not_here;
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::receipts::{SaleAnswer, no_receipt};
use crate::api::values::{ReceiptId, Word, now_ms};
use crate::paper::page::{Page, Sheet};
use crate::paper::receipt::{Assured, PointsPart, SaleReceipt, SoldLine, Standing, TaxPart, TenderPart, Tendered};
use crate::paper::sheets::{
    BagTag, HandedLine, Money, PickLine, PickList, PickupLabel, PickupReceipt, Quantity, Stamp, Substitution, Way,
};
use crate::paper::words::Language;

/// A sheet that can be shown or printed.
pub struct Printout {
    /// What it is and says: the same for the same sheet.
    pub key: String,
    /// The sheet.
    pub page: Page,
}

/// Which part of which order.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// At which store.
    pub store: StoreId,
    /// Of which order.
    pub order: OrderId,
    /// Of which offer; the newest that is open if absent.
    pub generation: Option<u16>,
}

/// A store as paper names it.
struct Place {
    name: String,
    zone: String,
}

/// A fulfillment, and what the customer is owed for its order, where that is known.
struct Found {
    stage: Stage,
    part: FulfillmentAnswer,
    refund: Option<Money>,
}

/// The sheets of one kind of a fulfillment: one, or a tag for each bag.
pub fn of_part(books: &Books<'_>, part: Part, sheet: Paper, language: Language) -> Answered<Vec<Printout>> {
    let place = Place::of(books, part.store)?;
    match sheet {
        Paper::PickList => {
            Ok(vec![pick_list(books, part.store, &lists::of(books, part.store, &[part.order])?, language)?])
        }
        Paper::Label => {
            let part = found(books, part)?.waiting()?;
            let label = label(&part, &place).page(language);
            Ok(vec![Printout::new(&named(Paper::Label, &part), label.clone(), &label)])
        }
        Paper::BagTag => {
            let part = found(books, part)?.waiting()?;
            let bags = bags(&part);
            let tag = |bag| {
                let (order, bay) = (part.order.0.write(), part.bay.0.write());
                BagTag { order, bag, bags, bay, first_name: None }.page(language)
            };
            let tags = (1..=bags).map(tag);
            Ok(tags.map(|tag| Printout::new(&named(Paper::BagTag, &part), tag.clone(), &tag)).collect())
        }
        Paper::Receipt => {
            let found = found(books, part)?;
            let page = handed(books, &found, &place)?.page(language);
            Ok(vec![Printout::new(&named(Paper::Receipt, &found.part), page.clone(), &page)])
        }
    }
}

/// A pick list, for one order or several.
pub fn pick_list(books: &Books<'_>, store: StoreId, list: &PickListAnswer, language: Language) -> Answered<Printout> {
    let place = Place::of(books, store)?;
    let Some(first) = list.totes.first() else {
        return Err(Problem::new(Kind::Conflict, "nothing is to be picked"));
    };
    let is_batch = list.totes.len() > 1;
    let mut lines = Vec::new();
    for department in &list.departments {
        for line in &department.lines {
            lines.extend(line.into.iter().map(|into| pick_line(&department.department, line, into, is_batch)));
        }
    }
    let order = match list.totes.len() - 1 {
        0 => first.order.0.write(),
        more => format!("{} +{more}", first.order.0.write()),
    };
    let due = place.stamp(first.due.0.0);
    let code = (!is_batch).then(|| first.order.0.write());
    let sheet = |made_ms| {
        let (order, due, lines, code) = (order.clone(), due.clone(), lines.clone(), code.clone());
        PickList { order, store: place.name.clone(), due, made: place.stamp(made_ms), lines, code }.page(language)
    };
    let named: Vec<_> = list.totes.iter().map(|tote| format!("{}.{}", tote.order.0.write(), tote.generation)).collect();
    let key = format!("pick-list/{}/{}", store.0, named.join("+"));
    // When a list was made does not make it another list.
    Ok(Printout::new(&key, sheet(list.made_at.0.0), &sheet(0)))
}

/// A receipt, without its code.
pub fn receipt(books: &Books<'_>, id: ReceiptId) -> Answered<SaleReceipt> {
    let place = books.sale_by_receipt(id.store, id.number)?.ok_or_else(|| no_receipt(id))?;
    let sale = SaleAnswer::at(books, id.store, place)?;
    let store = Place::of(books, id.store)?;
    let money = |minor| Money { minor, currency: sale.currency.0 };
    let some = |minor| (minor != 0).then(|| money(minor));
    let state = match &sale.voids {
        Some(other) => Standing::Voids(other.0.write()),
        None if sale.voided == Some(true) => Standing::Voided,
        None => Standing::Good,
    };
    let explained = books.explained(id.store, id.number)?;
    let mut taxes: BTreeMap<(String, bool), i64> = BTreeMap::new();
    let mut lines = Vec::new();
    for (at, line) in sale.lines.iter().enumerate() {
        if let Some(tax) = &line.tax {
            let code = format!("{} {}.{:02} %", tax.code.0.write(), tax.rate_bp / 100, tax.rate_bp % 100);
            let sum = taxes.entry((code, tax.added)).or_default();
            *sum = sum.saturating_add(tax.amount);
        }
        let why = explained.as_ref().and_then(|explained| explained.lines.get(at));
        let mut reductions = Vec::new();
        match why {
            Some(why) => {
                for off in &why.reductions {
                    let name = match off.promotion.is_empty() {
                        true => line.discount_reason.0.write(),
                        false => books.promotion_name(id.store, &off.promotion)?,
                    };
                    reductions.push((name, money(-off.amount)));
                }
            }
            // Another system priced it.
            None => reductions.extend(some(-line.discount).map(|off| (line.discount_reason.0.write(), off))),
        }
        let name = name_of(books, &line.sku.0)?;
        lines.push(SoldLine {
            name: if name.is_empty() { line.sku.0.write() } else { name },
            sku: line.sku.0.write(),
            quantity: Quantity { amount: line.quantity, unit: line.unit.0 },
            unit_price: money(line.unit_price),
            reductions,
            amount: money(line.amount),
        });
    }
    let tendered = |kind| match kind {
        TenderKind::Cash => Tendered::Cash,
        TenderKind::Card => Tendered::Card,
        TenderKind::Voucher => Tendered::Voucher,
        TenderKind::Other => Tendered::Other,
        TenderKind::Points => Tendered::Points,
    };
    let bearer = books.till_rules(id.store)?.floor_bearer;
    let assured = |at: usize| match explained.as_ref()?.assured.get(at)? {
        Assurance::Cash => None,
        Assurance::Captured => Some(Assured::Captured),
        Assurance::Offline => Some(Assured::Offline(bearer.as_str().to_owned())),
        Assurance::Seen => Some(Assured::Seen),
    };
    let tenders = sale.tenders.iter().enumerate().map(|(at, tender)| TenderPart {
        tendered: tendered(tender.kind.0),
        amount: money(tender.amount),
        assured: assured(at),
    });
    let tenders = tenders.collect();
    Ok(SaleReceipt {
        state,
        store: store.name.clone(),
        number: id.write(),
        rung: store.stamp(sale.rung_at.0.0),
        till: sale.till,
        staff: sale.cashier.0.write(),
        lines,
        rounding: some(sale.cash_rounding),
        total: money(sale.total),
        taxes: taxes.into_iter().map(|((code, added), sum)| TaxPart { code, amount: money(sum), added }).collect(),
        tenders,
        coupons: sale.coupons.iter().filter(|it| !it.undone).map(|it| (it.name.clone(), money(-it.worth))).collect(),
        points: points(books, id, &store)?,
        code: None,
    })
}

/// What a receipt did with points, and how many there are by what its store was last told. The accounts are one person's.
fn points(books: &Books<'_>, id: ReceiptId, place: &Place) -> Answered<Option<PointsPart>> {
    let (said, _) = books.benefits(id.store, id.number)?;
    let mut told: Option<(i64, u64)> = None;
    for account in &said {
        if let Some((points, at_ms)) = books.points_told(id.store, account.member)? {
            told = Some(told.map_or((points, at_ms), |(sum, oldest)| (sum.saturating_add(points), oldest.min(at_ms))));
        }
    }
    let sum = |of: fn(&SalePoints) -> u64| said.iter().map(of).fold(0, u64::saturating_add);
    Ok((!said.is_empty()).then(|| PointsPart {
        earned: sum(|it| it.earned.saturating_sub(it.taken_back)),
        spent: sum(|it| it.spent.saturating_add(it.soft).saturating_sub(it.restored)),
        balance: told.map(|(points, at_ms)| (points, place.stamp(at_ms))),
    }))
}

/// A receipt as it is printed.
pub fn printed_receipt(sheet: &SaleReceipt, language: Language) -> Printout {
    let page = sheet.page(language);
    // A node that was set up anew signs with another key, and a balance grows older: that makes it no other receipt.
    let points = sheet.points.clone().map(|points| PointsPart { balance: None, ..points });
    let said = SaleReceipt { code: None, points, ..sheet.clone() }.page(language);
    Printout::new(&format!("sale/{}", sheet.number), page, &said)
}

fn found(books: &Books<'_>, at: Part) -> Answered<Found> {
    let Part { store, order, generation } = at;
    let known = books.order_at(store, order)?;
    let part = newest(&known, store, generation).ok_or_else(|| not_here(order, store))?;
    let shown = Shown { known: &known, part: &part, now_ms: now_ms() }.whole(books)?;
    let owed = resolve(&books.order(order)?).map_or(0, |outcome| {
        let refunds = outcome.due.iter().filter(|due| due.rule.is_refund() && !due.done);
        refunds.map(|due| due.amount).fold(0, i64::saturating_add)
    });
    let shown = shown.ok_or_else(|| not_here(order, store))?;
    let refund = (owed > 0).then_some(Money { minor: owed, currency: shown.currency.0 });
    Ok(Found { stage: part.state, part: shown, refund })
}

impl Found {
    /// The part, if its goods wait for somebody.
    fn waiting(self) -> Answered<FulfillmentAnswer> {
        let (order, state) = (self.part.order.0.write(), self.part.state);
        let why = match self.stage {
            Stage::Offered => "accept it first",
            stage => {
                if stage.is_open() {
                    return Ok(self.part);
                }
                "nothing of it waits for anybody any more"
            }
        };
        Err(Problem::new(Kind::Conflict, format!("order {order} is {state}: {why}")))
    }
}

fn label(part: &FulfillmentAnswer, place: &Place) -> PickupLabel {
    let way = match part.channel.0 {
        Channel::Delivery => Way::Brought { due: place.stamp(part.due.0.0) },
        Channel::Till | Channel::Pickup => {
            Way::Collected { until: part.hold_until.as_ref().map(|until| place.stamp(until.0.0)) }
        }
    };
    PickupLabel {
        order: part.order.0.write(),
        // A store needs no name at its counter, and reading it off a sealed contact is told to those who follow the events.
        first_name: None,
        bay: part.bay.0.write(),
        bags: bags(part),
        way,
        age: Some(part.age_min).filter(|age| *age > 0),
        code: Some(part.order.0.write()),
    }
}

fn handed(books: &Books<'_>, found: &Found, place: &Place) -> Answered<PickupReceipt> {
    let part = &found.part;
    let counter = Step::HandOver.as_str();
    let is_handing = |step: &str| step == counter || step == Step::Deliver.as_str();
    let step = part.steps.as_deref().unwrap_or_default().iter().rfind(|step| is_handing(step.step));
    let is_handed = matches!(found.stage, Stage::HandedOver | Stage::Delivered);
    let Some(step) = step.filter(|_| is_handed) else {
        let said = format!("order {} is {}: it was not handed over", part.order.0.write(), part.state);
        return Err(Problem::new(Kind::Conflict, said));
    };
    Ok(PickupReceipt {
        brought: step.step != counter,
        store: place.name.clone(),
        order: part.order.0.write(),
        record: format!("{}/{}", step.by.0.write(), step.seq),
        lines: part.lines.iter().map(|line| handed_line(books, line)).collect::<Answered<_>>()?,
        refund_due: found.refund,
        staff: step.staff.0.write(),
        handed: place.stamp(step.at.0.0),
    })
}

fn handed_line(books: &Books<'_>, line: &PartLineAnswer) -> Answered<HandedLine> {
    let count = |amount| Quantity { amount, unit: line.unit.0 };
    let named = |sku: String, name: String| if name.is_empty() { sku } else { name };
    let ordered = named(line.sku.0.write(), line.name.clone());
    let (sku, name, instead_of) = match &line.substitute {
        Some(other) => (other.sku.0.write(), named(other.sku.0.write(), name_of(books, &other.sku.0)?), Some(ordered)),
        None => (line.sku.0.write(), ordered, None),
    };
    Ok(HandedLine {
        name,
        sku,
        handed: count(line.handed),
        missing: count((line.quantity - line.handed).max(0)),
        instead_of,
    })
}

fn pick_line(department: &str, line: &PickLineAnswer, into: &IntoAnswer, is_batch: bool) -> PickLine {
    PickLine {
        // Nobody has said where the shelves are; departments are the order in which people walk.
        location: department.to_owned(),
        name: if line.name.is_empty() { line.sku.0.write() } else { line.name.clone() },
        sku: line.sku.0.write(),
        barcode: line.barcode.as_ref().map(|code| code.0.write()),
        quantity: Quantity { amount: into.quantity, unit: line.unit.0 },
        substitution: match into.preference.0 {
            Preference::Ask => Substitution::Ask,
            Preference::Substitute => Substitution::Similar,
            Preference::Partial | Preference::Whole => Substitution::Nothing,
        },
        age: Some(line.age_min).filter(|age| *age > 0),
        tote: is_batch.then(|| into.tote.to_string()),
    }
}

/// Bags as whoever packed them said; one if that is no number.
fn bags(part: &FulfillmentAnswer) -> u32 {
    part.bags.0.write().trim().parse().unwrap_or(1).clamp(1, BAGS_MAX)
}

fn named(sheet: Paper, part: &FulfillmentAnswer) -> String {
    format!("{}/{}/{}/{}", sheet.as_str(), part.store, part.order.0.write(), part.generation)
}

impl Printout {
    /// `said` is what makes the sheet another one.
    pub fn new(key: &str, page: Page, said: &Page) -> Self {
        let said = Digest::of(&[format!("{said:?}").as_bytes()]);
        Self { key: format!("{key}/{}", hex(&said.0[..16])), page }
    }
}

impl Place {
    fn of(books: &Books<'_>, store: StoreId) -> Answered<Self> {
        let record = books.store(store)?;
        let record = record.map(|record| Self { name: record.name, zone: record.zone.as_str().to_owned() });
        Ok(record.unwrap_or_else(|| Self { name: store.0.to_string(), zone: String::new() }))
    }

    fn stamp(&self, at_ms: u64) -> Stamp {
        Stamp { at_ms, zone: self.zone.clone() }
    }
}

/// Bags of one order: more is a slip of the finger.
const BAGS_MAX: u32 = 50;
