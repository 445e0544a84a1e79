//! Campaigns of coupons: what they give, when, where and who pays for it; how far they went; codes to print; placing coupons with stores.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::loyalty::IssueRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_core::view::loyalty::{CampaignAt, Rollout};
use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::ids::{Code, MemberId, Sku, StoreId};
use stockroom_crdt::loyalty::campaign::{Bearer, Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{Judged, Verdict, bears};
use utoipa::{IntoParams, ToSchema};

use crate::api::idempotency::{KeyHeader, Keyed, created, done};
use crate::api::limits::{CODES_MAX, DOUBLES_MAX};
use crate::api::prices::check_start;
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::{Params, Segment};
use crate::api::till_rules::promotions::{GivesBody, sorted};
use crate::api::values::{Moment, ReceiptId, Text, Word, moment, now_ms};
use crate::api::{Api, Books, unexpected};

/// A campaign of coupons. A voucher with a value is a single coupon that gives so much off a basket; a red packet is a pool of the first so
/// many.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Campaign)]
pub struct CampaignBody {
    /// Its name, at most 12 characters: codes begin with it.
    #[schema(value_type = String, example = "plums-5")]
    id: Text<Code>,
    /// What the receipt calls it.
    name: String,
    /// Who made it: a brand, or head office.
    #[serde(default)]
    #[schema(value_type = String)]
    issuer: Text<Code>,
    /// Who pays for what it gives.
    #[schema(value_type = String, example = "plum-growers")]
    funder: Text<Code>,
    /// Who bears a coupon that was redeemed twice: `funder`, `store` (the one that took it) or `write-off`.
    #[schema(value_type = String, example = "funder")]
    bearer: Text<Bearer>,
    /// How many coupons there are, and where they may be redeemed.
    kind: KindBody,
    /// What a coupon gives.
    gives: GivesBody,
    /// From when it holds; now if absent. Stores know of it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Text<Moment>>,
    /// Until when, not included; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Text<Moment>>,
    /// True to take it back.
    #[serde(default)]
    ended: bool,
    /// Only for members.
    #[serde(default)]
    members_only: bool,
    /// At which stores; all if empty.
    #[serde(default)]
    stores: Vec<u32>,
    /// For these products ...
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    skus: Vec<Text<Sku>>,
    /// ... and all of these departments. Both empty: for everything.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    departments: Vec<Text<Code>>,
    /// No other coupon is taken in the same basket.
    #[serde(default)]
    alone: bool,
    /// Units that it has reduced are reduced by no promotion.
    #[serde(default)]
    exclusive: bool,
    /// A coupon whose goods all come back may be used again.
    #[serde(default)]
    returns: bool,
    /// Minor units that all coupons give together at most; 0 for no bound.
    #[serde(default)]
    budget: i64,
    /// Minor units that one coupon gives at most; 0 for no bound.
    #[serde(default)]
    worth_max: i64,
    /// The higher is tried first.
    #[serde(default)]
    priority: u8,
    /// How often what it gives is given in one basket; 0 for as often as it fits.
    #[serde(default)]
    per_basket: u16,
}

/// How many coupons there are.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schema(as = CouponKind)]
pub enum KindBody {
    /// So many with serial numbers; each is redeemed only where the right to it lies.
    Single(u32),
    /// The first so many get it: a pool, shared out to the stores.
    FirstN(u32),
    /// So many codes on paper, accepted anywhere.
    Printed {
        /// How many codes.
        coupons: u32,
        /// Minor units that one store gives for them at most until its hub has seen it.
        store_limit: i64,
    },
}

/// Campaigns.
#[derive(Serialize, ToSchema)]
pub struct CampaignList {
    /// By name, those that are over and those to come included.
    items: Vec<CampaignBody>,
}

/// A campaign, and how far it went.
#[derive(Serialize, ToSchema)]
pub struct CampaignAnswer {
    /// Its terms.
    campaign: CampaignBody,
    /// Coupons that there are: serial numbers, or pieces of the pool.
    coupons: u64,
    /// Coupons whose right was placed with a store.
    placed: u64,
    /// Coupons that were used; one that was redeemed twice once.
    redeemed: u64,
    /// Coupons that nobody has used.
    left: u64,
    /// Minor units that they gave, doubles included.
    worth: i64,
    /// Minor units of the budget that were not given; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_left: Option<i64>,
    /// Minor units of the budget that no store was given to spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_unshared: Option<u64>,
    /// Pieces of the pool that no store was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pieces_unshared: Option<u64>,
    /// At each store where there is something to say.
    stores: Vec<CampaignAtAnswer>,
    /// Coupons that were redeemed more than once, each with its proof.
    doubles: Vec<DoubleAnswer>,
    /// So many more were.
    doubles_omitted: usize,
}

/// A campaign at a store.
#[derive(Serialize, ToSchema)]
#[schema(as = CampaignAt)]
pub struct CampaignAtAnswer {
    /// Which store.
    store: u32,
    /// Coupons whose right was placed with it.
    placed: u64,
    /// Redemptions.
    redeemed: u64,
    /// Minor units that they gave.
    worth: i64,
    /// Redemptions that were given back with their goods.
    undone: u64,
    /// Pieces of the pool that it may still give.
    pieces_held: u64,
    /// Minor units of the budget that it may still give.
    budget_held: u64,
}

/// A coupon that was redeemed more than once.
#[derive(Serialize, ToSchema)]
#[schema(as = DoubleRedemption)]
pub struct DoubleAnswer {
    /// Its code.
    #[schema(value_type = String)]
    code: Text<Code>,
    /// The redemption that counts.
    counts: RedemptionAnswer,
    /// The others, and who bears each.
    doubles: Vec<BorneAnswer>,
}

/// A redemption, as the store wrote it down.
#[derive(Serialize, ToSchema)]
#[schema(as = Redemption)]
pub struct RedemptionAnswer {
    /// At which store.
    store: u32,
    /// At which till.
    till: u32,
    /// On which receipt.
    #[schema(value_type = String)]
    receipt: Text<ReceiptId>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// By whom, if she is a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    member: Option<Text<MemberId>>,
    /// Minor units that it gave.
    worth: i64,
    /// Why it was accepted: `right` (the right to it was there), `pool`, or `limit` (within the store's limit for printed codes).
    proof: &'static str,
    /// It stands on a right that was placed with that store.
    by_right: bool,
}

/// A second redemption.
#[derive(Serialize, ToSchema)]
#[schema(as = BorneRedemption)]
pub struct BorneAnswer {
    /// What was written down.
    #[serde(flatten)]
    redemption: RedemptionAnswer,
    /// Who bears its worth.
    borne_by: String,
}

/// Which codes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CodesParams {
    /// The first serial number; 0 if absent.
    first: Option<u32>,
    /// How many, 1 to 10,000; as many as there are, up to that, if absent.
    count: Option<u32>,
}

/// Codes of coupons.
#[derive(Serialize, ToSchema)]
pub struct CodesAnswer {
    /// Of which campaign.
    #[schema(value_type = String)]
    campaign: Text<Code>,
    /// Serial numbers and codes, ascending.
    items: Vec<CodeAnswer>,
    /// The first serial number that follows; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u32>,
}

/// The code of a coupon.
#[derive(Serialize, ToSchema)]
#[schema(as = CouponCode)]
pub struct CodeAnswer {
    /// Its serial number.
    serial: u32,
    /// What stands on paper or on a phone.
    #[schema(value_type = String)]
    code: Text<Code>,
}

/// Coupons are placed with a store.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueBody {
    /// The first serial number.
    first: u32,
    /// How many, up to 512 at a time.
    count: u32,
    /// With which store.
    store: u32,
    /// For whom alone; anybody if absent.
    #[schema(value_type = Option<String>)]
    member: Option<Text<MemberId>>,
}

/// Coupons that were placed.
#[derive(Serialize, ToSchema)]
pub struct IssuedAnswer {
    /// Of which campaign.
    #[schema(value_type = String)]
    campaign: Text<Code>,
    /// With which store.
    store: u32,
    /// How many.
    count: usize,
}

/// Path of campaigns.
pub const CAMPAIGNS: &str = "/v1/campaigns";

/// Path of a campaign.
pub const CAMPAIGN: &str = "/v1/campaigns/{id}";

/// Path of its codes.
pub const CODES: &str = "/v1/campaigns/{id}/codes";

/// Path of placing its coupons.
pub const ISSUE: &str = "/v1/campaigns/{id}/coupons";

/// Campaigns, as far as they are known here. From the node's own machine.
#[utoipa::path(get, path = "/v1/campaigns", tag = "loyalty", responses((status = 200, body = CampaignList)))]
pub async fn list_campaigns(State(api): State<Arc<Api>>) -> Answered<Json<CampaignList>> {
    let campaigns = api.read(|books| Ok(books.campaigns()?))?;
    Ok(Json(CampaignList { items: campaigns.into_iter().map(CampaignBody::of).collect() }))
}

/// Puts a campaign down. At the hub, from its own machine. Replaces the one of the same name; codes that were printed stay good.
#[utoipa::path(put, path = "/v1/campaigns", tag = "loyalty", params(KeyHeader), request_body = CampaignBody,
    responses((status = 200, body = CampaignBody)))]
pub async fn set_campaign(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<CampaignBody>) -> Answered {
    let campaign = value.campaign()?;
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    let written = api.ask(Command::Campaigns(retry, vec![campaign.clone()])).await;
    match written.map_err(|problem| problem.without_prefix("campaigns[0]."))? {
        Answer::Imported { .. } => Ok(done(replayed, CampaignBody::of(campaign))),
        answer => unexpected(&answer),
    }
}

/// A campaign, and how far it went as far as it is known here: at a hub everywhere. From the node's own machine.
#[utoipa::path(get, path = "/v1/campaigns/{id}", tag = "loyalty", params(("id" = String, Path)),
    responses((status = 200, body = CampaignAnswer)))]
pub async fn show_campaign(State(api): State<Arc<Api>>, Segment(id): Segment<Code>) -> Answered<Json<CampaignAnswer>> {
    let read = move |books: &Books<'_>| {
        let campaign = books.campaign(&id)?.ok_or_else(|| none(&id))?;
        let rollout = books.rollout(&campaign)?;
        Ok(Json(CampaignAnswer::of(campaign, rollout)))
    };
    api.read_much(read).await
}

/// Codes of a campaign with serial numbers, to print them or to send them out. At the hub, from its own machine: whoever has a code can use it.
#[utoipa::path(get, path = "/v1/campaigns/{id}/codes", tag = "loyalty", params(("id" = String, Path), CodesParams),
    responses((status = 200, body = CodesAnswer)))]
pub async fn list_codes(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<Code>,
    Params(params): Params<CodesParams>,
) -> Answered<Json<CodesAnswer>> {
    if api.info.store != 0 {
        return Err(Problem::new(Kind::NotHere, "codes are given out at the hub"));
    }
    let campaign = api.read(|books| books.campaign(&id)?.ok_or_else(|| none(&id)))?;
    let (all, first) = (campaign.serials(), params.first.unwrap_or(0));
    if all == 0 {
        let detail = format!("{id} is a pool: its name is the code of all its coupons");
        return Err(Problem::new(Kind::Conflict, detail));
    }
    if first >= all {
        return Err(Problem::invalid("first", format_args!("is not 0 to {}: there are {all} coupons", all - 1)));
    }
    let most = CODES_MAX.min(all - first);
    let count = params.count.unwrap_or(most);
    if !(1..=most).contains(&count) {
        return Err(Problem::invalid("count", format_args!("is not 1 to {most}")));
    }
    let make = move || {
        let code = |serial| campaign.code(serial).map(|code| CodeAnswer { serial, code: Text(code) });
        (first..first + count).filter_map(code).collect::<Vec<_>>()
    };
    let items = tokio::task::spawn_blocking(make).await;
    let items = items.map_err(|_| Problem::new(Kind::Storage, "the node failed while it made codes"))?;
    let next = Some(first + count).filter(|next| *next < all);
    Ok(Json(CodesAnswer { campaign: Text(id), items, next }))
}

/// Places the rights to coupons with a store. At the hub, from its own machine. Placed once, a coupon moves when another store asks for it.
#[utoipa::path(post, path = "/v1/campaigns/{id}/coupons", tag = "loyalty", params(("id" = String, Path), KeyHeader),
    request_body = IssueBody, responses((status = 201, body = IssuedAnswer)))]
pub async fn issue_coupons(
    State(api): State<Arc<Api>>,
    Segment(id): Segment<Code>,
    Keyed { value, retry }: Keyed<IssueBody>,
) -> Answered {
    let IssueBody { first, count, store, member } = value;
    let member = member.map(|member| member.0);
    let request = IssueRequest { campaign: id.clone(), first, count, store: StoreId(store), member };
    let replayed = api.read(|books| Ok(books.retried(retry.key)?.is_some()))?;
    let issued = api.ask(Command::IssueCoupons(retry, request)).await;
    let issued = issued.map_err(|problem| match (problem.kind(), problem.field()) {
        (Kind::UnknownReference, Some("campaign")) => none(&id),
        _ => problem,
    })?;
    match issued {
        Answer::Imported { count } => Ok(created(replayed, IssuedAnswer { campaign: Text(id), store, count })),
        answer => unexpected(&answer),
    }
}

/// A campaign that nobody knows here.
pub fn none(id: &Code) -> Problem {
    Problem::not_found(format!("no campaign {id} is known here"))
}

impl CampaignBody {
    fn of(campaign: Campaign) -> Self {
        let terms = campaign.terms;
        Self {
            id: Text(terms.id),
            name: terms.name,
            issuer: Text(campaign.issuer),
            funder: Text(campaign.funder),
            bearer: Text(campaign.bearer),
            kind: match campaign.kind {
                CouponKind::Single(coupons) => KindBody::Single(coupons),
                CouponKind::FirstN(pool) => KindBody::FirstN(pool),
                CouponKind::Printed { coupons, store_limit } => KindBody::Printed { coupons, store_limit },
            },
            gives: GivesBody::of(terms.gives),
            from: Some(Text(Moment(terms.from_ms))),
            until: moment(terms.until_ms),
            ended: terms.ended,
            members_only: terms.members_only,
            stores: terms.stores.into_iter().map(|store| store.0).collect(),
            skus: terms.skus.into_iter().map(Text).collect(),
            departments: terms.departments.into_iter().map(Text).collect(),
            alone: campaign.alone,
            exclusive: terms.exclusive,
            returns: campaign.returns,
            budget: campaign.budget,
            worth_max: campaign.worth_max,
            priority: terms.priority,
            per_basket: terms.per_basket,
        }
    }

    fn campaign(self) -> Answered<Campaign> {
        let now = now_ms();
        let from_ms = self.from.map_or(now, |from| from.0.0);
        check_start("from", from_ms, now)?;
        let terms = Promotion {
            book: self.id.0.clone(),
            id: self.id.0,
            name: self.name,
            from_ms,
            until_ms: self.until.map_or(0, |until| until.0.0),
            ended: self.ended,
            members_only: self.members_only,
            stores: sorted(self.stores.into_iter().map(StoreId)),
            skus: sorted(self.skus.into_iter().map(|sku| sku.0)),
            departments: sorted(self.departments.into_iter().map(|department| department.0)),
            gives: self.gives.gives(),
            priority: self.priority,
            exclusive: self.exclusive,
            per_basket: self.per_basket,
        };
        Ok(Campaign {
            terms,
            issuer: self.issuer.0,
            funder: self.funder.0,
            bearer: self.bearer.0,
            alone: self.alone,
            returns: self.returns,
            budget: self.budget,
            worth_max: self.worth_max,
            kind: match self.kind {
                KindBody::Single(coupons) => CouponKind::Single(coupons),
                KindBody::FirstN(pool) => CouponKind::FirstN(pool),
                KindBody::Printed { coupons, store_limit } => CouponKind::Printed { coupons, store_limit },
            },
            // The core keeps the one that there is, or draws one.
            secret: [0; 16],
        })
    }
}

impl CampaignAnswer {
    fn of(campaign: Campaign, rollout: Rollout) -> Self {
        let pool = match campaign.kind {
            CouponKind::FirstN(pool) => Some(u64::from(pool)),
            CouponKind::Single(_) | CouponKind::Printed { .. } => None,
        };
        let coupons = pool.unwrap_or(u64::from(campaign.serials()));
        let budget = (campaign.budget > 0).then_some(campaign.budget);
        let says = |at: &&CampaignAt| {
            at.placed > 0 || at.redeemed > 0 || at.undone > 0 || at.held.pieces > 0 || at.held.worth > 0
        };
        let shown = rollout.doubles.iter().take(DOUBLES_MAX);
        Self {
            coupons,
            placed: rollout.stores.iter().map(|at| at.placed).sum(),
            redeemed: rollout.used,
            left: coupons.saturating_sub(rollout.used),
            worth: rollout.worth,
            budget_left: budget.map(|budget| budget.saturating_sub(rollout.worth).max(0)),
            budget_unshared: budget.map(|_| rollout.unshared.worth),
            pieces_unshared: pool.map(|_| rollout.unshared.pieces),
            stores: rollout.stores.iter().filter(says).map(CampaignAtAnswer::of).collect(),
            doubles: shown.filter_map(|(name, verdict)| DoubleAnswer::of(&campaign, name, verdict)).collect(),
            doubles_omitted: rollout.doubles.len().saturating_sub(DOUBLES_MAX),
            campaign: CampaignBody::of(campaign),
        }
    }
}

impl CampaignAtAnswer {
    fn of(at: &CampaignAt) -> Self {
        Self {
            store: at.store.0,
            placed: at.placed,
            redeemed: at.redeemed,
            worth: at.worth,
            undone: at.undone,
            pieces_held: at.held.pieces,
            budget_held: at.held.worth,
        }
    }
}

impl DoubleAnswer {
    /// `None` for a coupon that was not redeemed twice.
    pub fn of(campaign: &Campaign, name: &CouponName, verdict: &Verdict) -> Option<Self> {
        let code = name.serial.and_then(|serial| campaign.code(serial))?;
        let borne = |judged: &Judged| BorneAnswer {
            redemption: RedemptionAnswer::of(judged),
            borne_by: bears(campaign, judged.store),
        };
        let counts = RedemptionAnswer::of(&verdict.winner);
        let doubles: Vec<_> = verdict.doubles.iter().map(borne).collect();
        (!doubles.is_empty()).then_some(Self { code: Text(code), counts, doubles })
    }
}

impl RedemptionAnswer {
    /// As it stands in the log.
    pub fn of(judged: &Judged) -> Self {
        let redemption = &judged.redemption;
        Self {
            store: judged.store.0,
            till: redemption.receipt.till.0,
            receipt: Text(ReceiptId { store: judged.store, number: redemption.receipt }),
            at: Text(Moment(redemption.at_ms)),
            member: redemption.member.map(Text),
            worth: redemption.worth,
            proof: redemption.proof.as_str(),
            by_right: judged.by_right,
        }
    }
}

impl Word for Bearer {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "is not one of funder, store, write-off".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}
