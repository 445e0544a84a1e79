//! Campaigns: what a coupon gives, when, where and for what, who pays for it, and how many there are.
//!
//! What a coupon gives is said as a promotion says it; a coupon that is shown activates it. So a voucher with a value is a single coupon that
//! gives so much off a basket, and a red packet is a pool of the first so many.
//!
//! A code on paper or on a phone is `CAMPAIGN-` and 18 hexadecimal digits: 8 of its serial number and 10 of a check (HMAC-SHA256 under the
//! campaign's secret, RFC 2104, truncated to 40 bits), so that a store that is cut off tells an invented code from a printed one. Every node
//! of the tenant has the secret: it keeps out customers, not staff with a node's disk. A pool's code is its name alone.

use crate::checkout::promotion::Promotion;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, hex};
use crate::limits::{AMOUNT_MAX, CAMPAIGN_BYTES_MAX, CAMPAIGN_COUPONS_MAX};

/// A campaign. Stands in `catalog`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Campaign {
    /// What a coupon gives, when, where and for which goods. Its id is the campaign's; its book is named like it.
    pub terms: Promotion,
    /// Who made it: a brand, or head office.
    pub issuer: Code,
    /// Who pays for what it gives.
    pub funder: Code,
    /// Who bears a coupon that was redeemed twice.
    pub bearer: Bearer,
    /// No other coupon is taken in the same basket.
    pub alone: bool,
    /// A coupon whose goods all come back may be used again.
    pub returns: bool,
    /// Minor units that all coupons give together at most; 0 for no bound.
    pub budget: i64,
    /// Minor units that one coupon gives at most; 0 for no bound.
    pub worth_max: i64,
    /// How many coupons there are, and where they may be redeemed.
    pub kind: CouponKind,
    /// What the check in a code is made with.
    pub secret: [u8; 16],
}

/// How many coupons there are, and where they may be redeemed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CouponKind {
    /// So many coupons with serial numbers from 0; each is a right of one, redeemed only where that right lies.
    Single(u32),
    /// The first so many get it: a pool, shared out to the stores.
    FirstN(u32),
    /// So many codes with serial numbers from 0 on paper, accepted anywhere.
    Printed {
        /// How many codes.
        coupons: u32,
        /// Minor units that one store gives for them at most until its hub has seen it.
        store_limit: i64,
    },
}

/// Who bears a second redemption.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Bearer {
    /// Whoever pays for the campaign.
    Funder = 0,
    /// The store that took it.
    Store = 1,
    /// Nobody in particular: it is written off.
    WriteOff = 2,
}

/// A coupon as its code names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CouponName {
    /// Of which campaign.
    pub campaign: Code,
    /// Which of its coupons; `None` for a pool.
    pub serial: Option<u32>,
}

impl Bearer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Funder, Self::Store, Self::WriteOff];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Funder => "funder",
            Self::Store => "store",
            Self::WriteOff => "write-off",
        }
    }

    /// Takes the word that [`Bearer::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bearer| bearer.as_str() == text)
    }
}

impl Campaign {
    /// Its name.
    pub fn id(&self) -> &Code {
        &self.terms.id
    }

    /// The cell's entity.
    pub fn entity(&self) -> Vec<u8> {
        self.terms.entity()
    }

    /// Coupons with serial numbers; 0 for a pool.
    pub fn serials(&self) -> u32 {
        match self.kind {
            CouponKind::Single(coupons) | CouponKind::Printed { coupons, .. } => coupons,
            CouponKind::FirstN(_) => 0,
        }
    }

    /// The code of a coupon; `None` for a serial number that the campaign does not have.
    pub fn code(&self, serial: u32) -> Option<Code> {
        if serial >= self.serials() {
            return None;
        }
        let text = format!("{}-{serial:08x}{}", self.terms.id, hex(&self.check(serial)));
        Code::parse(&text).ok()
    }

    /// True for a code of this campaign: one that was made with its secret, or its name if it is a pool.
    pub fn has(&self, code: &Code) -> bool {
        match self.kind {
            CouponKind::FirstN(_) => code == self.id(),
            CouponKind::Single(_) | CouponKind::Printed { .. } => {
                CouponName::of(code).serial.and_then(|serial| self.code(serial)).is_some_and(|own| own == *code)
            }
        }
    }

    fn check(&self, serial: u32) -> [u8; CHECK_BYTES] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.secret);
        let about = [b"coupon ".as_slice(), self.terms.id.as_str().as_bytes(), &[0], &serial.to_be_bytes()].concat();
        let tag = ring::hmac::sign(&key, &about);
        let mut check = [0; CHECK_BYTES];
        check.copy_from_slice(&tag.as_ref()[..CHECK_BYTES]);
        check
    }

    /// Writes the campaign.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.terms.encode(sink);
        self.issuer.encode(sink, col::ENTITY);
        self.funder.encode(sink, col::ENTITY);
        sink.uint(col::FLAGS, (self.bearer as u64) << 2 | u64::from(self.alone) << 1 | u64::from(self.returns));
        sink.int(col::AMOUNT, self.budget);
        sink.int(col::AMOUNT, self.worth_max);
        match self.kind {
            CouponKind::Single(coupons) => {
                sink.uint(col::KEY, 0);
                sink.uint(col::D, u64::from(coupons));
            }
            CouponKind::FirstN(pool) => {
                sink.uint(col::KEY, 1);
                sink.uint(col::D, u64::from(pool));
            }
            CouponKind::Printed { coupons, store_limit } => {
                sink.uint(col::KEY, 2);
                sink.uint(col::D, u64::from(coupons));
                sink.int(col::AMOUNT, store_limit);
            }
        }
        sink.array(col::DIGEST, &self.secret);
    }

    /// Reads what [`Campaign::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let terms = Promotion::decode(source)?;
        let (issuer, funder) = (Code::decode(source, col::ENTITY)?, Code::decode(source, col::ENTITY)?);
        let flags = source.u8(col::FLAGS)?;
        let bearer = Bearer::ALL.get(usize::from(flags >> 2)).copied().ok_or(DecodeError::Value("bearer"))?;
        let (budget, worth_max) = (source.int(col::AMOUNT)?, source.int(col::AMOUNT)?);
        let kind = match source.uint(col::KEY)? {
            0 => CouponKind::Single(source.u32(col::D)?),
            1 => CouponKind::FirstN(source.u32(col::D)?),
            2 => CouponKind::Printed { coupons: source.u32(col::D)?, store_limit: source.int(col::AMOUNT)? },
            _ => return Err(DecodeError::Value("campaign")),
        };
        let (alone, returns, secret) = (flags & 2 != 0, flags & 1 != 0, source.array(col::DIGEST)?);
        let campaign = Self { terms, issuer, funder, bearer, alone, returns, budget, worth_max, kind, secret };
        campaign.validate().map_err(DecodeError::Value)?;
        Ok(campaign)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        self.terms.validate()?;
        let money = |amount: i64| (0..=AMOUNT_MAX).contains(&amount);
        let (coupons, limit) = match self.kind {
            CouponKind::Single(coupons) | CouponKind::FirstN(coupons) => (coupons, 0),
            CouponKind::Printed { coupons, store_limit } => (coupons, store_limit),
        };
        let checks = [
            (self.terms.id.as_str().len() <= CAMPAIGN_BYTES_MAX, "id"),
            (self.terms.book == self.terms.id, "book"),
            (!self.funder.is_empty(), "funder"),
            (money(self.budget), "budget"),
            (money(self.worth_max), "worth_max"),
            ((1..=CAMPAIGN_COUPONS_MAX).contains(&coupons), "coupons"),
            (money(limit), "store_limit"),
        ];
        checks.into_iter().find(|(sound, _)| !sound).map_or(Ok(()), |(_, field)| Err(field))
    }
}

impl CouponName {
    /// What a code names. Whether the campaign made it is another question.
    pub fn of(code: &Code) -> Self {
        let numbered = code.as_str().rsplit_once('-').and_then(|(campaign, digits)| {
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
            if digits.len() != SERIAL_DIGITS + 2 * CHECK_BYTES || !is_hex {
                return None;
            }
            let serial = u32::from_str_radix(&digits[..SERIAL_DIGITS], 16).ok()?;
            Some(Self { campaign: Code::parse(campaign).ok()?, serial: Some(serial) })
        });
        numbered.unwrap_or_else(|| Self { campaign: code.clone(), serial: None })
    }

    /// Writes the name.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.campaign.encode(sink, col::REFERENCE);
        sink.uint(col::POSITION, self.serial.map_or(0, |serial| u64::from(serial) + 1));
    }

    /// Reads what [`CouponName::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let campaign = Code::decode(source, col::REFERENCE)?;
        let serial = source.uint(col::POSITION)?.checked_sub(1).map(u32::try_from).transpose();
        Ok(Self { campaign, serial: serial.map_err(|_| DecodeError::Value("serial"))? })
    }
}

/// Whoever guesses a code needs half a million million tries.
const CHECK_BYTES: usize = 5;

const SERIAL_DIGITS: usize = 8;
