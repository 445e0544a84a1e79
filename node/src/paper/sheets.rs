//! What is put on paper: plain structs that hold everything that a sheet says, and nothing of a person but a first name.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use stockroom_crdt::money::{Currency, Unit};

use super::page::{Block, Item, LINES_MAX, Page, Sheet, Size, TEXT_CHARS_MAX, Writer};
use super::text::clean;
use super::words::{Language, Word};

/// A moment as people of the store read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// IANA name of the store's zone; UTC if it is unknown.
    pub zone: String,
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Pieces or grams.
    pub amount: i64,
    /// Which of the two.
    pub unit: Unit,
}

/// Money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// Their currency.
    pub currency: Currency,
}

/// What the customer wants when a product is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substitution {
    /// To be asked.
    Ask,
    /// Something similar.
    Similar,
    /// Nothing else.
    Nothing,
}

/// What somebody is to fetch from the shelves, for one order or for several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickList {
    /// The order's number, or the batch's.
    pub order: String,
    /// The store's name.
    pub store: String,
    /// When it has to be ready.
    pub due: Stamp,
    /// When the list was made.
    pub made: Stamp,
    /// In any order: the sheet has them in the order of the shelves.
    pub lines: Vec<PickLine>,
    /// What a handheld scans to open the list.
    pub code: Option<String>,
}

/// One product of a pick list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickLine {
    /// The shelf, e.g. `A-03-12`; empty if nobody knows.
    pub location: String,
    /// The product's name.
    pub name: String,
    /// Its number.
    pub sku: String,
    /// Its barcode.
    pub barcode: Option<String>,
    /// How many.
    pub quantity: Quantity,
    /// What to do if there are none.
    pub substitution: Substitution,
    /// The age that its buyer must have.
    pub age: Option<u8>,
    /// Which tote it goes into, when several orders are picked together.
    pub tote: Option<String>,
}

/// On a bag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BagTag {
    /// The order's number.
    pub order: String,
    /// Which bag, from 1.
    pub bag: u32,
    /// Of how many.
    pub bags: u32,
    /// Where it stands.
    pub bay: String,
    /// The customer's first name.
    pub first_name: Option<String>,
}

/// How an order's goods get to their customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The customer comes.
    Collected {
        /// Until when they are kept; nothing while they are not ready.
        until: Option<Stamp>,
    },
    /// Somebody brings them.
    Brought {
        /// When they have to be there.
        due: Stamp,
    },
}

/// On the goods of one order that wait for their customer, or for whoever brings them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickupLabel {
    /// The order's number.
    pub order: String,
    /// The customer's first name.
    pub first_name: Option<String>,
    /// Where they stand.
    pub bay: String,
    /// How many bags.
    pub bags: u32,
    /// Whether they are collected or brought, and when.
    pub way: Way,
    /// The age that the buyer must have.
    pub age: Option<u8>,
    /// What a handheld scans to find the order. Not what the customer shows: whoever sees the label could use that.
    pub code: Option<String>,
}

/// For the customer, after goods were handed over. Made of the committed record only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickupReceipt {
    /// They were brought, not collected.
    pub brought: bool,
    /// The store's name.
    pub store: String,
    /// The order's number.
    pub order: String,
    /// What the record is called, for questions later.
    pub record: String,
    /// What was ordered, and what became of it.
    pub lines: Vec<HandedLine>,
    /// What the customer gets back; none if nothing.
    pub refund_due: Option<Money>,
    /// Who handed over.
    pub staff: String,
    /// When.
    pub handed: Stamp,
}

/// One product of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedLine {
    /// What was handed over, or ordered if nothing was.
    pub name: String,
    /// Its number.
    pub sku: String,
    /// How many were handed over.
    pub handed: Quantity,
    /// How many were ordered and are missing.
    pub missing: Quantity,
    /// What was ordered instead of this.
    pub instead_of: Option<String>,
}

/// What a rider takes along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSheet {
    /// The store's name.
    pub store: String,
    /// What the rider is called at work.
    pub rider: String,
    /// When the rider leaves.
    pub leaves: Stamp,
    /// In the order of the route.
    pub stops: Vec<RouteStop>,
    /// Opens the route on the rider's phone, which has the addresses.
    pub code: Option<String>,
}

/// One stop. Where exactly stands on the rider's phone only: paper is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteStop {
    /// The order's number.
    pub order: String,
    /// The customer's first name.
    pub first_name: Option<String>,
    /// A part of the town, no address.
    pub area: String,
    /// How many bags.
    pub bags: u32,
    /// When the customer expects it.
    pub due: Stamp,
    /// The age that the receiver must have.
    pub age: Option<u8>,
}

impl Stamp {
    /// Date, time, offset and zone.
    pub fn text(&self) -> String {
        let at = i64::try_from(self.at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
        let zone = TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC);
        let name = clean(zone.iana_name().unwrap_or("UTC"), TEXT_CHARS_MAX);
        let shown = at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string();
        format!("{shown} {name}")
    }
}

impl Quantity {
    /// Pieces as a number, grams as kilograms.
    pub fn text(&self) -> String {
        match self.unit {
            Unit::Each => self.amount.to_string(),
            Unit::Gram => format!("{} kg", decimal(self.amount, 3)),
        }
    }
}

impl Money {
    /// In major units, with the decimals of its currency (ISO 4217).
    pub fn text(&self) -> String {
        let currency = self.currency.as_str();
        let decimals = match currency {
            _ if WITHOUT_MINOR.contains(&currency) => 0,
            _ if WITH_THOUSANDTHS.contains(&currency) => 3,
            _ => 2,
        };
        format!("{} {currency}", decimal(self.minor, decimals))
    }
}

impl Sheet for PickList {
    fn page(&self, language: Language) -> Page {
        let mut to = Writer::new(language);
        to.put(Block::Heading(to.word(Word::PickList).to_owned()));
        to.put(Block::Large(clean(&self.order, NUMBER_CHARS_MAX)));
        to.field(Word::Due, &self.due.text());
        to.field(Word::Store, &self.store);
        to.field(Word::Lines, &self.lines.len().to_string());
        to.put(Block::Rule);
        let mut lines: Vec<&PickLine> = self.lines.iter().take(LINES_MAX).collect();
        lines.sort_by_cached_key(|line| (line.location.trim().is_empty(), shelf_key(&line.location), line.sku.clone()));
        for line in lines {
            let item = line.item(&to);
            to.put(Block::Item(item));
        }
        to.put(Block::Rule);
        to.field(Word::Made, &self.made.text());
        to.code(self.code.as_deref());
        to.done(Size::A4, Word::PickList)
    }
}

impl PickLine {
    fn item(&self, to: &Writer) -> Item {
        let location = clean(&self.location, TEXT_CHARS_MAX);
        let place = if location.is_empty() { to.word(Word::NoLocation).to_owned() } else { location };
        let named = |word: Word, value: &str| format!("{} {}", to.word(word), clean(value, TEXT_CHARS_MAX));
        let mut details = vec![named(Word::Sku, &self.sku)];
        details.extend(self.barcode.as_deref().map(|barcode| named(Word::Barcode, barcode)));
        details.extend(self.tote.as_deref().map(|tote| named(Word::Tote, tote)));
        let wish = match self.substitution {
            Substitution::Ask => Word::AskFirst,
            Substitution::Similar => Word::SimilarAllowed,
            Substitution::Nothing => Word::NoSubstitute,
        };
        details.push(to.word(wish).to_owned());
        Item {
            place,
            name: clean(&self.name, TEXT_CHARS_MAX),
            quantity: self.quantity.text(),
            details,
            warnings: age_warning(to, self.age),
        }
    }
}

impl Sheet for BagTag {
    fn page(&self, language: Language) -> Page {
        let mut to = Writer::new(language);
        to.put(Block::Large(clean(&self.order, NUMBER_CHARS_MAX)));
        let count = format!("{} {} {}", self.bag, to.word(Word::Of), self.bags);
        to.field(Word::Bag, &count);
        to.field(Word::Bay, &self.bay);
        to.field(Word::Name, self.first_name.as_deref().unwrap_or_default());
        to.done(Size::Label, Word::Bag)
    }
}

impl Sheet for PickupLabel {
    fn page(&self, language: Language) -> Page {
        let (title, name, until) = match &self.way {
            Way::Collected { until } => (Word::Pickup, Word::HoldUntil, until.as_ref()),
            Way::Brought { due } => (Word::Delivery, Word::Due, Some(due)),
        };
        let mut to = Writer::new(language);
        to.put(Block::Heading(to.word(title).to_owned()));
        to.put(Block::Large(clean(&self.order, NUMBER_CHARS_MAX)));
        to.field(Word::Bay, &self.bay);
        to.field(Word::Bags, &self.bags.to_string());
        to.field(Word::Name, self.first_name.as_deref().unwrap_or_default());
        to.field(name, &until.map(Stamp::text).unwrap_or_default());
        for warning in age_warning(&to, self.age) {
            to.put(Block::Text(warning));
        }
        to.code(self.code.as_deref());
        to.done(Size::Label, title)
    }
}

impl Sheet for PickupReceipt {
    fn page(&self, language: Language) -> Page {
        let title = if self.brought { Word::DeliveryReceipt } else { Word::PickupReceipt };
        let mut to = Writer::new(language);
        to.put(Block::Heading(to.word(title).to_owned()));
        to.field(Word::Store, &self.store);
        to.field(Word::Order, &self.order);
        to.field(Word::Time, &self.handed.text());
        to.field(Word::Staff, &self.staff);
        to.field(Word::Record, &self.record);
        to.put(Block::Rule);
        for line in self.lines.iter().take(LINES_MAX) {
            let item = line.item(&to);
            to.put(Block::Item(item));
        }
        to.put(Block::Rule);
        if let Some(refund) = self.refund_due {
            to.field(Word::RefundDue, &refund.text());
        }
        to.done(Size::Roll, title)
    }
}

impl HandedLine {
    fn item(&self, to: &Writer) -> Item {
        let mut details = vec![format!("{} {}", to.word(Word::Sku), clean(&self.sku, TEXT_CHARS_MAX))];
        let instead = self.instead_of.as_deref().map(|name| clean(name, TEXT_CHARS_MAX));
        details.extend(instead.map(|name| format!("{} {name}", to.word(Word::Instead))));
        let missing = (self.missing.amount > 0).then(|| format!("{} {}", self.missing.text(), to.word(Word::Missing)));
        Item {
            place: String::new(),
            name: clean(&self.name, TEXT_CHARS_MAX),
            quantity: format!("{} {}", self.handed.text(), to.word(Word::Handed)),
            details,
            warnings: missing.into_iter().collect(),
        }
    }
}

impl Sheet for RouteSheet {
    fn page(&self, language: Language) -> Page {
        let mut to = Writer::new(language);
        to.put(Block::Heading(to.word(Word::RouteSheet).to_owned()));
        to.field(Word::Rider, &self.rider);
        to.field(Word::Leaves, &self.leaves.text());
        to.field(Word::Store, &self.store);
        to.put(Block::Rule);
        for (at, stop) in self.stops.iter().take(LINES_MAX).enumerate() {
            let named = |word: Word, value: &str| format!("{} {}", to.word(word), clean(value, TEXT_CHARS_MAX));
            let mut details = vec![named(Word::Area, &stop.area), named(Word::Due, &stop.due.text())];
            details.extend(stop.first_name.as_deref().map(|name| named(Word::Name, name)));
            let item = Item {
                place: format!("{} {}", to.word(Word::Stop), at + 1),
                name: named(Word::Order, &stop.order),
                quantity: format!("{} {}", to.word(Word::Bags), stop.bags),
                details,
                warnings: age_warning(&to, stop.age),
            };
            to.put(Block::Item(item));
        }
        to.put(Block::Rule);
        to.code(self.code.as_deref());
        to.done(Size::A4, Word::RouteSheet)
    }
}

fn age_warning(to: &Writer, age: Option<u8>) -> Vec<String> {
    age.map(|age| format!("{} {age}+", to.word(Word::CheckAge))).into_iter().collect()
}

/// Sorts shelves as people walk past them: `A-2` before `A-10`.
fn shelf_key(location: &str) -> Vec<(u64, String)> {
    let mut parts: Vec<(u64, String)> = Vec::new();
    let text = clean(location, TEXT_CHARS_MAX);
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        // Digits sort before letters; more of them than a number holds sort last.
        parts.push(match is_digit {
            true => (part.parse().unwrap_or(u64::MAX - 1), String::new()),
            false => (u64::MAX, part.to_uppercase()),
        });
        rest = after;
    }
    parts
}

/// A number of 10^-`decimals`, with all of its decimals.
fn decimal(value: i64, decimals: u32) -> String {
    let (sign, size, one) = (if value < 0 { "-" } else { "" }, value.unsigned_abs(), 10_u64.pow(decimals));
    match decimals {
        0 => format!("{sign}{size}"),
        _ => format!("{sign}{}.{:0width$}", size / one, size % one, width = decimals as usize),
    }
}

/// Characters of an order's number, printed at twice the size.
pub(super) const NUMBER_CHARS_MAX: usize = 24;

/// Currencies without a minor unit (ISO 4217).
const WITHOUT_MINOR: [&str; 16] =
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Currencies whose minor unit is a thousandth.
const WITH_THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shelves_are_in_the_order_in_which_people_walk() {
        let mut shelves = ["B-1", "a-10", "A-2", "A-2-10", "A-2-9", "10", "9", "99999999999999999999"];
        shelves.sort_by_cached_key(|shelf| shelf_key(shelf));
        assert_eq!(shelves, ["9", "10", "99999999999999999999", "A-2", "A-2-9", "A-2-10", "a-10", "B-1"]);
    }

    #[test]
    fn figures_are_written_as_people_read_them() {
        let grams = |amount| Quantity { amount, unit: Unit::Gram }.text();
        assert_eq!((grams(1_250), grams(5), grams(-40)), ("1.250 kg".into(), "0.005 kg".into(), "-0.040 kg".into()));
        assert_eq!(Quantity { amount: 3, unit: Unit::Each }.text(), "3");
        let money = |minor, code: &str| Money { minor, currency: Currency::parse(code).unwrap() }.text();
        assert_eq!(money(1_999, "EUR"), "19.99 EUR");
        assert_eq!(money(1_999, "JPY"), "1999 JPY");
        assert_eq!(money(-1_999, "KWD"), "-1.999 KWD");
        assert_eq!(money(i64::MIN, "EUR"), "-92233720368547758.08 EUR");
    }

    #[test]
    fn a_time_is_shown_with_its_zone() {
        let stamp = |zone: &str| Stamp { at_ms: 1_763_800_200_000, zone: zone.into() }.text();
        assert_eq!(stamp("UTC"), "2025-11-22 08:30 +00:00 UTC");
        assert_eq!(stamp("No/Where"), stamp("UTC"));
        if TimeZone::get("Asia/Shanghai").is_ok() {
            assert_eq!(stamp("Asia/Shanghai"), "2025-11-22 16:30 +08:00 Asia/Shanghai");
        }
        assert!(Stamp { at_ms: u64::MAX, zone: String::new() }.text().starts_with("1970"));
    }
}
