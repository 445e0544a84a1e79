//! Stock counts: a reset with a causal cut, never a difference.
//!
//! Each scan is an entry of its own, so its position in the log *is* the cut: what the log holds before it was on the shelf
//! or gone when the counter looked. A session may begin with a sheet of what is to be counted. Closing a session sums the zones of each SKU. If the SKU moved between its first and its
//! last scan, nobody can say which zone it left: the line is ambiguous and asks for a recount.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Code, Sku};
use crate::limits::{CUT_LOGS_MAX, LINES_MAX, QUANTITY_MAX};
use crate::money::Unit;

/// What is to be counted in a session, written down before anybody counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountOpen {
    /// The session: any number that the counters share.
    pub session: u64,
    /// How the sheet was made.
    pub sheet: Sheet,
    /// Counters do not see the book's figure.
    pub blind: bool,
    /// Who opened it.
    pub staff: Code,
    /// The products of the sheet. Others may be counted as well.
    pub lines: Vec<(Sku, Unit)>,
}

/// How a count's sheet was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sheet {
    /// Of products that somebody listed.
    Listed,
    /// Of the products of a department.
    Department(Code),
    /// Of everything that the book says is there, or owed.
    InBook,
}

/// A counter saw `quantity` of `sku` in `zone`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountScan {
    /// The session: any number that the counters share.
    pub session: u64,
    /// Shelf, back room, staging: summed before the reset.
    pub zone: Code,
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many lie there. A second scan of the same zone and SKU by the same counter replaces the first.
    pub quantity: i64,
    /// It settles the zone: what others found there before does not count any more.
    pub settles: bool,
    /// Who counted.
    pub staff: Code,
}

/// A session is closed: the book is reset for these SKUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountClose {
    /// Which session.
    pub session: u64,
    /// Who closed it.
    pub staff: Code,
    /// How far the store's other logs were known when the session was closed. What they brought between a scan and the
    /// closing counts as covered, although the counter could not see it.
    pub others: Vec<(Actor, u64)>,
    /// The counted SKUs.
    pub lines: Vec<CountLine>,
}

/// The sum over the zones of one SKU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountLine {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many in all zones together.
    pub quantity: i64,
    /// Position of the last scan in the closing node's log: everything up to it is in the figure.
    pub cut: u64,
    /// When the last scan was made, milliseconds since 1970.
    pub scanned_ms: u64,
    /// The SKU moved while its zones were being counted.
    pub ambiguous: bool,
}

impl CountOpen {
    /// Writes the sheet.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, self.session);
        match &self.sheet {
            Sheet::Listed => sink.uint(col::B, 0),
            Sheet::InBook => sink.uint(col::B, 1),
            Sheet::Department(department) => {
                sink.uint(col::B, 2);
                department.encode(sink, col::REFERENCE);
            }
        }
        sink.uint(col::FLAGS, self.blind.into());
        self.staff.encode(sink, col::STAFF);
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        for (sku, unit) in &self.lines {
            sku.encode(sink);
            unit.encode(sink);
        }
    }

    /// Reads what [`CountOpen::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let session = source.uint(col::A)?;
        let sheet = match source.uint(col::B)? {
            0 => Sheet::Listed,
            1 => Sheet::InBook,
            2 => Sheet::Department(Code::decode(source, col::REFERENCE)?),
            _ => return Err(DecodeError::Value("sheet")),
        };
        let blind = source.flag(col::FLAGS)?;
        let staff = Code::decode(source, col::STAFF)?;
        let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push((Sku::decode(source)?, Unit::decode(source)?));
        }
        let names: std::collections::BTreeSet<_> = lines.iter().collect();
        if names.len() < lines.len() {
            return Err(DecodeError::Value("count: a product stands twice"));
        }
        Ok(Self { session, sheet, blind, staff, lines })
    }
}

impl CountScan {
    /// Writes the scan.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, self.session);
        self.zone.encode(sink, col::REFERENCE);
        self.sku.encode(sink);
        self.unit.encode(sink);
        sink.int(col::QUANTITY, self.quantity);
        sink.uint(col::FLAGS, self.settles.into());
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`CountScan::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let session = source.uint(col::A)?;
        let zone = Code::decode(source, col::REFERENCE)?;
        let sku = Sku::decode(source)?;
        let unit = Unit::decode(source)?;
        let quantity = decode_counted(source)?;
        let settles = source.flag(col::FLAGS)?;
        Ok(Self { session, zone, sku, unit, quantity, settles, staff: Code::decode(source, col::STAFF)? })
    }
}

impl CountClose {
    /// Writes the reset.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, self.session);
        self.staff.encode(sink, col::STAFF);
        sink.uint(col::COUNT, self.others.len() as u64);
        for (actor, seq) in &self.others {
            actor.encode(sink);
            sink.uint(col::SEQ, *seq);
        }
        sink.uint(col::LINE_COUNT, self.lines.len() as u64);
        for line in &self.lines {
            line.sku.encode(sink);
            line.unit.encode(sink);
            sink.int(col::QUANTITY, line.quantity);
            sink.uint(col::POSITION, line.cut);
            sink.uint(col::TIME, line.scanned_ms);
            sink.uint(col::LINE_FLAGS, line.ambiguous.into());
        }
    }

    /// Reads what [`CountClose::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let session = source.uint(col::A)?;
        let staff = Code::decode(source, col::STAFF)?;
        let count = source.count(col::COUNT, CUT_LOGS_MAX, "logs of a cut")?;
        let mut others = Vec::new();
        for _ in 0..count {
            others.push((Actor::decode(source)?, source.uint(col::SEQ)?));
        }
        let count = source.count(col::LINE_COUNT, LINES_MAX, "lines")?;
        let mut lines = Vec::new();
        for _ in 0..count {
            let sku = Sku::decode(source)?;
            let unit = Unit::decode(source)?;
            let quantity = decode_counted(source)?;
            let cut = source.uint(col::POSITION)?;
            let scanned_ms = source.uint(col::TIME)?;
            let ambiguous = source.flag(col::LINE_FLAGS)?;
            lines.push(CountLine { sku, unit, quantity, cut, scanned_ms, ambiguous });
        }
        let names: std::collections::BTreeSet<_> = lines.iter().map(|line| (&line.sku, line.unit)).collect();
        if names.len() < lines.len() {
            return Err(DecodeError::Value("count: a product stands twice"));
        }
        Ok(Self { session, staff, others, lines })
    }
}

fn decode_counted(source: &mut impl Source) -> Result<i64, DecodeError> {
    let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
    if quantity < 0 { Err(DecodeError::Value("quantity")) } else { Ok(quantity) }
}
