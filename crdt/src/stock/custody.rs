//! Moving rights about: who asks whom, who answers that there is nothing, whose rights are written off, and who may be given
//! rights to goods that belong to somebody else.

use super::rights::{Account, Class};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Code, NodeId, Sku};
use crate::limits::{QUANTITY_MAX, RIGHTS_MAX};

/// Why rights are asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// A customer was turned away, or will be by the next one.
    Miss = 0,
    /// They are worth more elsewhere.
    Balance = 1,
    /// Goods are missing: rights that nobody has used are to be destroyed before a promise is broken.
    AtRisk = 2,
}

/// One node asks another for rights. The newest request of an actor to a node about an account is the one that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Want {
    /// To which goods.
    pub account: Account,
    /// Rights to what.
    pub class: Class,
    /// Who is asked. It may give fewer, or none.
    pub of: NodeId,
    /// Grows with each request of this actor to that node about that account; a request is answered once.
    pub number: u32,
    /// How many units.
    pub quantity: u64,
    /// Why.
    pub why: Why,
}

/// The answer to a request that was not granted whole: who may have some.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// Of which goods.
    pub account: Account,
    /// Rights to what.
    pub class: Class,
    /// Who had asked.
    pub to: Actor,
    /// Which request.
    pub number: u32,
    /// Who holds the most, as far as is known here; node 0 if nobody does.
    pub richest: NodeId,
    /// How many it holds.
    pub held: u64,
}

/// A decree: an actor will never use its rights again. What it held, as far as anybody comes to know, is destroyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retire {
    /// Whose rights.
    pub actor: Actor,
    /// Why, in a word: `restored`, `replaced`, `lost`.
    pub reason: Code,
    /// Who decided it; empty when it followed from the actor's next epoch.
    pub staff: Code,
    /// Promises that may have been lost with it, in units, as the decision was told; at most so many are broken by it.
    pub risk: u64,
}

/// The owner of goods in a store lets a share of them be promised by others: consignment, concession, franchise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consent {
    /// Which goods; all goods of the owner if absent.
    pub sku: Option<Sku>,
    /// Whose goods: the legal entity of the store, or the owner in the product's record.
    pub owner: Code,
    /// At most so much of what may be promised, parts per million; 0 takes the consent back.
    pub share_ppm: u32,
    /// Who gave it, on paper: a contract's number.
    pub document: Code,
}

impl Why {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Miss => "a customer was turned away",
            Self::Balance => "they are worth more elsewhere",
            Self::AtRisk => "goods are missing",
        }
    }
}

impl Want {
    /// Writes the request.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.account.encode(sink);
        self.class.encode(sink);
        sink.uint(col::ACTOR_NODE, u64::from(self.of.0));
        sink.uint(col::D, u64::from(self.number));
        sink.uint(col::QUANTITY, self.quantity);
        sink.uint(col::E, self.why as u64);
    }

    /// Reads what [`Want::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let account = Account::decode(source)?;
        let class = Class::decode(source)?;
        let of = NodeId(source.u32(col::ACTOR_NODE)?);
        let number = source.u32(col::D)?;
        let quantity = source.uint(col::QUANTITY)?;
        if quantity == 0 || quantity > QUANTITY_MAX as u64 {
            return Err(DecodeError::Value("quantity"));
        }
        let why = match source.uint(col::E)? {
            0 => Why::Miss,
            1 => Why::Balance,
            2 => Why::AtRisk,
            _ => return Err(DecodeError::Value("reason of a request")),
        };
        Ok(Self { account, class, of, number, quantity, why })
    }
}

impl Hint {
    /// Writes the hint.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.account.encode(sink);
        self.class.encode(sink);
        self.to.encode(sink);
        sink.uint(col::D, u64::from(self.number));
        sink.uint(col::ACTOR_NODE, u64::from(self.richest.0));
        sink.uint(col::QUANTITY, self.held);
    }

    /// Reads what [`Hint::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let account = Account::decode(source)?;
        let class = Class::decode(source)?;
        let to = Actor::decode(source)?;
        let number = source.u32(col::D)?;
        let richest = NodeId(source.u32(col::ACTOR_NODE)?);
        Ok(Self { account, class, to, number, richest, held: source.uint(col::QUANTITY)? })
    }
}

impl Retire {
    /// Writes the decree.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.actor.encode(sink);
        self.reason.encode(sink, col::REASON);
        self.staff.encode(sink, col::STAFF);
        sink.uint(col::QUANTITY, self.risk);
    }

    /// Reads what [`Retire::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let actor = Actor::decode(source)?;
        let reason = Code::decode(source, col::REASON)?;
        let staff = Code::decode(source, col::STAFF)?;
        let risk = source.uint(col::QUANTITY)?;
        if risk > RIGHTS_MAX { Err(DecodeError::Value("risk")) } else { Ok(Self { actor, reason, staff, risk }) }
    }
}

impl Consent {
    /// Writes the consent.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::FLAGS, u64::from(self.sku.is_some()));
        if let Some(sku) = &self.sku {
            sku.encode(sink);
        }
        self.owner.encode(sink, col::ENTITY);
        sink.uint(col::B, u64::from(self.share_ppm));
        self.document.encode(sink, col::REFERENCE);
    }

    /// Reads what [`Consent::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let sku = if source.flag(col::FLAGS)? { Some(Sku::decode(source)?) } else { None };
        let owner = Code::decode(source, col::ENTITY)?;
        let share_ppm = source.u32(col::B)?;
        if share_ppm > 1_000_000 || owner.is_empty() {
            return Err(DecodeError::Value("consent"));
        }
        Ok(Self { sku, owner, share_ppm, document: Code::decode(source, col::REFERENCE)? })
    }

    /// Canonical bytes of what it is about: a later consent about the same goods replaces an earlier one.
    pub fn entity(&self) -> Vec<u8> {
        crate::codec::Rows::of(|sink| {
            self.owner.encode(sink, col::ENTITY);
            if let Some(sku) = &self.sku {
                sku.encode(sink);
            }
        })
    }
}
