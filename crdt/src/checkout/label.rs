//! Labels on shelves: which price each shows, and which has to be changed.
//!
//! A change of a price, also one that is put down ahead of its start, makes a task at every store of the price book: nobody writes it down, it
//! follows from the prices and from the labels that staff said they put up. Goods whose label nobody ever changed bear their first price.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Sku};
use crate::limits::AMOUNT_MAX;
use crate::price::Price;

/// Somebody put a label up. Stands in `store/<id>/stock`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelDone {
    /// On which product's shelf.
    pub sku: Sku,
    /// Which price it shows: the one that holds from this moment on, milliseconds since 1970 ...
    pub from_ms: u64,
    /// ... in minor units; `None` where the label was taken off, because the price has ended.
    pub minor: Option<i64>,
    /// By whom.
    pub staff: Code,
}

/// A label that has to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// What it shows now; `None` for no label.
    pub shows: Option<i64>,
    /// What it has to show; `None` to take it off.
    pub minor: Option<i64>,
    /// From when that price holds, milliseconds since 1970.
    pub from_ms: u64,
}

impl LabelDone {
    /// The cell's entity.
    pub fn entity(&self) -> Vec<u8> {
        self.sku.as_str().as_bytes().to_vec()
    }

    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.sku.encode(sink);
        sink.uint(col::TIME, self.from_ms);
        sink.uint(col::FLAGS, self.minor.is_some().into());
        if let Some(minor) = self.minor {
            sink.int(col::PRICE, minor);
        }
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`LabelDone::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (sku, from_ms) = (Sku::decode(source)?, source.uint(col::TIME)?);
        let minor = match source.flag(col::FLAGS)? {
            true => Some(source.int_within(col::PRICE, AMOUNT_MAX, "price")?),
            false => None,
        };
        if minor.is_some_and(|minor| minor < 0) {
            return Err(DecodeError::Value("price"));
        }
        Ok(Self { sku, from_ms, minor, staff: Code::decode(source, col::STAFF)? })
    }
}

/// What has to be done about a product's label, if anything has to: given all its prices in a book, ascending by their starts, the label that
/// was put up last, and how long before its start a price is put up.
pub fn change(prices: &[Price], done: Option<&LabelDone>, now_ms: u64, ahead_ms: u64) -> Option<Change> {
    let first = prices.first()?;
    let shows = done.map_or(first.minor, |done| done.minor);
    let in_force = prices.iter().rev().find(|price| price.from_ms <= now_ms);
    let soon = prices.iter().find(|price| price.from_ms > now_ms && price.from_ms <= now_ms.saturating_add(ahead_ms));
    let wanted = |price: &Price| Change { shows, minor: price.minor, from_ms: price.from_ms };
    // Somebody was early: the label of a price that is to come stays, as long as that price does.
    let is_early = |done: &LabelDone| soon.is_some_and(|soon| done.from_ms == soon.from_ms && done.minor == soon.minor);
    if done.is_some_and(is_early) {
        return None;
    }
    let due = in_force.filter(|price| price.minor != shows);
    due.or(soon.filter(|price| price.minor != shows)).map(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    const HOUR: u64 = 3_600_000;

    fn price(from_ms: u64, minor: Option<i64>) -> Price {
        let code = Code::parse("main").unwrap();
        let currency = Currency::parse("EUR").unwrap();
        Price { book: code, sku: Sku::parse("TEA").unwrap(), from_ms, minor, currency }
    }

    fn label(from_ms: u64, minor: Option<i64>) -> LabelDone {
        LabelDone { sku: Sku::parse("TEA").unwrap(), from_ms, minor, staff: Code::parse("ann").unwrap() }
    }

    #[test]
    fn a_label_is_changed_when_its_price_does_and_not_before_it_is_near() {
        let prices = [price(0, Some(100)), price(50 * HOUR, Some(120))];
        let at = |hour: u64, done: Option<&LabelDone>| change(&prices, done, hour * HOUR, 24 * HOUR);
        assert_eq!(at(10, None), None, "nobody puts a label up two days early");
        let wanted = Some(Change { shows: Some(100), minor: Some(120), from_ms: 50 * HOUR });
        assert_eq!((at(26, None), at(60, None)), (wanted, wanted));
        let early = label(50 * HOUR, Some(120));
        assert_eq!((at(26, Some(&early)), at(60, Some(&early))), (None, None));
        assert_eq!(at(60, Some(&label(0, Some(100)))), wanted);
    }

    #[test]
    fn a_first_price_an_equal_one_and_one_that_is_taken_back_are_looked_at() {
        assert_eq!(change(&[price(5, Some(100))], None, 10, 0), None, "the goods came with their first label");
        assert_eq!(change(&[], None, 10, 0), None);
        let same = [price(1, Some(100)), price(5, Some(100))];
        assert_eq!(change(&same, None, 10, 0), None, "the label says so already");
        let back = [price(1, Some(100)), price(5, Some(120)), price(8, Some(100))];
        assert_eq!(change(&back, None, 10, 0), None);
        assert_eq!(change(&back, Some(&label(5, Some(120))), 10, 0).map(|it| it.minor), Some(Some(100)));
        let ended = [price(1, Some(100)), price(5, None)];
        assert_eq!(change(&ended, None, 10, 0), Some(Change { shows: Some(100), minor: None, from_ms: 5 }));
        assert_eq!(change(&ended, Some(&label(5, None)), 10, 0), None);
    }

    #[test]
    fn an_early_label_of_a_price_that_was_taken_back_is_changed_again() {
        let prices = [price(0, Some(100))];
        let early = label(50, Some(120));
        let wanted = Change { shows: Some(120), minor: Some(100), from_ms: 0 };
        assert_eq!(change(&prices, Some(&early), 40, 24), Some(wanted));
    }
}
