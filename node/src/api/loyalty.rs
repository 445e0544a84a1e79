//! The programme of points: what they are earned for and what they pay, and what a store that cannot ask may lose by it. Campaigns, coupons and
//! a member's points have files of their own below.
//!
//! | module | what it knows |
//! |---|---|
//! | [`campaigns`] | campaigns of coupons: their terms, how far they went, codes to print, placing coupons with stores |
//! | [`coupons`] | one coupon at a till: where the right to it lies, asking for it |
//! | [`points`] | a member's points: balance and its age, what may be spent here, history by receipt |
//! | [`benefits`] | coupons and points of a quote, a basket and a receipt; why they are refused |

pub mod benefits;
pub mod campaigns;
pub mod coupons;
pub mod points;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::Code;
use stockroom_crdt::loyalty::rules::{LoyaltyRules, Outage, Tier};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, Keyed, done};
use super::limits::PAGE_MAX;
use super::problem::Answered;
use super::request::Params;
use super::values::Text;
use super::{Api, Books, unexpected_entry};

/// What points are earned for and what they pay.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Programme)]
pub struct ProgrammeBody {
    /// True to end it: nothing is earned or spent any more.
    #[serde(default)]
    ended: bool,
    /// Minor units for which a point is earned.
    earn_per: i64,
    /// Minor units that a point pays for.
    worth: i64,
    /// Months until points expire; 0, also if absent, for never.
    #[serde(default)]
    months: u16,
    /// Points that one member may spend at one store during one outage without a right to them; 0, if absent, for none. The answer says what
    /// that may cost.
    #[serde(default)]
    offline_limit: u64,
    /// Points of a member that lie ready at the store where she shops.
    #[serde(default)]
    share: u64,
    /// Ascending by what they begin at.
    #[serde(default)]
    tiers: Vec<TierBody>,
    /// The outage for which the answer says what the limit may cost. It is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outage: Option<OutageBody>,
}

/// What a member gets more of for shopping much.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Tier)]
pub struct TierBody {
    /// Its name.
    #[schema(value_type = String, example = "gold")]
    name: Text<Code>,
    /// Points earned in the last twelve months from which on she is in it.
    from: u64,
    /// She earns so many hundredths of a percent of what everybody earns: 10000 for as much.
    multiplier_bp: u32,
    /// Promotions for members that only she and others of the tier get.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    promotions: Vec<Text<Code>>,
}

/// What is assumed of an outage.
#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Outage)]
#[into_params(parameter_in = Query)]
pub struct OutageBody {
    /// Stores that are cut off at once and that one member can reach; all that are known here if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    stores: Option<u32>,
    /// Visits that one member makes in an hour at most; 2 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    visits: Option<u32>,
    /// How many hours it lasts; 24 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<u32>,
    /// Members who are active; all accounts that are known here if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u64>,
    /// Of a million of them, so many would cheat; 1000 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    cheats: Option<u32>,
}

/// What the offline limit may cost at worst.
#[derive(Serialize, ToSchema)]
#[schema(as = Exposure)]
pub struct ExposureAnswer {
    /// The outage that was assumed.
    outage: OutageBody,
    /// Points that one member spends without having them: the limit, times the stores that she reaches or the visits that she makes, whichever
    /// are fewer.
    member_points: u64,
    /// The same in minor units.
    member_worth: u64,
    /// Points of all who cheat.
    fleet_points: u64,
    /// The same in minor units.
    fleet_worth: u64,
}

/// The programme, and what its offline limit may cost.
#[derive(Serialize, ToSchema)]
pub struct ProgrammeAnswer {
    /// The programme.
    programme: ProgrammeBody,
    /// What the limit may cost.
    exposure: ExposureAnswer,
}

/// The programme, if there is one.
#[derive(Serialize, ToSchema)]
pub struct ProgrammeList {
    /// At most one.
    items: Vec<ProgrammeBody>,
    /// What its offline limit may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<ExposureAnswer>,
}

/// Path of the programme.
pub const RULES: &str = "/v1/loyalty/rules";

/// The programme of points as it is known here, and what its offline limit may cost in an outage.
#[utoipa::path(get, path = "/v1/loyalty/rules", tag = "loyalty", params(OutageBody),
    responses((status = 200, body = ProgrammeList)))]
pub async fn show_programme(
    State(api): State<Arc<Api>>,
    Params(outage): Params<OutageBody>,
) -> Answered<Json<ProgrammeList>> {
    let read = move |books: &Books<'_>| {
        let Some(rules) = books.loyalty()? else { return Ok(ProgrammeList { items: Vec::new(), exposure: None }) };
        let exposure = Some(ExposureAnswer::of(&rules, outage.assumed(books)?));
        Ok(ProgrammeList { items: vec![ProgrammeBody::of(&rules)], exposure })
    };
    Ok(Json(api.read_much(read).await?))
}

/// Puts the programme down. At the hub, from its own machine. The answer says what the offline limit may cost at worst: look at it.
#[utoipa::path(put, path = "/v1/loyalty/rules", tag = "loyalty", params(KeyHeader), request_body = ProgrammeBody,
    responses((status = 200, body = ProgrammeAnswer)))]
pub async fn set_programme(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<ProgrammeBody>) -> Answered {
    let outage = value.outage.unwrap_or_default();
    let written = api.write(Command::Loyalty(retry, Box::new(value.rules()))).await?;
    let Fact::Loyalty(rules) = written.entry.fact else { return unexpected_entry() };
    let exposed = rules.clone();
    let exposure = api.read_much(move |books| Ok(ExposureAnswer::of(&exposed, outage.assumed(books)?))).await?;
    Ok(done(written.replayed, ProgrammeAnswer { programme: ProgrammeBody::of(&rules), exposure }))
}

impl ProgrammeBody {
    fn of(rules: &LoyaltyRules) -> Self {
        let tier = |tier: &Tier| TierBody {
            name: Text(tier.name.clone()),
            from: tier.from,
            multiplier_bp: tier.multiplier_bp,
            promotions: tier.promotions.iter().cloned().map(Text).collect(),
        };
        Self {
            ended: rules.ended,
            earn_per: rules.earn_per,
            worth: rules.worth,
            months: rules.months,
            offline_limit: rules.offline_limit,
            share: rules.share,
            tiers: rules.tiers.iter().map(tier).collect(),
            outage: None,
        }
    }

    fn rules(self) -> LoyaltyRules {
        let tier = |tier: TierBody| {
            let promotions: BTreeSet<Code> = tier.promotions.into_iter().map(|promotion| promotion.0).collect();
            let promotions = promotions.into_iter().collect();
            Tier { name: tier.name.0, from: tier.from, multiplier_bp: tier.multiplier_bp, promotions }
        };
        LoyaltyRules {
            ended: self.ended,
            earn_per: self.earn_per,
            worth: self.worth,
            months: self.months,
            offline_limit: self.offline_limit,
            share: self.share,
            tiers: self.tiers.into_iter().map(tier).collect(),
        }
    }
}

impl OutageBody {
    /// With what is known here in the place of what was not said.
    fn assumed(self, books: &Books<'_>) -> Answered<Outage> {
        let stores = match self.stores {
            Some(stores) => stores,
            None => u32::try_from(books.stores()?.len()).unwrap_or(u32::MAX),
        };
        let members = match self.members {
            Some(members) => members,
            None => accounts(books)?,
        };
        let (visits, hours) = (self.visits.unwrap_or(VISITS), self.hours.unwrap_or(HOURS));
        Ok(Outage { stores, visits, hours, members, cheats: self.cheats.unwrap_or(CHEATS) })
    }
}

impl ExposureAnswer {
    fn of(rules: &LoyaltyRules, outage: Outage) -> Self {
        let exposure = rules.exposure(outage);
        let Outage { stores, visits, hours, members, cheats } = outage;
        Self {
            outage: OutageBody {
                stores: Some(stores),
                visits: Some(visits),
                hours: Some(hours),
                members: Some(members),
                cheats: Some(cheats),
            },
            member_points: exposure.member_points,
            member_worth: exposure.member_worth,
            fleet_points: exposure.fleet_points,
            fleet_worth: exposure.fleet_worth,
        }
    }
}

/// Accounts of which something is known here, each once.
fn accounts(books: &Books<'_>) -> Answered<u64> {
    let mut all = BTreeSet::new();
    for record in books.stores()? {
        let mut after = None;
        loop {
            let page = books.members_of(record.store, after, PAGE_MAX)?;
            after = page.last().copied();
            let is_last = page.len() < PAGE_MAX;
            all.extend(page);
            if is_last {
                break;
            }
        }
    }
    Ok(all.len() as u64)
}

/// Somebody who drives from store to store.
const VISITS: u32 = 2;

/// A line that is repaired the next day.
const HOURS: u32 = 24;

/// One in a thousand.
const CHEATS: u32 = 1_000;
