//! Promotions: what is cheaper, when, where, for whom and together with what. Part of a price book.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Sku, StoreId};
use crate::limits::{AMOUNT_MAX, NAME_BYTES_MAX, PROMOTION_GOODS_MAX, PROMOTION_STORES_MAX};

/// A promotion of a price book. Stands in `prices/<book>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Promotion {
    /// The price book.
    pub book: Code,
    /// Its own name in the book.
    pub id: Code,
    /// What the receipt calls it, 1-200 bytes.
    pub name: String,
    /// From when it holds, milliseconds since 1970.
    pub from_ms: u64,
    /// Until when, not included; 0 for ever.
    pub until_ms: u64,
    /// It was taken back.
    pub ended: bool,
    /// Only for members.
    pub members_only: bool,
    /// At which stores, ascending; empty for all of the book.
    pub stores: Vec<StoreId>,
    /// For these products, ascending ...
    pub skus: Vec<Sku>,
    /// ... and all of these departments, ascending. Both empty: for everything.
    pub departments: Vec<Code>,
    /// What it gives.
    pub gives: Gives,
    /// The higher is tried first.
    pub priority: u8,
    /// Units that it has reduced are reduced by no other promotion.
    pub exclusive: bool,
    /// How often it is given in one basket; 0 for as often as it fits.
    pub per_basket: u16,
}

/// What a promotion gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gives {
    /// Hundredths of a percent off each line.
    Percent(u32),
    /// Minor units off each piece, or each kilogram.
    Off(i64),
    /// Each piece, or each kilogram, costs this instead, if that is less.
    Price(i64),
    /// Of every `buy + get` pieces the cheapest `get` are reduced by hundredths of a percent: 10,000 for nothing to pay.
    BuyGet {
        /// Pieces at the full price.
        buy: u16,
        /// Pieces that are reduced.
        get: u16,
        /// By how much.
        off_bp: u32,
    },
    /// So many pieces together cost this, if that is less.
    Bundle {
        /// How many.
        units: u16,
        /// Together, minor units.
        price: i64,
    },
    /// Minor units off all its goods together, when they come to at least this much.
    Basket {
        /// Minor units that they have to come to.
        from: i64,
        /// Off.
        off: i64,
    },
}

impl Promotion {
    /// The cell's entity. The book is named by the scope.
    pub fn entity(&self) -> Vec<u8> {
        self.id.as_str().as_bytes().to_vec()
    }

    /// True when it holds at a store at a moment.
    pub fn holds(&self, store: StoreId, at_ms: u64) -> bool {
        let in_time = self.from_ms <= at_ms && (self.until_ms == 0 || at_ms < self.until_ms);
        !self.ended && in_time && (self.stores.is_empty() || self.stores.binary_search(&store).is_ok())
    }

    /// True when it is about a product of a department.
    pub fn is_about(&self, sku: &Sku, department: &Code) -> bool {
        let all = self.skus.is_empty() && self.departments.is_empty();
        all || self.skus.binary_search(sku).is_ok() || self.departments.binary_search(department).is_ok()
    }

    /// Writes the promotion.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.book.encode(sink, col::REFERENCE);
        self.id.encode(sink, col::REASON);
        sink.blob(col::NAME, self.name.as_bytes());
        sink.uint(col::TIME, self.from_ms);
        sink.uint(col::TIME, self.until_ms);
        let flags = u64::from(self.ended) << 2 | u64::from(self.members_only) << 1 | u64::from(self.exclusive);
        sink.uint(col::FLAGS, flags);
        sink.uint(col::COUNT, self.stores.len() as u64);
        self.stores.iter().for_each(|store| sink.uint(col::STORE, u64::from(store.0)));
        sink.uint(col::COUNT, self.skus.len() as u64);
        self.skus.iter().for_each(|sku| sku.encode(sink));
        sink.uint(col::COUNT, self.departments.len() as u64);
        self.departments.iter().for_each(|department| department.encode(sink, col::REFERENCE));
        self.gives.encode(sink);
        sink.uint(col::A, u64::from(self.priority));
        sink.uint(col::B, u64::from(self.per_basket));
    }

    /// Reads what [`Promotion::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let book = Code::decode(source, col::REFERENCE)?;
        let id = Code::decode(source, col::REASON)?;
        let name = source.text(col::NAME, NAME_BYTES_MAX)?;
        let (from_ms, until_ms) = (source.uint(col::TIME)?, source.uint(col::TIME)?);
        let flags = source.u8(col::FLAGS)?;
        if flags > 7 {
            return Err(DecodeError::Value("flags"));
        }
        let mut stores = Vec::new();
        for _ in 0..source.count(col::COUNT, PROMOTION_STORES_MAX, "stores of a promotion")? {
            stores.push(StoreId(source.u32(col::STORE)?));
        }
        let mut skus = Vec::new();
        for _ in 0..source.count(col::COUNT, PROMOTION_GOODS_MAX, "products of a promotion")? {
            skus.push(Sku::decode(source)?);
        }
        let mut departments = Vec::new();
        for _ in 0..source.count(col::COUNT, PROMOTION_GOODS_MAX, "departments of a promotion")? {
            departments.push(Code::decode(source, col::REFERENCE)?);
        }
        let promotion = Self {
            book,
            id,
            name,
            from_ms,
            until_ms,
            ended: flags & 4 != 0,
            members_only: flags & 2 != 0,
            stores,
            skus,
            departments,
            gives: Gives::decode(source)?,
            priority: source.u8(col::A)?,
            exclusive: flags & 1 != 0,
            per_basket: source.u16(col::B)?,
        };
        promotion.validate().map_err(DecodeError::Value)?;
        Ok(promotion)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        let ascending = |ordered: bool, field| if ordered { Ok(()) } else { Err(field) };
        if self.book.is_empty() {
            return Err("book");
        }
        if self.id.is_empty() {
            return Err("id");
        }
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Err("name");
        }
        if self.until_ms != 0 && self.until_ms <= self.from_ms {
            return Err("until");
        }
        ascending(self.stores.len() <= PROMOTION_STORES_MAX && is_ascending(&self.stores), "stores")?;
        ascending(self.skus.len() <= PROMOTION_GOODS_MAX && is_ascending(&self.skus), "skus")?;
        ascending(self.departments.len() <= PROMOTION_GOODS_MAX && is_ascending(&self.departments), "departments")?;
        self.gives.validate()
    }
}

impl Gives {
    fn encode(self, sink: &mut impl Sink) {
        match self {
            Self::Percent(bp) => {
                sink.uint(col::KEY, 0);
                sink.uint(col::C, u64::from(bp));
            }
            Self::Off(amount) => {
                sink.uint(col::KEY, 1);
                sink.int(col::AMOUNT, amount);
            }
            Self::Price(amount) => {
                sink.uint(col::KEY, 2);
                sink.int(col::AMOUNT, amount);
            }
            Self::BuyGet { buy, get, off_bp } => {
                sink.uint(col::KEY, 3);
                [u64::from(buy), u64::from(get), u64::from(off_bp)].into_iter().for_each(|n| sink.uint(col::C, n));
            }
            Self::Bundle { units, price } => {
                sink.uint(col::KEY, 4);
                sink.uint(col::C, u64::from(units));
                sink.int(col::AMOUNT, price);
            }
            Self::Basket { from, off } => {
                sink.uint(col::KEY, 5);
                sink.int(col::AMOUNT, from);
                sink.int(col::AMOUNT, off);
            }
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        fn amount(source: &mut impl Source) -> Result<i64, DecodeError> {
            source.int_within(col::AMOUNT, AMOUNT_MAX, "amount")
        }
        Ok(match source.uint(col::KEY)? {
            0 => Self::Percent(source.u32(col::C)?),
            1 => Self::Off(amount(source)?),
            2 => Self::Price(amount(source)?),
            3 => Self::BuyGet { buy: source.u16(col::C)?, get: source.u16(col::C)?, off_bp: source.u32(col::C)? },
            4 => Self::Bundle { units: source.u16(col::C)?, price: amount(source)? },
            5 => Self::Basket { from: amount(source)?, off: amount(source)? },
            _ => return Err(DecodeError::Value("promotion")),
        })
    }

    fn validate(self) -> Result<(), &'static str> {
        let (percent, money) =
            (|bp: u32| (1..=WHOLE_BP).contains(&bp), |amount: i64| (0..=AMOUNT_MAX).contains(&amount));
        let sound = match self {
            Self::Percent(bp) => percent(bp),
            Self::Off(amount) => amount > 0 && money(amount),
            Self::Price(amount) => money(amount),
            Self::BuyGet { buy, get, off_bp } => buy > 0 && get > 0 && percent(off_bp),
            Self::Bundle { units, price } => units > 1 && money(price),
            Self::Basket { from, off } => money(from) && off > 0 && money(off),
        };
        if sound { Ok(()) } else { Err("gives") }
    }
}

fn is_ascending<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|two| two[0] < two[1])
}

/// All of it, in hundredths of a percent.
const WHOLE_BP: u32 = 10_000;
