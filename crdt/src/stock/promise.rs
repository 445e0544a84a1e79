//! Promises: goods of one account kept for a customer, and what became of them.
//!
//! A promise is made by whoever holds the right (its issuer) and lives until the home of the goods closes it. The issuer may
//! confirm it and may ask for its release; only the home says that goods were picked, handed over, put back or are missing.
//! So handover against release is decided in one log. What is said is never unsaid; [`Said::state`] looks at all of it.

use std::fmt;

use super::Position;
use super::rights::Account;
use crate::clock::Hlc;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Code};
use crate::limits::QUANTITY_MAX;
use crate::product::Channel;

/// Names a promise: who made it, and a random number of its own, so that both histories of a forked log keep theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromiseId {
    /// Who made it.
    pub issuer: Actor,
    /// Drawn when it was made.
    pub number: u64,
}

/// What stands behind a promise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Claim {
    /// A right to one unit in the book for each unit promised.
    Hard = 0,
    /// A right of the overbooking budget: the customer was told that it will be confirmed.
    Soft = 1,
}

/// Goods are promised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Promise {
    /// Its name; the issuer is the writer of the log.
    pub id: PromiseId,
    /// Which goods, where.
    pub account: Account,
    /// How many units, at least 1.
    pub quantity: u64,
    /// What stands behind it.
    pub claim: Claim,
    /// How the customer gets the goods.
    pub channel: Channel,
    /// When goods are missing, the lower priority goes without first.
    pub priority: u8,
    /// When it ends unless it is confirmed, milliseconds since 1970; 0 if it does not need to be, since an order stands behind it.
    pub until_ms: u64,
    /// When the customer wants the goods, milliseconds since 1970; 0 if nothing was said.
    pub wanted_ms: u64,
    /// The order for which it was made, empty if there is none yet.
    pub reference: Code,
    /// The broken promise in whose place it was made.
    pub replaces: Option<PromiseId>,
}

/// What can be said about a promise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// The issuer: the customer wants it, it does not end by itself any more.
    Confirm = 1,
    /// The issuer: the customer does not want it any more.
    AskRelease = 2,
    /// The issuer: it was not confirmed in time.
    Expire = 3,
    /// The issuer: a right to goods stands behind a promise that was soft.
    Harden = 4,
    /// The home: goods were taken off the shelf for it. No walk-in can take them any more.
    Pick = 10,
    /// The home: picked goods went back to the shelf.
    PutBack = 11,
    /// The home: the goods were handed over.
    Fulfil = 12,
    /// The home: it is over, the goods are free.
    Release = 13,
    /// The home: somebody looked, and the goods are not there.
    NotFound = 14,
}

/// Something was said about a promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PromiseStep {
    /// About which.
    pub promise: PromiseId,
    /// What.
    pub step: Step,
    /// Units that were found when it was picked, fewer than promised; 0 for all. The rest of the promise is over.
    pub found: u64,
    /// Why, or where: a reason, a bay.
    pub note: Code,
    /// By whom.
    pub staff: Code,
}

/// Promised goods leave the store: handed over to the customer or to a courier. The movement of what [`Step::Fulfil`] says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoodsIssue {
    /// For which promise.
    pub promise: PromiseId,
    /// Which goods.
    pub account: Account,
    /// How many units, at least 1.
    pub quantity: i64,
    /// Who handed them over.
    pub staff: Code,
}

/// Where a promise stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Goods are kept, the customer has not confirmed.
    Held,
    /// The customer counts on it.
    Confirmed,
    /// Its issuer asked for its release; the home has not answered.
    Releasing,
    /// Its goods lie apart from the shelf.
    Staged,
    /// Its goods were handed over.
    Fulfilled,
    /// It is over, its goods are free.
    Released,
    /// Its goods were missing; compensation is due.
    Shorted,
}

impl PromiseId {
    /// Takes what `Display` gives, e.g. `7.1-00000000000000ff`.
    pub fn parse(text: &str) -> Option<Self> {
        let (actor, number) = text.split_once('-')?;
        let (node, epoch) = actor.split_once('.')?;
        let issuer = Actor::new(node.parse().ok()?, epoch.parse().ok()?);
        let id = Self { issuer, number: u64::from_str_radix(number, 16).ok()? };
        (id.to_string() == text).then_some(id)
    }

    /// Writes issuer and number.
    pub fn encode(self, sink: &mut impl Sink) {
        self.issuer.encode(sink);
        sink.array(col::KEY, &self.number.to_be_bytes());
    }

    /// Reads what [`PromiseId::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { issuer: Actor::decode(source)?, number: u64::from_be_bytes(source.array(col::KEY)?) })
    }
}

impl fmt::Display for PromiseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.issuer, self.number)
    }
}

impl fmt::Debug for PromiseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Promise {
    /// Writes the promise.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.id.encode(sink);
        self.account.encode(sink);
        sink.uint(col::QUANTITY, self.quantity);
        sink.uint(
            col::FLAGS,
            (self.claim as u64) << 3 | (self.channel as u64) << 1 | u64::from(self.replaces.is_some()),
        );
        sink.uint(col::C, u64::from(self.priority));
        sink.uint(col::TIME, self.until_ms);
        sink.uint(col::TIME, self.wanted_ms);
        self.reference.encode(sink, col::REFERENCE);
        if let Some(replaced) = self.replaces {
            replaced.encode(sink);
        }
    }

    /// Reads what [`Promise::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = PromiseId::decode(source)?;
        let account = Account::decode(source)?;
        let quantity = source.uint(col::QUANTITY)?;
        if quantity == 0 || quantity > QUANTITY_MAX as u64 {
            return Err(DecodeError::Value("quantity"));
        }
        let flags = source.uint(col::FLAGS)?;
        if flags >> 4 != 0 {
            return Err(DecodeError::Value("flags"));
        }
        let claim = if flags >> 3 == 0 { Claim::Hard } else { Claim::Soft };
        let channel = Channel::ALL.into_iter().find(|channel| *channel as u64 == (flags >> 1 & 3));
        Ok(Self {
            id,
            account,
            quantity,
            claim,
            channel: channel.ok_or(DecodeError::Value("channel"))?,
            priority: source.u8(col::C)?,
            until_ms: source.uint(col::TIME)?,
            wanted_ms: source.uint(col::TIME)?,
            reference: Code::decode(source, col::REFERENCE)?,
            replaces: if flags & 1 == 1 { Some(PromiseId::decode(source)?) } else { None },
        })
    }
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Confirm,
        Self::AskRelease,
        Self::Expire,
        Self::Harden,
        Self::Pick,
        Self::PutBack,
        Self::Fulfil,
        Self::Release,
        Self::NotFound,
    ];

    /// True for what only the home may say; the rest is for the promise's issuer.
    pub fn is_of_home(self) -> bool {
        self as u8 >= Self::Pick as u8
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirmed",
            Self::AskRelease => "release asked",
            Self::Expire => "expired",
            Self::Harden => "hardened",
            Self::Pick => "picked",
            Self::PutBack => "put back",
            Self::Fulfil => "fulfilled",
            Self::Release => "released",
            Self::NotFound => "not found",
        }
    }
}

impl PromiseStep {
    /// Writes the step.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.promise.encode(sink);
        // Nearly always all were found, and the number is the step's.
        sink.uint(col::A, self.found << STEP_BITS | self.step as u64);
        self.note.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`PromiseStep::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let promise = PromiseId::decode(source)?;
        let coded = source.uint(col::A)?;
        let (number, found) = (coded & ((1 << STEP_BITS) - 1), coded >> STEP_BITS);
        let step = Step::ALL.into_iter().find(|step| *step as u64 == number).ok_or(DecodeError::Value("step"))?;
        if found > QUANTITY_MAX as u64 || (found > 0 && step != Step::Pick) {
            return Err(DecodeError::Value("units found"));
        }
        let note = Code::decode(source, col::REASON)?;
        Ok(Self { promise, step, found, note, staff: Code::decode(source, col::STAFF)? })
    }
}

impl GoodsIssue {
    /// Writes the issue.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.promise.encode(sink);
        self.account.encode(sink);
        sink.int(col::QUANTITY, self.quantity);
        self.staff.encode(sink, col::STAFF);
    }

    /// Reads what [`GoodsIssue::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let promise = PromiseId::decode(source)?;
        let account = Account::decode(source)?;
        let quantity = source.int_within(col::QUANTITY, QUANTITY_MAX, "quantity")?;
        if quantity < 1 {
            return Err(DecodeError::Value("quantity"));
        }
        Ok(Self { promise, account, quantity, staff: Code::decode(source, col::STAFF)? })
    }
}

impl State {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Releasing => "release asked",
            Self::Staged => "picked",
            Self::Fulfilled => "fulfilled",
            Self::Released => "released",
            Self::Shorted => "shorted",
        }
    }

    /// True while goods are kept for it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Held | Self::Confirmed | Self::Releasing | Self::Staged => true,
            Self::Fulfilled | Self::Released | Self::Shorted => false,
        }
    }
}

/// Steps have numbers below 16.
const STEP_BITS: u32 = 4;

/// What was said about one promise, and when it was said last, of each kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    steps: std::collections::BTreeMap<Step, (Rank, PromiseStep)>,
    shortage: Option<[u8; 16]>,
}

/// The order among statements of one kind: by epoch and position in their log; nodes break ties.
pub type Rank = (u16, u64, u32, Hlc);

impl Said {
    /// Takes in a step that stands at `at`. Of each kind the last one is kept, in whatever order they come.
    pub fn add(&mut self, at: Position, hlc: Hlc, step: PromiseStep) {
        let rank = (at.actor.epoch.0, at.seq, at.actor.node.0, hlc);
        let held = self.steps.get(&step.step).map(|(held, _)| *held);
        if held.is_none_or(|held| rank > held) {
            self.steps.insert(step.step, (rank, step));
        }
    }

    /// The home declared the promise broken. Of several shortages the smallest id counts, everywhere the same.
    pub fn short(&mut self, shortage: [u8; 16]) {
        self.shortage = Some(self.shortage.map_or(shortage, |held| held.min(shortage)));
    }

    /// The shortage that broke it, if one did.
    pub fn shortage(&self) -> Option<[u8; 16]> {
        self.shortage
    }

    /// The last step of a kind.
    pub fn step(&self, step: Step) -> Option<&PromiseStep> {
        self.steps.get(&step).map(|(_, step)| step)
    }

    /// True when it was said.
    pub fn has(&self, step: Step) -> bool {
        self.steps.contains_key(&step)
    }

    /// All last steps, with what orders them.
    pub fn steps(&self) -> impl Iterator<Item = (&Rank, &PromiseStep)> {
        self.steps.values().map(|(rank, step)| (rank, step))
    }

    /// What it adds up to.
    pub fn state(&self) -> State {
        let last = |step| self.steps.get(&step).map(|(rank, _)| *rank);
        if self.has(Step::Fulfil) {
            State::Fulfilled
        } else if self.shortage.is_some() {
            State::Shorted
        } else if self.has(Step::Release) {
            State::Released
        } else if last(Step::Pick) > last(Step::PutBack) {
            State::Staged
        } else if self.has(Step::AskRelease) || (self.has(Step::Expire) && !self.has(Step::Confirm)) {
            State::Releasing
        } else if self.has(Step::Confirm) {
            State::Confirmed
        } else {
            State::Held
        }
    }

    /// Units that are kept for it: what was found when it was picked, if that was less.
    pub fn kept(&self, promise: &Promise) -> u64 {
        let found = self.step(Step::Pick).map_or(0, |step| step.found);
        if self.state() == State::Staged && found > 0 { found.min(promise.quantity) } else { promise.quantity }
    }

    /// What stands behind the promise by now.
    pub fn claim(&self, promise: &Promise) -> Claim {
        if self.has(Step::Harden) { Claim::Hard } else { promise.claim }
    }
}
