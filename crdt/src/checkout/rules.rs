//! What tills have to follow: tax rates, hours of sale, and the rules of a store's tills.

use super::rounding::Rounding;
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Code, StoreId};
use crate::limits::AMOUNT_MAX;
use crate::order::rules::hours::Span;

/// "From `from_ms` on, goods with tax code `code` bear `rate_bp` in `area`." Stands in `catalog`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaxRate {
    /// The tenant's code, as products name it.
    pub code: Code,
    /// The tax area that stores name in their [`TillRules`]; empty for those without one.
    pub area: Code,
    /// From when it holds, milliseconds since 1970.
    pub from_ms: u64,
    /// In hundredths of a percent. `None` ends an earlier rate.
    pub rate_bp: Option<u32>,
    /// Prices contain the tax; otherwise it is added to them.
    pub inclusive: bool,
    /// How its fractions are rounded.
    pub rounding: Rounding,
    /// Rounded once for the receipt and spread over its lines; otherwise for each line.
    pub per_receipt: bool,
}

/// Goods of a department are sold at these hours only. Stands in `control`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaleHours {
    /// Of which department.
    pub department: Code,
    /// At which store; `None` for those that have no hours of their own.
    pub store: Option<StoreId>,
    /// Monday first; for each day in the order of time, none touching the next.
    pub week: [Vec<Span>; 7],
    /// The restriction was taken back.
    pub ended: bool,
}

/// What a store's tills follow. Stands in `control`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TillRules {
    /// For which store; `None` for those that have no rules of their own.
    pub store: Option<StoreId>,
    /// The rules were taken back: the wider ones hold, if there are any.
    pub ended: bool,
    /// Which tax rates hold.
    pub tax_area: Code,
    /// The smallest coin, minor units: cash totals are multiples of it. 0 and 1 for no rounding.
    pub cash_step: u32,
    /// How a cash total is rounded to it.
    pub cash_rounding: Rounding,
    /// The most that a card terminal may approve without asking its bank, minor units; 0 for nothing.
    pub floor_limit: i64,
    /// Who bears the loss of such an approval that the bank refuses.
    pub floor_bearer: Code,
    /// The most that a cashier takes off a line or pays out without a manager, minor units.
    pub cashier_limit: i64,
    /// The most that a drawer's count may differ before a manager has to confirm it, minor units.
    pub drawer_limit: i64,
    /// A sale needs an open shift.
    pub shift_needed: bool,
}

impl TaxRate {
    /// The cell's entity: code, area, start, so that the rates of one code lie together.
    pub fn entity(&self) -> Vec<u8> {
        let mut entity = Self::entities_of(&self.code, &self.area);
        entity.extend(self.from_ms.to_be_bytes());
        entity
    }

    /// What the entities of all rates of a code in an area begin with.
    pub fn entities_of(code: &Code, area: &Code) -> Vec<u8> {
        [code.as_str().as_bytes(), &[0], area.as_str().as_bytes(), &[0]].concat()
    }

    /// The tax on an amount at this rate: contained in it or to be added to it.
    pub fn on(&self, amount: i64) -> i64 {
        let (tax, whole) = self.fraction(amount);
        self.rounding.divide(tax, whole)
    }

    /// The same before it is rounded: numerator, and the denominator that all amounts at this rate have.
    pub fn fraction(&self, amount: i64) -> (i128, i128) {
        let rate = i128::from(self.rate_bp.unwrap_or(0));
        (i128::from(amount) * rate, if self.inclusive { 10_000 + rate } else { 10_000 })
    }

    /// Writes the rate.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.code.encode(sink, col::TAX_CODE);
        self.area.encode(sink, col::ENTITY);
        sink.uint(col::TIME, self.from_ms);
        sink.uint(col::TAX_RATE, self.rate_bp.map_or(0, |rate| u64::from(rate) + 1));
        sink.uint(col::FLAGS, u64::from(self.inclusive) << 1 | u64::from(self.per_receipt));
        self.rounding.encode(sink);
    }

    /// Reads what [`TaxRate::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let code = Code::decode(source, col::TAX_CODE)?;
        let area = Code::decode(source, col::ENTITY)?;
        let from_ms = source.uint(col::TIME)?;
        let rate_bp = source.uint(col::TAX_RATE)?.checked_sub(1);
        let rate_bp = rate_bp.map(u32::try_from).transpose().map_err(|_| DecodeError::Value("rate"))?;
        let flags = source.u8(col::FLAGS)?;
        let rounding = Rounding::decode(source)?;
        let (inclusive, per_receipt) = (flags & 2 != 0, flags & 1 != 0);
        let rate = Self { code, area, from_ms, rate_bp, inclusive, rounding, per_receipt };
        if flags > 3 {
            return Err(DecodeError::Value("flags"));
        }
        rate.validate().map_err(DecodeError::Value)?;
        Ok(rate)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.code.is_empty() {
            return Err("code");
        }
        if self.rate_bp.is_some_and(|rate| rate > RATE_BP_MAX) { Err("rate_bp") } else { Ok(()) }
    }
}

impl SaleHours {
    /// The cell's entity: department, then store.
    pub fn entity(&self) -> Vec<u8> {
        Self::entity_of(&self.department, self.store)
    }

    /// The entity of the hours of a department at a store, or everywhere.
    pub fn entity_of(department: &Code, store: Option<StoreId>) -> Vec<u8> {
        let store = store.map_or(0, |store| store.0).to_be_bytes();
        [department.as_str().as_bytes(), &[0], &store].concat()
    }

    /// True when goods may be sold at so many minutes after local midnight of a weekday, Monday being 0.
    pub fn allow(&self, weekday: usize, minute: u16) -> bool {
        let within = |day: usize, minute: u16| {
            self.week.get(day).is_some_and(|spans| spans.iter().any(|span| (span.from..span.until).contains(&minute)))
        };
        // Hours that began yesterday may go on after midnight.
        within(weekday, minute) || within((weekday + 6) % 7, minute + DAY_MIN)
    }

    /// Writes the hours.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.department.encode(sink, col::REFERENCE);
        sink.uint(col::STORE, self.store.map_or(0, |store| u64::from(store.0)));
        sink.uint(col::FLAGS, self.ended.into());
        for spans in &self.week {
            sink.uint(col::COUNT, spans.len() as u64);
            for span in spans {
                sink.uint(col::A, u64::from(span.from));
                sink.uint(col::A, u64::from(span.until));
            }
        }
    }

    /// Reads what [`SaleHours::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let department = Code::decode(source, col::REFERENCE)?;
        let store = store_of(source)?;
        let ended = source.flag(col::FLAGS)?;
        let mut week: [Vec<Span>; 7] = Default::default();
        for spans in &mut week {
            for _ in 0..source.count(col::COUNT, SPANS_MAX, "hours of a day")? {
                spans.push(Span { from: source.u16(col::A)?, until: source.u16(col::A)? });
            }
        }
        let hours = Self { department, store, week, ended };
        hours.validate().map_err(DecodeError::Value)?;
        Ok(hours)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.department.is_empty() {
            return Err("department");
        }
        let sound = |span: &Span| span.from < DAY_MIN && span.from < span.until && span.until <= span.from + DAY_MIN;
        let good = |spans: &Vec<Span>| {
            spans.len() <= SPANS_MAX
                && spans.iter().all(sound)
                && spans.windows(2).all(|two| two[0].until < two[1].from)
        };
        if self.week.iter().all(good) { Ok(()) } else { Err("week") }
    }
}

impl Default for TillRules {
    /// No tax area, no rounding of cash, no card approved unless its bank was asked, a manager for more than 20.00 off or out and for drawers
    /// that differ by more than 5.00, and no shift needed.
    fn default() -> Self {
        Self {
            store: None,
            ended: false,
            tax_area: Code::default(),
            cash_step: 0,
            cash_rounding: Rounding::HalfUp,
            floor_limit: 0,
            floor_bearer: Code::default(),
            cashier_limit: 2_000,
            drawer_limit: 500,
            shift_needed: false,
        }
    }
}

impl TillRules {
    /// The entity of the rules' cell.
    pub fn entity(&self) -> Vec<u8> {
        Self::entity_of(self.store)
    }

    /// The entity of the cell in which the rules of a store stand.
    pub fn entity_of(store: Option<StoreId>) -> Vec<u8> {
        let mut rows = Rows::default();
        rows.uint(col::STORE, store.map_or(0, |store| u64::from(store.0)));
        rows.into_bytes()
    }

    /// Those that hold for a store: its own, else those for everybody, else none.
    pub fn narrowest<'a>(rules: impl Iterator<Item = &'a Self>, store: StoreId) -> Option<&'a Self> {
        rules.filter(|it| !it.ended && it.store.is_none_or(|own| own == store)).max_by_key(|it| it.store)
    }

    /// Writes the rules.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, self.store.map_or(0, |store| u64::from(store.0)));
        sink.uint(col::FLAGS, u64::from(self.ended) << 1 | u64::from(self.shift_needed));
        self.tax_area.encode(sink, col::ENTITY);
        sink.uint(col::A, u64::from(self.cash_step));
        self.cash_rounding.encode(sink);
        sink.int(col::AMOUNT, self.floor_limit);
        self.floor_bearer.encode(sink, col::ENTITY);
        sink.int(col::AMOUNT, self.cashier_limit);
        sink.int(col::AMOUNT, self.drawer_limit);
    }

    /// Reads what [`TillRules::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let store = store_of(source)?;
        let flags = source.u8(col::FLAGS)?;
        if flags > 3 {
            return Err(DecodeError::Value("flags"));
        }
        let rules = Self {
            store,
            ended: flags & 2 != 0,
            shift_needed: flags & 1 != 0,
            tax_area: Code::decode(source, col::ENTITY)?,
            cash_step: source.u32(col::A)?,
            cash_rounding: Rounding::decode(source)?,
            floor_limit: source.int_within(col::AMOUNT, AMOUNT_MAX, "floor limit")?,
            floor_bearer: Code::decode(source, col::ENTITY)?,
            cashier_limit: source.int_within(col::AMOUNT, AMOUNT_MAX, "cashier limit")?,
            drawer_limit: source.int_within(col::AMOUNT, AMOUNT_MAX, "drawer limit")?,
        };
        rules.validate().map_err(DecodeError::Value)?;
        Ok(rules)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        let amounts = [
            ("floor_limit", self.floor_limit),
            ("cashier_limit", self.cashier_limit),
            ("drawer_limit", self.drawer_limit),
        ];
        if let Some((field, _)) = amounts.into_iter().find(|(_, amount)| !(0..=AMOUNT_MAX).contains(amount)) {
            return Err(field);
        }
        if self.cash_step > CASH_STEP_MAX { Err("cash_step") } else { Ok(()) }
    }
}

fn store_of(source: &mut impl Source) -> Result<Option<StoreId>, DecodeError> {
    let store = source.u32(col::STORE)?;
    Ok((store != 0).then_some(StoreId(store)))
}

/// Ten times the price: no tax on goods is higher.
const RATE_BP_MAX: u32 = 100_000;

/// A thousand major units: no smallest coin is larger.
const CASH_STEP_MAX: u32 = 100_000;

/// Minutes of a day.
const DAY_MIN: u16 = 1_440;

/// Morning, afternoon, evening and one more.
const SPANS_MAX: usize = 4;
