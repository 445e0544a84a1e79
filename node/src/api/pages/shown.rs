//! How values are written for people: money, quantities, moments and ages, in the reader's language and the store's zone.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use maud::{Markup, html};
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::money::Currency;

use super::words::Language;
use crate::api::values::now_ms;
use crate::paper::sheets::Money;

/// Writes values for one reader.
#[derive(Clone, Debug)]
pub struct Shown {
    language: Language,
    zone: TimeZone,
    currency: Option<Currency>,
}

impl Shown {
    /// In this language, and with the zone and currency of the store; UTC and no currency at a hub.
    pub fn new(language: Language, store: Option<&StoreRecord>) -> Self {
        let zone = store.and_then(|store| TimeZone::get(store.zone.as_str()).ok()).unwrap_or(TimeZone::UTC);
        Self { language, zone, currency: store.map(|store| store.currency) }
    }

    /// The store's currency.
    pub fn currency(&self) -> Option<Currency> {
        self.currency
    }

    /// An amount in the store's currency.
    pub fn money(&self, minor: i64) -> String {
        self.currency.map_or_else(|| minor.to_string(), |currency| self.amount(minor, currency))
    }

    /// An amount in a currency.
    pub fn amount(&self, minor: i64, currency: Currency) -> String {
        let text = Money { minor, currency }.text();
        let Some((number, code)) = text.rsplit_once(' ') else { return text };
        let symbol = iso_currency::Currency::from_code(code).map(|known| known.symbol().to_string());
        let symbol = symbol.filter(|symbol| symbol.chars().count() == 1).unwrap_or_else(|| format!("{code}\u{a0}"));
        match number.strip_prefix('-') {
            Some(positive) => format!("\u{2212}{symbol}{}", grouped(positive)),
            None => format!("{symbol}{}", grouped(number)),
        }
    }

    /// How many digits stand behind the point of an amount.
    pub fn digits(&self) -> usize {
        let Some(currency) = self.currency else { return 2 };
        let text = Money { minor: 0, currency }.text();
        text.split(' ').next().and_then(|number| number.split_once('.')).map_or(0, |(_, cents)| cents.len())
    }

    /// A quantity: pieces, or grams as kilograms.
    pub fn quantity(&self, quantity: i64, unit: &str) -> String {
        match unit {
            "gram" if quantity.abs() >= 1000 => {
                let sign = if quantity < 0 { "\u{2212}" } else { "" };
                format!("{sign}{}.{:03} kg", grouped(&(quantity.abs() / 1000).to_string()), quantity.abs() % 1000)
            }
            "gram" => format!("{} g", self.number(quantity)),
            _ => self.number(quantity),
        }
    }

    /// A whole number.
    pub fn number(&self, number: i64) -> String {
        let sign = if number < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}", grouped(&number.unsigned_abs().to_string()))
    }

    /// A share, as a percentage.
    pub fn share(&self, share: f64) -> String {
        format!("{:.1}%", share * 100.0)
    }

    /// The time of day, with the day unless it is today.
    pub fn moment(&self, at_ms: u64) -> Markup {
        let Some(at) = self.zoned(at_ms) else { return html! { "?" } };
        let today = self.zoned(now_ms()).is_some_and(|now| now.date() == at.date());
        let text = match (today, self.language) {
            (true, _) => at.strftime("%H:%M").to_string(),
            (false, Language::English) => at.strftime("%-d %b, %H:%M").to_string(),
            (false, Language::Chinese) => at.strftime("%-m月%-d日 %H:%M").to_string(),
        };
        html! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()) { (text) } }
    }

    /// A moment in RFC 3339, as the API writes it.
    pub fn moment_of(&self, text: &str) -> Markup {
        ms_of(text).map_or_else(|| html! { (text) }, |ms| self.moment(ms))
    }

    /// How long ago something was: the page's script keeps it true.
    pub fn age(&self, at_ms: u64) -> Markup {
        let text = span_words(self.language, now_ms().saturating_sub(at_ms) / 1000);
        html! { span.age data-age=(at_ms) { (text) } }
    }

    /// How long it is until something is due: the page's script counts on, and says when it is late.
    pub fn countdown(&self, due_ms: u64) -> Markup {
        let now = now_ms();
        let late = now > due_ms;
        let text = span_words(self.language, now.abs_diff(due_ms) / 1000);
        html! { span.countdown.late[late] data-due=(due_ms) { @if late { "\u{2212}" } (text) } }
    }

    /// The reader's language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The next time at which it is so late; nothing if the zone has no such hour today.
    pub fn at_hour(&self, hour: i8) -> Option<u64> {
        let now = self.zoned(now_ms())?;
        let today = now.date().at(hour, 0, 0, 0).to_zoned(self.zone.clone()).ok()?;
        let next = if today > now { today } else { today.checked_add(jiff::Span::new().days(1)).ok()? };
        u64::try_from(next.timestamp().as_millisecond()).ok()
    }

    /// A moment as a field for date and time holds it, in the store's zone.
    pub fn local_text(&self, at_ms: u64) -> String {
        self.zoned(at_ms).map_or(String::new(), |at| at.strftime("%Y-%m-%dT%H:%M").to_string())
    }

    /// What a field for date and time holds, in the store's zone.
    pub fn local_ms(&self, text: &str) -> Option<u64> {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        u64::try_from(at.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond()).ok()
    }

    fn zoned(&self, at_ms: u64) -> Option<Zoned> {
        let at = Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }
}

/// A span of time in one unit or two: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
pub fn span_words(language: Language, s: u64) -> String {
    let (second, minute, hour, day) = match language {
        Language::English => (" s", " min", " h", " d"),
        Language::Chinese => ("秒", "分", "小时", "天"),
    };
    let gap = if language == Language::English { " " } else { "" };
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{gap}{small}{small_unit}"),
    };
    match s {
        0..60 => format!("{s}{second}"),
        60..3_600 => format!("{}{minute}", s / 60),
        3_600..86_400 => two(s / 3_600, hour, s % 3_600 / 60, minute),
        _ => two(s / 86_400, day, s % 86_400 / 3_600, hour),
    }
}

/// Milliseconds since 1970 of a moment as the API writes it.
pub fn ms_of(text: &str) -> Option<u64> {
    let at: Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// Thousands apart. Takes digits, perhaps with a fraction.
fn grouped(number: &str) -> String {
    let (whole, fraction) = number.split_once('.').map_or((number, ""), |(whole, fraction)| (whole, fraction));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if fraction.is_empty() { out } else { format!("{out}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(language: Language) -> Shown {
        Shown { language, zone: TimeZone::UTC, currency: Currency::parse("EUR") }
    }

    #[test]
    fn money_has_its_symbol_and_its_digits() {
        let english = shown(Language::English);
        assert_eq!(english.money(123_456_789), "€1,234,567.89");
        assert_eq!(english.money(-5), "\u{2212}€0.05");
        assert_eq!(english.amount(500, Currency::parse("JPY").unwrap()), "¥500");
        assert_eq!(english.digits(), 2);
        assert!(english.amount(1, Currency::parse("XYZ").unwrap()).starts_with("XYZ"));
    }

    #[test]
    fn quantities_are_pieces_or_weights() {
        let english = shown(Language::English);
        assert_eq!(english.quantity(-1_250, "gram"), "\u{2212}1.250 kg");
        assert_eq!(english.quantity(250, "gram"), "250 g");
        assert_eq!(english.quantity(12_000, "each"), "12,000");
    }

    #[test]
    fn spans_are_short() {
        let of = |s| span_words(Language::English, s);
        assert_eq!([of(0), of(59), of(60), of(3_900), of(90_000)], ["0 s", "59 s", "1 min", "1 h 5 min", "1 d 1 h"]);
        assert_eq!(span_words(Language::Chinese, 3_900), "1小时5分");
    }
}
