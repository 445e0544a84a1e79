//! A basket on its way to a receipt: what it costs and why, how it is paid, who may do what, and what lies in the drawer.
//!
//! | module | what it knows |
//! |---|---|
//! | [`rounding`] | how a fraction of a minor unit becomes a whole one |
//! | [`rules`] | tax rates, hours of sale, and what else a store's tills have to follow |
//! | [`promotion`] | what is cheaper, when, where and with what |
//! | [`quote`] | what a basket costs, and why |
//! | [`basket`] | baskets that wait: suspended, a counter's slip, or while a terminal is asked |
//! | [`tender`] | what was asked of a payment terminal, and what it said |
//! | [`label`] | labels on shelves, and which have to be changed |
//! | [`shift`] | who has a drawer, from when to when, and what was in it |
//! | [`staff`] | people, and what they may do |
//!
//! A sale itself is [`crate::sale::Sale`], whoever priced it. [`Checkout`] stands beside one that this node priced, in the same commit, and explains it.

pub mod basket;
pub mod label;
pub mod promotion;
pub mod quote;
pub mod rounding;
pub mod rules;
pub mod shift;
pub mod staff;
pub mod tender;

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::Code;
use crate::limits::{AMOUNT_MAX, LINES_MAX, REDUCTIONS_MAX, TENDERS_MAX};
use crate::sale::ReceiptNumber;
use basket::BasketId;
use tender::Assurance;

/// How a receipt came to its prices. Stands in `store/<id>/stock` beside the sale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkout {
    /// Of which receipt.
    pub receipt: ReceiptNumber,
    /// In which shift of the till, 0 while none was open.
    pub shift: u32,
    /// The basket that was paid, a counter's slip before the cash desk's own; none for one that never waited.
    pub basket: Option<BasketId>,
    /// For each line of the sale.
    pub lines: Vec<Explanation>,
    /// How sure the money is, for each tender of the sale.
    pub assured: Vec<Assurance>,
}

/// Why a line costs what it costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// Where the price per unit comes from.
    pub source: PriceSource,
    /// What was taken off, in the order in which it was.
    pub reductions: Vec<Reduction>,
    /// What would have stopped the line, had nobody approved it.
    pub stops: Vec<Stop>,
}

/// Where a price comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PriceSource {
    /// The store's price book: the price that holds since this moment, milliseconds since 1970.
    Book(u64),
    /// The code on the package.
    Code,
    /// Somebody with the right to do so entered it.
    Entered,
}

/// Something that was taken off a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reduction {
    /// By which promotion; empty for what somebody entered, and for what grams times price come to beyond the price on a package's label.
    pub promotion: Code,
    /// Minor units, in the sign of the line.
    pub amount: i64,
}

/// Why a line may not be sold just so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stop {
    /// The product, or this lot of it, is recalled.
    Recall = 0,
    /// The buyer's age has to be checked.
    Age = 1,
    /// The law or the licence does not allow it at this hour.
    Hours = 2,
    /// The lot's date has passed.
    Expired = 3,
    /// It is not sold at tills.
    Excluded = 4,
}

impl Stop {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Recall, Self::Age, Self::Hours, Self::Expired, Self::Excluded];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recall => "recall",
            Self::Age => "age",
            Self::Hours => "hours",
            Self::Expired => "expired",
            Self::Excluded => "excluded",
        }
    }

    /// Takes the word that [`Stop::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stop| stop.as_str() == text)
    }
}

impl Checkout {
    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.receipt.encode(sink);
        sink.uint(col::A, u64::from(self.shift));
        encode_basket(self.basket, sink);
        encode_lines(&self.lines, sink);
        encode_assured(&self.assured, sink);
    }

    /// Reads what [`Checkout::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let receipt = ReceiptNumber::decode(source)?;
        let shift = source.u32(col::A)?;
        let basket = decode_basket(source)?;
        let lines = decode_lines(source)?;
        Ok(Self { receipt, shift, basket, lines, assured: decode_assured(source)? })
    }
}

pub(crate) fn encode_basket(basket: Option<BasketId>, sink: &mut impl Sink) {
    sink.uint(col::D, basket.is_some().into());
    if let Some(basket) = basket {
        basket.encode(sink);
    }
}

pub(crate) fn decode_basket(source: &mut impl Source) -> Result<Option<BasketId>, DecodeError> {
    if source.flag(col::D)? { BasketId::decode(source).map(Some) } else { Ok(None) }
}

pub(crate) fn encode_assured(assured: &[Assurance], sink: &mut impl Sink) {
    sink.uint(col::TENDER_COUNT, assured.len() as u64);
    assured.iter().for_each(|assurance| sink.uint(col::C, *assurance as u64));
}

pub(crate) fn decode_assured(source: &mut impl Source) -> Result<Vec<Assurance>, DecodeError> {
    let count = source.count(col::TENDER_COUNT, TENDERS_MAX, "tenders")?;
    (0..count).map(|_| Assurance::decode(source)).collect()
}

pub(crate) fn encode_lines(lines: &[Explanation], sink: &mut impl Sink) {
    sink.uint(col::LINE_COUNT, lines.len() as u64);
    lines.iter().for_each(|line| line.encode(sink));
}

pub(crate) fn decode_lines(source: &mut impl Source) -> Result<Vec<Explanation>, DecodeError> {
    let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
    let mut lines = Vec::new();
    for _ in 0..count {
        lines.push(Explanation::decode(source)?);
    }
    Ok(lines)
}

impl Explanation {
    fn encode(&self, sink: &mut impl Sink) {
        let (code, since) = match self.source {
            PriceSource::Book(since) => (0, Some(since)),
            PriceSource::Code => (1, None),
            PriceSource::Entered => (2, None),
        };
        let stops = self.stops.iter().fold(0, |bits: u64, stop| bits | 1 << *stop as u8);
        sink.uint(col::LINE_FLAGS, stops << 2 | code);
        if let Some(since) = since {
            sink.uint(col::TIME, since);
        }
        sink.uint(col::COUNT, self.reductions.len() as u64);
        for reduction in &self.reductions {
            reduction.promotion.encode(sink, col::REFERENCE);
            sink.int(col::DISCOUNT, reduction.amount);
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let flags = source.uint(col::LINE_FLAGS)?;
        let from = match flags & 3 {
            0 => PriceSource::Book(source.uint(col::TIME)?),
            1 => PriceSource::Code,
            2 => PriceSource::Entered,
            _ => return Err(DecodeError::Value("price source")),
        };
        if flags >> 2 >= 1 << Stop::ALL.len() {
            return Err(DecodeError::Value("stops"));
        }
        let stops = Stop::ALL.into_iter().filter(|stop| flags >> 2 & 1 << *stop as u8 != 0).collect();
        let mut reductions = Vec::new();
        for _ in 0..source.count(col::COUNT, REDUCTIONS_MAX, "reductions")? {
            let promotion = Code::decode(source, col::REFERENCE)?;
            let amount = source.int_within(col::DISCOUNT, AMOUNT_MAX, "discount")?;
            reductions.push(Reduction { promotion, amount });
        }
        Ok(Self { source: from, reductions, stops })
    }
}
