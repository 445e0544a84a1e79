//! Coupons: where the right to one is, how a pool and a budget are shared out, what was redeemed, and which of two redemptions counts.
//!
//! **A right of one** moves by turns. A hub places it with a holder under the next turn; the holder redeems it or gives that turn up; only then
//! is it placed again. One holder at a time may say something, so there is nothing to decide. A printed code needs no right, but one that is
//! placed when the hub can be asked makes its redemption the first.
//!
//! **A pool and a budget** are bounded counters like points: the hub grants pieces and minor units to holders, never more than there are; a
//! holder uses `used <= granted + undone - given back`.
//!
//! **Two redemptions** of one coupon are found wherever both are known, and judged alike everywhere: one with a right that was placed with
//! its writer comes first, then the earlier one, then the lower store and receipt. The others are double.

use std::collections::{BTreeMap, BTreeSet};

use super::campaign::{Bearer, Campaign, CouponName};
use crate::checkout::basket::BasketId;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Code, MemberId, StoreId};
use crate::limits::AMOUNT_MAX;
use crate::sale::ReceiptNumber;

/// Something is said of a coupon with a serial number. Stands in `store/<id>/members` of the store that it concerns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CouponFact {
    /// Of which campaign.
    pub campaign: Code,
    /// Which coupon.
    pub serial: u32,
    /// What.
    pub says: CouponSays,
}

/// What is said of a coupon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CouponSays {
    /// A hub: the right is with this holder from this turn on, for this member if one is named.
    Placed {
        /// 1, 2, 3, ...
        turn: u32,
        /// With whom.
        holder: Actor,
        /// For whom alone.
        member: Option<MemberId>,
        /// The store's request that this answers; 0 for none.
        answers: u32,
    },
    /// A hub: the holder of this turn shall give it up if it can.
    WantedBack {
        /// Which turn.
        turn: u32,
    },
    /// A hub: it was redeemed elsewhere.
    Used {
        /// At which store.
        store: StoreId,
        /// When, milliseconds since 1970.
        at_ms: u64,
    },
    /// The holder gave the right up.
    GivenUp {
        /// Which turn.
        turn: u32,
    },
    /// A customer shows it here: the store asks for the right.
    Asked {
        /// 1, 2, 3, ...
        number: u32,
    },
}

/// What is known of a coupon in the scope of one store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CouponHere {
    /// The newest turn that was placed with a holder of the store, the holder, and for whom.
    pub placed: Option<(u32, Actor, Option<MemberId>)>,
    /// Every turn that was placed, with its holder.
    pub placements: BTreeSet<(u32, Actor)>,
    /// The newest turn that was given up.
    pub given_up: u32,
    /// The newest turn that is wanted back.
    pub wanted_back: u32,
    /// Number of the store's newest request.
    pub asked: u32,
    /// Number of the newest request that was answered.
    pub answered: u32,
    /// Where it was redeemed, as its hub told, and when.
    pub used: Option<(u64, StoreId)>,
}

/// A coupon was redeemed. Stands in `store/<id>/members`, in the commit of the sale; written again when it was given back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redemption {
    /// Which coupon.
    pub coupon: CouponName,
    /// In which sale, by its till's own number.
    pub sale: BasketId,
    /// Its receipt.
    pub receipt: ReceiptNumber,
    /// By whom, if she is known.
    pub member: Option<MemberId>,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Minor units that it gave.
    pub worth: i64,
    /// Why it was accepted.
    pub proof: Proof,
    /// All its goods came back, and it may be used again.
    pub undone: bool,
}

/// Why a coupon was accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Proof {
    /// The right to it was there, since this turn.
    Right {
        /// Which turn.
        turn: u32,
        /// With whom.
        holder: Actor,
    },
    /// A piece of its pool was there.
    Pool,
    /// Its code was sound, not used here before, and within the store's limit.
    Limit,
}

/// A new version of a row about a campaign's pool and budget, whole. Stands in `store/<id>/members`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuotaRow {
    /// Of which campaign.
    pub campaign: Code,
    /// The store's node that may use it.
    pub holder: Actor,
    /// What is said.
    pub says: QuotaSide,
}

/// Who says what of a holder's quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuotaSide {
    /// The hub.
    Hub(HubQuota),
    /// The holder itself.
    Store(StoreQuota),
}

/// Pieces of a pool and minor units of a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amount {
    /// Coupons.
    pub pieces: u64,
    /// Minor units.
    pub worth: u64,
}

/// What a hub says to a holder. All of it only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HubQuota {
    /// What it may use, in all.
    pub granted: Amount,
    /// Minor units of redemptions without a right that the hub has seen.
    pub confirmed: u64,
    /// Number of the newest request that was answered.
    pub served: u32,
}

/// What a holder says. All of it only grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreQuota {
    /// What it used.
    pub used: Amount,
    /// Of that, what came back with goods.
    pub undone: Amount,
    /// Given back to the hub.
    pub given_back: Amount,
    /// Minor units of redemptions without a right.
    pub unproven: u64,
    /// Number of its newest request for more.
    pub want: u32,
}

/// All that is known of a campaign's pool and budget.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Quota {
    rows: BTreeMap<Actor, (HubQuota, StoreQuota)>,
}

/// One of several redemptions of a coupon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// At which store.
    pub store: StoreId,
    /// What was written there.
    pub redemption: Redemption,
    /// It stands on a right that was placed with the store.
    pub by_right: bool,
}

/// The redemption of a coupon that counts, and those that are double.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The one that counts.
    pub winner: Judged,
    /// The others, in their order.
    pub doubles: Vec<Judged>,
}

impl CouponHere {
    /// Takes in what is said; older and repeated words change nothing.
    pub fn take(&mut self, says: CouponSays) {
        match says {
            CouponSays::Placed { turn, holder, member, answers } => {
                self.placed = self.placed.max(Some((turn, holder, member)));
                self.answered = self.answered.max(answers);
                self.placements.insert((turn, holder));
            }
            CouponSays::WantedBack { turn } => self.wanted_back = self.wanted_back.max(turn),
            CouponSays::GivenUp { turn } => self.given_up = self.given_up.max(turn),
            CouponSays::Asked { number } => self.asked = self.asked.max(number),
            CouponSays::Used { store, at_ms } => {
                let first = self.used.map_or((at_ms, store), |used| used.min((at_ms, store)));
                self.used = Some(first);
            }
        }
    }

    /// The turn under which the right is here and was not given up, with its holder.
    pub fn held(&self) -> Option<(u32, Actor, Option<MemberId>)> {
        self.placed.filter(|(turn, ..)| *turn > self.given_up)
    }
}

impl CouponFact {
    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.campaign.encode(sink, col::REFERENCE);
        sink.uint(col::POSITION, u64::from(self.serial));
        match self.says {
            CouponSays::Placed { turn, holder, member, answers } => {
                sink.uint(col::KEY, 0);
                sink.uint(col::C, u64::from(answers));
                sink.uint(col::D, u64::from(turn));
                holder.encode(sink);
                encode_member(member, sink);
            }
            CouponSays::WantedBack { turn } => {
                sink.uint(col::KEY, 1);
                sink.uint(col::D, u64::from(turn));
            }
            CouponSays::Used { store, at_ms } => {
                sink.uint(col::KEY, 2);
                sink.uint(col::STORE, u64::from(store.0));
                sink.uint(col::TIME, at_ms);
            }
            CouponSays::GivenUp { turn } => {
                sink.uint(col::KEY, 3);
                sink.uint(col::D, u64::from(turn));
            }
            CouponSays::Asked { number } => {
                sink.uint(col::KEY, 4);
                sink.uint(col::D, u64::from(number));
            }
        }
    }

    /// Reads what [`CouponFact::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let campaign = Code::decode(source, col::REFERENCE)?;
        let serial = source.u32(col::POSITION)?;
        let says = match source.uint(col::KEY)? {
            0 => {
                let answers = source.u32(col::C)?;
                let (turn, holder) = (turn(source)?, Actor::decode(source)?);
                CouponSays::Placed { turn, holder, member: decode_member(source)?, answers }
            }
            1 => CouponSays::WantedBack { turn: turn(source)? },
            2 => CouponSays::Used { store: StoreId(source.u32(col::STORE)?), at_ms: source.uint(col::TIME)? },
            3 => CouponSays::GivenUp { turn: turn(source)? },
            4 => CouponSays::Asked { number: turn(source)? },
            _ => return Err(DecodeError::Value("coupon")),
        };
        Ok(Self { campaign, serial, says })
    }
}

impl Redemption {
    /// Takes in what else is said of the same coupon in the same sale: of two histories the one with the older receipt, and that it is undone.
    pub fn join(&mut self, other: &Self) {
        fn told(it: &Redemption) -> impl Ord {
            let number = (it.receipt.series, it.receipt.sequence, it.receipt.till);
            (number, it.at_ms, it.worth, it.proof, it.member)
        }
        let undone = self.undone || other.undone;
        if told(other) < told(self) {
            *self = other.clone();
        }
        self.undone = undone;
    }

    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.coupon.encode(sink);
        self.sale.encode(sink);
        self.receipt.encode(sink);
        encode_member(self.member, sink);
        sink.uint(col::TIME, self.at_ms);
        sink.int(col::AMOUNT, self.worth);
        sink.uint(col::FLAGS, u64::from(self.undone));
        self.proof.encode(sink);
    }

    /// Reads what [`Redemption::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (coupon, sale) = (CouponName::decode(source)?, BasketId::decode(source)?);
        let receipt = ReceiptNumber::decode(source)?;
        let member = decode_member(source)?;
        let at_ms = source.uint(col::TIME)?;
        let worth = source.int(col::AMOUNT)?;
        if !(0..=AMOUNT_MAX).contains(&worth) {
            return Err(DecodeError::Value("worth"));
        }
        let undone = source.flag(col::FLAGS)?;
        Ok(Self { coupon, sale, receipt, member, at_ms, worth, proof: Proof::decode(source)?, undone })
    }
}

impl Proof {
    /// Writes it.
    pub fn encode(self, sink: &mut impl Sink) {
        match self {
            Self::Right { turn, holder } => {
                sink.uint(col::KEY, 0);
                sink.uint(col::D, u64::from(turn));
                holder.encode(sink);
            }
            Self::Pool => sink.uint(col::KEY, 1),
            Self::Limit => sink.uint(col::KEY, 2),
        }
    }

    /// Reads what [`Proof::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(match source.uint(col::KEY)? {
            0 => Self::Right { turn: turn(source)?, holder: Actor::decode(source)? },
            1 => Self::Pool,
            2 => Self::Limit,
            _ => return Err(DecodeError::Value("proof")),
        })
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right { .. } => "right",
            Self::Pool => "pool",
            Self::Limit => "limit",
        }
    }
}

impl Amount {
    /// Field by field the larger number.
    pub fn join(&mut self, other: &Self) {
        (self.pieces, self.worth) = (self.pieces.max(other.pieces), self.worth.max(other.worth));
    }

    /// Both added.
    pub fn plus(self, other: Self) -> Self {
        Self { pieces: self.pieces.saturating_add(other.pieces), worth: self.worth.saturating_add(other.worth) }
    }

    /// Both taken off, not below nothing.
    pub fn minus(self, other: Self) -> Self {
        Self { pieces: self.pieces.saturating_sub(other.pieces), worth: self.worth.saturating_sub(other.worth) }
    }

    fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::D, self.pieces);
        sink.uint(col::B, self.worth);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let amount = Self { pieces: source.uint(col::D)?, worth: source.uint(col::B)? };
        let sound = amount.pieces <= AMOUNT_MAX.unsigned_abs() && amount.worth <= AMOUNT_MAX.unsigned_abs();
        if sound { Ok(amount) } else { Err(DecodeError::Value("quota")) }
    }
}

impl HubQuota {
    /// Field by field the larger number.
    pub fn join(&mut self, other: &Self) {
        self.granted.join(&other.granted);
        self.confirmed = self.confirmed.max(other.confirmed);
        self.served = self.served.max(other.served);
    }
}

impl StoreQuota {
    /// Field by field the larger number.
    pub fn join(&mut self, other: &Self) {
        self.used.join(&other.used);
        self.undone.join(&other.undone);
        self.given_back.join(&other.given_back);
        self.unproven = self.unproven.max(other.unproven);
        self.want = self.want.max(other.want);
    }
}

impl QuotaRow {
    /// Writes the row.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.campaign.encode(sink, col::REFERENCE);
        self.holder.encode(sink);
        match &self.says {
            QuotaSide::Hub(row) => {
                sink.uint(col::FLAGS, 0);
                row.granted.encode(sink);
                sink.uint(col::B, row.confirmed);
                sink.uint(col::C, u64::from(row.served));
            }
            QuotaSide::Store(row) => {
                sink.uint(col::FLAGS, 1);
                [row.used, row.undone, row.given_back].into_iter().for_each(|amount| amount.encode(sink));
                sink.uint(col::B, row.unproven);
                sink.uint(col::C, u64::from(row.want));
            }
        }
    }

    /// Reads what [`QuotaRow::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let campaign = Code::decode(source, col::REFERENCE)?;
        let holder = Actor::decode(source)?;
        let says = match source.flag(col::FLAGS)? {
            false => {
                let (granted, confirmed) = (Amount::decode(source)?, worth(source)?);
                QuotaSide::Hub(HubQuota { granted, confirmed, served: source.u32(col::C)? })
            }
            true => {
                let (used, undone) = (Amount::decode(source)?, Amount::decode(source)?);
                let (given_back, unproven) = (Amount::decode(source)?, worth(source)?);
                QuotaSide::Store(StoreQuota { used, undone, given_back, unproven, want: source.u32(col::C)? })
            }
        };
        Ok(Self { campaign, holder, says })
    }
}

impl Quota {
    /// Takes in a row; older and repeated ones change nothing.
    pub fn take(&mut self, row: &QuotaRow) {
        let (hub, store) = self.rows.entry(row.holder).or_default();
        match &row.says {
            QuotaSide::Hub(said) => hub.join(said),
            QuotaSide::Store(said) => store.join(said),
        }
    }

    /// The rows about a holder.
    pub fn of(&self, holder: Actor) -> (HubQuota, StoreQuota) {
        self.rows.get(&holder).copied().unwrap_or_default()
    }

    /// Everybody who holds or held some.
    pub fn holders(&self) -> impl Iterator<Item = Actor> {
        self.rows.keys().copied()
    }

    /// What a holder may still use.
    pub fn held(&self, holder: Actor) -> Amount {
        let (hub, own) = self.of(holder);
        hub.granted.plus(own.undone).minus(own.used).minus(own.given_back)
    }

    /// Minor units that a holder gave without a right, and its hub has not seen yet.
    pub fn unconfirmed(&self, holder: Actor) -> u64 {
        let (hub, own) = self.of(holder);
        own.unproven.saturating_sub(hub.confirmed)
    }

    /// What holders got of a campaign and did not give back: never more than there is.
    pub fn out(&self) -> Amount {
        let of = |(hub, own): &(HubQuota, StoreQuota)| hub.granted.minus(own.given_back);
        self.rows.values().map(of).fold(Amount::default(), Amount::plus)
    }

    /// What a hub may still grant.
    pub fn left(&self, campaign: &Campaign) -> Amount {
        campaign.total().minus(self.out())
    }
}

impl Campaign {
    /// The pool and the budget.
    pub fn total(&self) -> Amount {
        let pieces = match self.kind {
            super::campaign::CouponKind::FirstN(pool) => u64::from(pool),
            super::campaign::CouponKind::Single(_) | super::campaign::CouponKind::Printed { .. } => 0,
        };
        Amount { pieces, worth: u64::try_from(self.budget).unwrap_or(0) }
    }
}

/// Which of a coupon's redemptions counts; `None` if there is none that was not given back.
pub fn judge(redemptions: impl IntoIterator<Item = Judged>) -> Option<Verdict> {
    let mut all: Vec<Judged> = redemptions.into_iter().filter(|it| !it.redemption.undone).collect();
    all.sort_by_key(|it| (!it.by_right, it.redemption.at_ms, it.store, it.redemption.receipt));
    let mut all = all.into_iter();
    Some(Verdict { winner: all.next()?, doubles: all.collect() })
}

/// Who bears a second redemption, in words.
pub fn bears(campaign: &Campaign, store: StoreId) -> String {
    match campaign.bearer {
        Bearer::Funder => campaign.funder.to_string(),
        Bearer::Store => format!("store {}", store.0),
        Bearer::WriteOff => "written off".into(),
    }
}

pub(crate) fn encode_member(member: Option<MemberId>, sink: &mut impl Sink) {
    sink.uint(col::LINE_FLAGS, member.is_some().into());
    if let Some(member) = member {
        member.encode(sink);
    }
}

pub(crate) fn decode_member(source: &mut impl Source) -> Result<Option<MemberId>, DecodeError> {
    if source.flag(col::LINE_FLAGS)? { MemberId::decode(source).map(Some) } else { Ok(None) }
}

fn turn(source: &mut impl Source) -> Result<u32, DecodeError> {
    match source.u32(col::D)? {
        0 => Err(DecodeError::Value("turn")),
        turn => Ok(turn),
    }
}

fn worth(source: &mut impl Source) -> Result<u64, DecodeError> {
    let worth = source.uint(col::B)?;
    if worth > AMOUNT_MAX.unsigned_abs() { Err(DecodeError::Value("worth")) } else { Ok(worth) }
}
