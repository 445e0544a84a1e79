//! Shortages: goods that were promised are not there. Who goes without is decided by a rule, and each of them is named.

use super::promise::{Claim, PromiseId, State};
use super::rights::Account;
use crate::clock::Hlc;
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Code, Digest};
use crate::limits::{LINES_MAX, QUANTITY_MAX};

/// The home declares promises broken, because fewer goods are there than were promised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shortage {
    /// Which goods.
    pub account: Account,
    /// Units in the book when it was declared.
    pub on_hand: i64,
    /// What made it so, in a word: `sale`, `count`, `adjustment`, `not-found`, `late-promise`.
    pub cause: Code,
    /// Who goes without, in the order of [`victims`], with the units of each.
    pub victims: Vec<(PromiseId, u64)>,
}

/// What somebody gets in place of what was promised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Remedy {
    /// The same goods from another store, under this promise.
    Resourced(PromiseId),
    /// Nothing was found: the money back, and whatever the chain adds to it.
    Refund,
}

/// A broken promise is made good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compensation {
    /// Follows from its cause, see [`compensation_id`]: it is given once, however often it is decided.
    pub id: [u8; 16],
    /// The broken promise.
    pub promise: PromiseId,
    /// What its customer gets.
    pub remedy: Remedy,
}

/// A promise as the home sees it when it must choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Which.
    pub id: PromiseId,
    /// How many units.
    pub quantity: u64,
    /// Where it stands.
    pub state: State,
    /// What stands behind it: soft promises go first.
    pub claim: Claim,
    /// Lower goes first.
    pub priority: u8,
    /// When it was made: the later goes first.
    pub made: Hlc,
}

/// Who goes without when `on_hand` units are there: soft promises first, then lower priority, then the one that was made last,
/// then by id; goods that were picked are safe, since no walk-in took those. Whole promises, until the rest can be kept.
pub fn victims(candidates: &[Candidate], on_hand: i64) -> Vec<(PromiseId, u64)> {
    let open = candidates.iter().filter(|candidate| candidate.state.is_open());
    let mut promised: u64 = open.clone().map(|candidate| candidate.quantity).sum();
    let there = u64::try_from(on_hand).unwrap_or(0);
    let mut order: Vec<_> = open.filter(|candidate| candidate.state != State::Staged).collect();
    order.sort_by_key(|candidate| {
        (std::cmp::Reverse(candidate.claim), candidate.priority, std::cmp::Reverse(candidate.made), candidate.id)
    });
    let mut out = Vec::new();
    for candidate in order {
        if promised <= there || out.len() >= LINES_MAX {
            break;
        }
        promised -= candidate.quantity;
        out.push((candidate.id, candidate.quantity));
    }
    out
}

/// The id of what is owed for one promise that one shortage broke.
pub fn compensation_id(shortage: [u8; 16], promise: PromiseId) -> [u8; 16] {
    Digest::of(&[b"compensation", &shortage, &Rows::of(|sink| promise.encode(sink))]).short()
}

impl Shortage {
    /// Its id: the hash of what it says.
    pub fn id(&self) -> [u8; 16] {
        Digest::of(&[b"shortage", &Rows::of(|sink| self.encode(sink))]).short()
    }

    /// Writes the shortage.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.account.encode(sink);
        sink.int(col::QUANTITY, self.on_hand);
        self.cause.encode(sink, col::REASON);
        sink.uint(col::LINE_COUNT, self.victims.len() as u64);
        for (promise, units) in &self.victims {
            promise.encode(sink);
            sink.uint(col::B, *units);
        }
    }

    /// Reads what [`Shortage::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let account = Account::decode(source)?;
        let on_hand = source.int(col::QUANTITY)?;
        let cause = Code::decode(source, col::REASON)?;
        let count = source.count(col::LINE_COUNT, LINES_MAX, "victims")?;
        let mut victims = Vec::new();
        for _ in 0..count {
            let promise = PromiseId::decode(source)?;
            let units = source.uint(col::B)?;
            if units == 0 || units > QUANTITY_MAX as u64 {
                return Err(DecodeError::Value("quantity"));
            }
            victims.push((promise, units));
        }
        if victims.is_empty() {
            return Err(DecodeError::Value("victims"));
        }
        Ok(Self { account, on_hand, cause, victims })
    }
}

impl Compensation {
    /// Writes the compensation.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.array(col::DIGEST, &self.id);
        self.promise.encode(sink);
        match self.remedy {
            Remedy::Refund => sink.uint(col::A, 0),
            Remedy::Resourced(promise) => {
                sink.uint(col::A, 1);
                promise.encode(sink);
            }
        }
    }

    /// Reads what [`Compensation::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let id = source.array(col::DIGEST)?;
        let promise = PromiseId::decode(source)?;
        let remedy = match source.uint(col::A)? {
            0 => Remedy::Refund,
            1 => Remedy::Resourced(PromiseId::decode(source)?),
            _ => return Err(DecodeError::Value("remedy")),
        };
        Ok(Self { id, promise, remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Actor;

    fn candidate(number: u64, priority: u8, made_ms: u64, state: State) -> Candidate {
        let id = PromiseId { issuer: Actor::new(1, 1), number };
        Candidate { id, quantity: 1, state, claim: Claim::Hard, priority, made: Hlc::new(made_ms, 0) }
    }

    #[test]
    fn the_last_promise_of_the_lowest_priority_goes_first_and_picked_goods_are_safe() {
        let all = [
            candidate(1, 5, 10, State::Confirmed),
            candidate(2, 5, 20, State::Held),
            candidate(3, 1, 5, State::Confirmed),
            candidate(4, 0, 30, State::Staged),
            candidate(5, 0, 40, State::Released),
        ];
        let numbers = |on_hand| victims(&all, on_hand).iter().map(|(id, _)| id.number).collect::<Vec<_>>();
        assert_eq!(numbers(4), [0; 0]);
        assert_eq!(numbers(3), [3]);
        assert_eq!(numbers(2), [3, 2]);
        assert_eq!(numbers(-5), [3, 2, 1], "what was picked is there, whatever the book says");
    }
}
