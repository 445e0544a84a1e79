//! Facts about nodes and stores: epochs, starts, enrolment, fences, store records.

use crate::capability::{Capability, decode_chain, encode_chain};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Digest, Epoch, NodeId, StoreId};
use crate::limits::{FENCE_CUTS_MAX, NAME_BYTES_MAX};
use crate::money::Currency;
use crate::scope::Scope;

/// Why an epoch was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EpochReason {
    /// The node's first.
    First = 0,
    /// A backup was restored.
    Restored = 1,
    /// The continuity token is missing, and the log is not empty.
    TokenMissing = 2,
    /// The continuity token names entries that the log does not hold, or holds with another hash.
    TokenAhead = 3,
    /// The database is not on the volume on which it was.
    VolumeChanged = 4,
    /// A hub holds more of our log than we do.
    HubAhead = 5,
    /// A hub holds another history of our log.
    Forked = 6,
    /// A manager asked for it.
    Manual = 7,
}

impl EpochReason {
    /// A sentence for the status page.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first start",
            Self::Restored => "restored from a backup",
            Self::TokenMissing => "continuity token missing",
            Self::TokenAhead => "continuity token ahead of the log",
            Self::VolumeChanged => "database moved to another volume",
            Self::HubAhead => "the hub knows more of our log than we do",
            Self::Forked => "the hub knows another history of our log",
            Self::Manual => "asked for by a manager",
        }
    }

    /// The reason that is written as `number`.
    pub fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::First,
            1 => Self::Restored,
            2 => Self::TokenMissing,
            3 => Self::TokenAhead,
            4 => Self::VolumeChanged,
            5 => Self::HubAhead,
            6 => Self::Forked,
            7 => Self::Manual,
            _ => return None,
        })
    }
}

/// Entry 1 of every log: makes the log prove its author by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpochOpen {
    /// 128 random bits: two openings of one epoch differ, so a clone is found.
    pub nonce: [u8; 16],
    /// Why the epoch was opened.
    pub reason: EpochReason,
    /// Head of the same scope's log in the epoch before, as this node knew it.
    pub previous: Option<(Epoch, u64, Digest)>,
    /// From the tenant's root to this node's log key.
    pub chain: Vec<Capability>,
}

impl EpochOpen {
    /// Writes nonce, reason, previous head and chain.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.array(col::KEY, &self.nonce);
        sink.uint(col::A, self.reason as u64);
        sink.uint(col::FLAGS, self.previous.is_some().into());
        if let Some((epoch, seq, hash)) = self.previous {
            sink.uint(col::ACTOR_EPOCH, u64::from(epoch.0));
            sink.uint(col::SEQ, seq);
            sink.array(col::DIGEST, &hash.0);
        }
        encode_chain(&self.chain, sink);
    }

    /// Reads what [`EpochOpen::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let nonce = source.array(col::KEY)?;
        let reason = EpochReason::from_number(source.uint(col::A)?).ok_or(DecodeError::Value("reason"))?;
        let previous = if source.flag(col::FLAGS)? {
            let epoch = Epoch(source.u16(col::ACTOR_EPOCH)?);
            Some((epoch, source.uint(col::SEQ)?, Digest(source.array(col::DIGEST)?)))
        } else {
            None
        };
        Ok(Self { nonce, reason, previous, chain: decode_chain(source)? })
    }
}

/// A start of the node's process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boot {
    /// Random number of this start.
    pub boot: u64,
    /// The program's version.
    pub version: Code,
}

impl Boot {
    /// Writes number and version.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::A, self.boot);
        self.version.encode(sink, col::REFERENCE);
    }

    /// Reads what [`Boot::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { boot: source.uint(col::A)?, version: Code::decode(source, col::REFERENCE)? })
    }
}

/// A node's enrolment, published by the hub that admitted it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRecord {
    /// What it may do, and its keys.
    pub capability: Capability,
    /// SHA-256 of the one-time token that it used; empty digest for the first hub.
    pub token: Digest,
}

impl NodeRecord {
    /// Writes the capability and the token's hash.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.capability.encode(sink);
        sink.array(col::DIGEST, &self.token.0);
    }

    /// Reads what [`NodeRecord::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { capability: Capability::decode(source)?, token: Digest(source.array(col::DIGEST)?) })
    }
}

/// The end of a node's capability, at a position of each of its logs. What it wrote up to there stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fence {
    /// The node that is no longer believed.
    pub node: NodeId,
    /// For each log that was known: the last entry that counts. A log not named here counts for nothing.
    pub cuts: Vec<FenceCut>,
    /// Why, in a word.
    pub reason: Code,
}

/// The last entry of one log that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FenceCut {
    /// The log's epoch.
    pub epoch: Epoch,
    /// The log's scope.
    pub scope: Scope,
    /// The last sequence number that counts.
    pub seq: u64,
    /// The hash there, so that another branch does not slip in.
    pub hash: Digest,
}

impl Fence {
    /// Writes node, cuts and reason.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::ACTOR_NODE, u64::from(self.node.0));
        sink.uint(col::COUNT, self.cuts.len() as u64);
        for cut in &self.cuts {
            sink.uint(col::ACTOR_EPOCH, u64::from(cut.epoch.0));
            cut.scope.encode(sink);
            sink.uint(col::SEQ, cut.seq);
            sink.array(col::DIGEST, &cut.hash.0);
        }
        self.reason.encode(sink, col::REASON);
    }

    /// Reads what [`Fence::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let node = NodeId(source.u32(col::ACTOR_NODE)?);
        let count = source.count(col::COUNT, FENCE_CUTS_MAX, "cuts of a fence")?;
        let mut cuts = Vec::new();
        for _ in 0..count {
            let epoch = Epoch(source.u16(col::ACTOR_EPOCH)?);
            let scope = Scope::decode(source)?;
            cuts.push(FenceCut { epoch, scope, seq: source.uint(col::SEQ)?, hash: Digest(source.array(col::DIGEST)?) });
        }
        Ok(Self { node, cuts, reason: Code::decode(source, col::REASON)? })
    }

    /// The last sequence number of (epoch, scope) that counts; 0 when nothing does.
    pub fn cut(&self, epoch: Epoch, scope: &Scope) -> u64 {
        self.cuts.iter().find(|c| c.epoch == epoch && c.scope == *scope).map_or(0, |c| c.seq)
    }
}

/// A point on the globe (WGS 84), in millionths of a degree: 0.11 m at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coordinates {
    /// North of the equator, -90,000,000 to 90,000,000.
    pub latitude: i32,
    /// East of Greenwich, -180,000,000 to 180,000,000.
    pub longitude: i32,
}

impl Coordinates {
    /// The point, if there is one with these numbers.
    pub fn new(latitude: i32, longitude: i32) -> Option<Self> {
        let inside = |value: i32, bound: i32| (-bound..=bound).contains(&value);
        (inside(latitude, 90_000_000) && inside(longitude, 180_000_000)).then_some(Self { latitude, longitude })
    }

    /// Writes both numbers.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.int(col::C, i64::from(self.latitude));
        sink.int(col::D, i64::from(self.longitude));
    }

    /// Reads what [`Coordinates::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let number = |value: i64| i32::try_from(value).map_err(|_| DecodeError::Value("coordinates"));
        let (latitude, longitude) = (number(source.int(col::C)?)?, number(source.int(col::D)?)?);
        Self::new(latitude, longitude).ok_or(DecodeError::Value("coordinates"))
    }
}

/// What the chain knows of one store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreRecord {
    /// Which store.
    pub store: StoreId,
    /// Its name for people.
    pub name: String,
    /// Which price book holds there.
    pub book: Code,
    /// Stores of one non-empty group let each other read their stock.
    pub group: Code,
    /// The legal entity that sells there; empty for the tenant itself.
    pub entity: Code,
    /// In what it sells.
    pub currency: Currency,
    /// IANA time zone, e.g. `Europe/Berlin`.
    pub zone: Code,
    /// Minutes after local midnight at which the business day rolls over. 0..1440.
    pub rollover_min: u16,
    /// The node that is the home of the store's accounts.
    pub home: NodeId,
    /// Grows with every change of home; decides between homes.
    pub term: u32,
    /// Where it is, if somebody said so: the nearest store is looked at first.
    pub coordinates: Option<Coordinates>,
}

impl StoreRecord {
    /// Writes the record.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        sink.blob(col::NAME, self.name.as_bytes());
        self.book.encode(sink, col::REFERENCE);
        self.group.encode(sink, col::REFERENCE);
        self.entity.encode(sink, col::ENTITY);
        self.currency.encode(sink);
        self.zone.encode(sink, col::REFERENCE);
        sink.uint(col::A, u64::from(self.rollover_min));
        sink.uint(col::ACTOR_NODE, u64::from(self.home.0));
        sink.uint(col::B, u64::from(self.term));
        sink.uint(col::FLAGS, u64::from(self.coordinates.is_some()));
        if let Some(coordinates) = self.coordinates {
            coordinates.encode(sink);
        }
    }

    /// Reads what [`StoreRecord::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let record = Self {
            store: StoreId(source.u32(col::STORE)?),
            name: source.text(col::NAME, NAME_BYTES_MAX)?,
            book: Code::decode(source, col::REFERENCE)?,
            group: Code::decode(source, col::REFERENCE)?,
            entity: Code::decode(source, col::ENTITY)?,
            currency: Currency::decode(source)?,
            zone: Code::decode(source, col::REFERENCE)?,
            rollover_min: source.u16(col::A)?,
            home: NodeId(source.u32(col::ACTOR_NODE)?),
            term: source.u32(col::B)?,
            coordinates: if source.flag(col::FLAGS)? { Some(Coordinates::decode(source)?) } else { None },
        };
        if record.store.0 == 0 || record.rollover_min >= 1440 {
            return Err(DecodeError::Value("store record"));
        }
        Ok(record)
    }
}
