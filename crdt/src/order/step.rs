//! What became of a fulfillment, as the store that holds it says, and whoever drives its goods to the customer.

use super::OrderId;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Sku};
use crate::limits::{AMOUNT_MAX, ORDER_LINES_MAX, QUANTITY_MAX};
use crate::money::Unit;

/// What can be said about a fulfillment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// The store takes it.
    Accept = 1,
    /// The store does not take it; the note says why.
    Refuse = 2,
    /// Somebody picks it.
    StartPicking = 3,
    /// Lines were picked: of each line the last word counts.
    Pick = 4,
    /// Everything is in bags; the note says how many.
    Pack = 5,
    /// The bags are in a bay, which the note names.
    Stage = 6,
    /// The customer, or a courier, may come.
    Ready = 7,
    /// The customer is here; the note says where.
    Arrive = 8,
    /// Pickup: goods were given to the customer; the note says on what proof.
    HandOver = 9,
    /// The customer did not take lines that were held out, or may not have them.
    Decline = 10,
    /// Nobody came while it was kept.
    Uncollected = 11,
    /// Goods that were picked lie on the shelf again.
    PutBack = 12,
    /// The store confirms that units are cancelled.
    ConfirmCancel = 13,
    /// The store does not: they were handed over, or are on their way.
    DenyCancel = 14,
    /// The store gives it up because its home withdrew the offer.
    StandDown = 15,
    /// A code was tried and was wrong.
    WrongCode = 16,
    /// Age was checked: the note says by what document, never more.
    CheckAge = 17,
    /// It waits; the note says why.
    Hold = 18,
    /// It goes on.
    Resume = 19,
    /// A courier was asked for; the note names the delivery and its attempt.
    RequestCourier = 30,
    /// A courier took it.
    AssignCourier = 31,
    /// The courier is at the store.
    CourierAtStore = 32,
    /// Delivery: the goods left the store with a courier or rider.
    Dispatch = 33,
    /// They are with the customer; the note says on what proof.
    Deliver = 34,
    /// They could not be delivered; the note says why.
    FailDelivery = 35,
    /// They are on their way back.
    Return = 36,
    /// They are back in the store.
    Returned = 37,
    /// They are gone; the note says with whom.
    Lose = 38,
    /// No courier took it; somebody has to decide.
    CourierRefused = 39,
    /// A handheld takes it along to where the node cannot be reached: until it is brought back, or the time for that is over, only that
    /// handheld hands it over. The note is the hash of what the handheld shows for it.
    TakeAlong = 40,
    /// It is back from where it was taken along to.
    BringBack = 41,
}

/// Something was said about a fulfillment. Stands in `store/<id>/orders` of the store that it was offered to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FulfillmentStep {
    /// Of which order.
    pub order: OrderId,
    /// Of which offer.
    pub generation: u16,
    /// What.
    pub step: Step,
    /// About which lines; empty for all.
    pub lines: Vec<StepLine>,
    /// Why, where, or on what proof, in a word.
    pub note: Code,
    /// By whom.
    pub staff: Code,
    /// At which till or handheld, 0 for none.
    pub device: u32,
}

/// One line of a [`FulfillmentStep`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepLine {
    /// Which line of the order.
    pub line: u16,
    /// Pieces or grams; what was picked is a sum and not a difference.
    pub quantity: i64,
    /// Why there are fewer than offered; empty if nobody has to say.
    pub reason: Code,
    /// What was taken instead.
    pub substitute: Option<Substitute>,
}

/// The reason with which a store's node itself says that a line is missing: its promise was broken by sales, losses or counts before
/// anybody looked for the goods.
pub const OVERSOLD: &str = "sold or missing";

/// Other goods in place of what was ordered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Substitute {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// What the customer pays, minor units per piece or per kilogram: never more than for what was ordered.
    pub unit_price: i64,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Accept,
        Self::Refuse,
        Self::StartPicking,
        Self::Pick,
        Self::Pack,
        Self::Stage,
        Self::Ready,
        Self::Arrive,
        Self::HandOver,
        Self::Decline,
        Self::Uncollected,
        Self::PutBack,
        Self::ConfirmCancel,
        Self::DenyCancel,
        Self::StandDown,
        Self::WrongCode,
        Self::CheckAge,
        Self::Hold,
        Self::Resume,
        Self::RequestCourier,
        Self::AssignCourier,
        Self::CourierAtStore,
        Self::Dispatch,
        Self::Deliver,
        Self::FailDelivery,
        Self::Return,
        Self::Returned,
        Self::Lose,
        Self::CourierRefused,
        Self::TakeAlong,
        Self::BringBack,
    ];

    /// True for what only the store says: what its people decide, and what moves its goods. The rest is also known at the hub, where
    /// couriers report.
    pub fn is_of_store(self) -> bool {
        match self {
            Self::RequestCourier
            | Self::AssignCourier
            | Self::CourierAtStore
            | Self::Deliver
            | Self::FailDelivery
            | Self::Return
            | Self::Lose
            | Self::CourierRefused
            | Self::Arrive => false,
            Self::Accept
            | Self::Refuse
            | Self::StartPicking
            | Self::Pick
            | Self::Pack
            | Self::Stage
            | Self::Ready
            | Self::HandOver
            | Self::Decline
            | Self::Uncollected
            | Self::PutBack
            | Self::ConfirmCancel
            | Self::DenyCancel
            | Self::StandDown
            | Self::WrongCode
            | Self::CheckAge
            | Self::Hold
            | Self::Resume
            | Self::Dispatch
            | Self::Returned
            | Self::TakeAlong
            | Self::BringBack => true,
        }
    }

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
            Self::StartPicking => "start-picking",
            Self::Pick => "pick",
            Self::Pack => "pack",
            Self::Stage => "stage",
            Self::Ready => "ready",
            Self::Arrive => "arrive",
            Self::HandOver => "hand-over",
            Self::Decline => "decline",
            Self::Uncollected => "uncollected",
            Self::PutBack => "put-back",
            Self::ConfirmCancel => "confirm-cancel",
            Self::DenyCancel => "deny-cancel",
            Self::StandDown => "stand-down",
            Self::WrongCode => "wrong-code",
            Self::CheckAge => "check-age",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::RequestCourier => "request-courier",
            Self::AssignCourier => "assign-courier",
            Self::CourierAtStore => "courier-at-store",
            Self::Dispatch => "dispatch",
            Self::Deliver => "deliver",
            Self::FailDelivery => "fail-delivery",
            Self::Return => "return",
            Self::Returned => "returned",
            Self::Lose => "lose",
            Self::CourierRefused => "courier-refused",
            Self::TakeAlong => "take-along",
            Self::BringBack => "bring-back",
        }
    }

    /// Takes the word that [`Step::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

impl FulfillmentStep {
    /// What it says of one line: `None` when it is about other lines only.
    pub fn line(&self, line: u16) -> Option<&StepLine> {
        self.lines.iter().find(|said| said.line == line)
    }

    /// True when it is about a line.
    pub fn is_about(&self, line: u16) -> bool {
        self.lines.is_empty() || self.line(line).is_some()
    }

    /// Writes the step.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.order.encode(sink);
        sink.uint(col::C, u64::from(self.generation));
        sink.uint(col::A, self.step as u64);
        let has = [!self.lines.is_empty(), !self.note.is_empty(), !self.staff.is_empty(), self.device != 0];
        sink.uint(col::FLAGS, has.iter().enumerate().map(|(bit, has)| u64::from(*has) << bit).sum());
        if has[0] {
            sink.uint(col::LINE_COUNT, self.lines.len() as u64);
            self.lines.iter().for_each(|line| line.encode(sink));
        }
        if has[1] {
            self.note.encode(sink, col::REASON);
        }
        if has[2] {
            self.staff.encode(sink, col::STAFF);
        }
        if has[3] {
            sink.uint(col::TILL, u64::from(self.device));
        }
    }

    /// Reads what [`FulfillmentStep::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let order = OrderId::decode(source)?;
        let generation = source.u16(col::C)?;
        let number = source.uint(col::A)?;
        let step = Step::ALL.into_iter().find(|step| *step as u64 == number).ok_or(DecodeError::Value("step"))?;
        let flags = source.uint(col::FLAGS)?;
        let has = |bit: u64| flags >> bit & 1 == 1;
        let mut lines: Vec<StepLine> = Vec::new();
        let count = if has(0) { source.count(col::LINE_COUNT, ORDER_LINES_MAX, "lines of a step")? } else { 0 };
        for _ in 0..count {
            let line = StepLine::decode(source)?;
            if lines.last().is_some_and(|last| last.line >= line.line) {
                return Err(DecodeError::Value("lines"));
            }
            lines.push(line);
        }
        let note = if has(1) { Code::decode(source, col::REASON)? } else { Code::default() };
        let staff = if has(2) { Code::decode(source, col::STAFF)? } else { Code::default() };
        let device = if has(3) { source.u32(col::TILL)? } else { 0 };
        if flags >> 4 != 0 || generation == 0 {
            return Err(DecodeError::Value("step of a fulfillment"));
        }
        Ok(Self { order, generation, step, lines, note, staff, device })
    }
}

impl StepLine {
    fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::B, u64::from(self.line));
        sink.int(col::QUANTITY, self.quantity);
        let (has_reason, has_other) = (!self.reason.is_empty(), self.substitute.is_some());
        sink.uint(col::LINE_FLAGS, u64::from(has_reason) | u64::from(has_other) << 1);
        if has_reason {
            self.reason.encode(sink, col::REASON);
        }
        if let Some(other) = &self.substitute {
            other.sku.encode(sink);
            other.unit.encode(sink);
            sink.int(col::PRICE, other.unit_price);
        }
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let line = source.u16(col::B)?;
        let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
        let flags = source.uint(col::LINE_FLAGS)?;
        let reason = if flags & 1 == 1 { Code::decode(source, col::REASON)? } else { Code::default() };
        let substitute = if flags & 2 == 2 {
            let (sku, unit) = (Sku::decode(source)?, Unit::decode(source)?);
            Some(Substitute { sku, unit, unit_price: source.int_within(col::PRICE, AMOUNT_MAX, "price")? })
        } else {
            None
        };
        let is_priced_below = substitute.as_ref().is_some_and(|other| other.unit_price < 0);
        if quantity < 0 || flags >> 2 != 0 || is_priced_below {
            return Err(DecodeError::Value("line of a step"));
        }
        Ok(Self { line, quantity, reason, substitute })
    }
}
