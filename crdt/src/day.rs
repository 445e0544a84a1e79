//! Business days: events, not a function of the clock.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::Code;

/// A business day begins. `number` grows strictly, whatever the clock says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayOpen {
    /// 1 for the store's first day, then one more each time.
    pub number: u32,
    /// The date on it, days since 1970, in the store's zone.
    pub date: u32,
    /// Who opened it; empty when the first sale did.
    pub staff: Code,
}

/// A business day ends. Sales that arrive afterwards post to the next one, marked late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayClose {
    /// Which day.
    pub number: u32,
    /// Who closed it; empty when it rolled over by itself.
    pub staff: Code,
}

impl DayOpen {
    /// Writes number, date and staff.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::DAY, u64::from(self.number));
        sink.uint(col::TIME, u64::from(self.date));
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`DayOpen::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let number = source.u32(col::DAY)?;
        let date = source.u32(col::TIME)?;
        Ok(Self { number, date, staff: Code::decode(source, col::STAFF)? })
    }
}

impl DayClose {
    /// Writes number and staff.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::DAY, u64::from(self.number));
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`DayClose::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { number: source.u32(col::DAY)?, staff: Code::decode(source, col::STAFF)? })
    }
}
