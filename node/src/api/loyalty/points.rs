//! A member's points: how many she has and how old that knowledge is, what may be spent here, what each receipt did; asking the hub for more.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::loyalty::{PointsDeed, PointsRequest};
use stockroom_core::input::{Answer, Command};
use stockroom_core::view::loyalty::{AccountPoints, Spender};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId};
use stockroom_crdt::limits::POINTS_MAX;
use stockroom_crdt::loyalty::points::SalePoints;
use stockroom_crdt::member::link::Weight;
use utoipa::ToSchema;

use super::benefits::{BalanceAnswer, UsedPointsAnswer};
use crate::api::idempotency::{KeyHeader, Keyed, created};
use crate::api::limits::POINTS_SALES_MAX;
use crate::api::members::Sight;
use crate::api::members::audit::How;
use crate::api::problem::{Answered, Problem};
use crate::api::request::{Segment, Segments};
use crate::api::values::{Moment, ReceiptId, Text, Word, moment, now_ms};
use crate::api::who::{SessionHeader, Who};
use crate::api::{Api, Books, unexpected};

/// A person's points over all accounts that are known to be hers.
#[derive(Serialize, ToSchema)]
#[schema(as = MemberPoints)]
pub struct MemberPointsAnswer {
    /// The account that was asked for: it earns, and it alone may be spent beyond its right.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// All of them together, as old as the oldest part of it; absent at a store that no hub told of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<BalanceAnswer>,
    /// Her tier; empty for none.
    #[schema(value_type = String)]
    tier: Text<Code>,
    /// Minor units that a point pays; absent where there is no programme.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth: Option<i64>,
    /// Points that may be spent here by right.
    held: u64,
    /// Points that may be spent here without one: what is left of the limit until the hub was heard.
    soft: u64,
    /// Points that baskets which wait here hold.
    reserved: u64,
    /// Each account.
    accounts: Vec<AccountAnswer>,
    /// What each receipt did, the newest first.
    sales: Vec<PointsOfSale>,
    /// So many older ones are left out.
    omitted: usize,
}

/// Points of one account.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountPoints)]
pub struct AccountAnswer {
    /// Which account.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// All of its points; absent at a store that no hub told.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<BalanceAnswer>,
    /// Points that may be spent here by right.
    held: u64,
    /// Where else points of it may be spent by right, as far as it is known here.
    lie: BTreeMap<u32, u64>,
}

/// What a receipt did with points.
#[derive(Serialize, ToSchema)]
pub struct PointsOfSale {
    /// Of which account.
    #[schema(value_type = String)]
    member: Text<MemberId>,
    /// Which receipt.
    #[schema(value_type = String)]
    receipt: Text<ReceiptId>,
    /// When it was rung up.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// When what it earned expires; absent for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Text<Moment>>,
    /// What it gave and cost.
    #[serde(flatten)]
    points: UsedPointsAnswer,
}

/// What a store does about points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asks the hub for the right to more.
    Ask,
    /// Gives rights back.
    GiveBack,
}

/// How many.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsActBody {
    /// Points; all that no basket holds, if absent, for `give-back`.
    points: Option<u64>,
}

/// A person's points, as far as they are known here. The reading is written down.
#[utoipa::path(get, path = "/v1/members/{id}/points", tag = "loyalty", params(("id" = String, Path), SessionHeader),
    responses((status = 200, body = MemberPointsAnswer)))]
pub async fn show_points(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(member): Segment<MemberId>,
) -> Answered<Json<MemberPointsAnswer>> {
    who.may(&api, Role::Cashier)?;
    Ok(Json(api.points_of(&who, member).await?))
}

/// Asks the hub for the right to spend more of a member's points here, when she wants to pay with them; or gives rights back for another
/// store. What was asked for is there as soon as the hub has answered: look at the points again.
#[utoipa::path(post, path = "/v1/members/{id}/points/{action}", tag = "loyalty",
    params(("id" = String, Path), ("action" = String, Path, description = "`ask` or `give-back`"), KeyHeader, SessionHeader),
    request_body = PointsActBody, responses((status = 201, body = MemberPointsAnswer)))]
pub async fn act_on_points(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(member, action): Segments<MemberId, Action>,
    Keyed { value, retry }: Keyed<PointsActBody>,
) -> Answered {
    api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let deed = match (action, value.points) {
        (Action::Ask, Some(points)) => PointsDeed::Ask(points),
        (Action::Ask, None) => return Err(Problem::invalid("points", "is missing")),
        (Action::GiveBack, points) => PointsDeed::GiveBack(points.unwrap_or(POINTS_MAX)),
    };
    match api.ask(Command::Points(retry, PointsRequest { member, deed })).await? {
        Answer::Written { replayed, .. } => Ok(created(replayed, api.points_of(&who, member).await?)),
        answer => unexpected(&answer),
    }
}

impl Api {
    async fn points_of(&self, who: &Who, member: MemberId) -> Answered<MemberPointsAnswer> {
        let spender = self.spender();
        let answer = self.read(|books| MemberPointsAnswer::of(books, member, spender))?;
        let read: Vec<_> = answer.accounts.iter().map(|account| account.member.0).collect();
        self.note_reading_of(who, How::Points, &read, "points", Sight::Full).await?;
        Ok(answer)
    }

    /// This node where it may spend points; `None` at a hub.
    pub fn spender(&self) -> Option<Spender> {
        let status = self.handle.status();
        let actor = Actor { node: status.node, epoch: status.epoch };
        status.store.map(|store| Spender { store, actor, locked: status.rights_locked })
    }
}

impl MemberPointsAnswer {
    /// What is known here of a person's points.
    pub fn of(books: &Books<'_>, member: MemberId, spender: Option<Spender>) -> Answered<Self> {
        let others = books.member_class(member, Weight::Strong)?.members.into_iter().filter(|other| *other != member);
        let mut accounts = Vec::new();
        for account in std::iter::once(member).chain(others) {
            accounts.push(books.account_points(account, spender, now_ms())?);
        }
        let is_empty = |it: &AccountPoints| it.sales.is_empty() && it.lie.is_empty();
        if books.member(member)?.is_none() && accounts.iter().all(is_empty) {
            return Err(Problem::not_found("no such member is known at this node: look for her with /v1/members/find"));
        }
        let told: Vec<_> = accounts.iter().filter_map(|it| it.balance).collect();
        let balance = told.iter().copied().reduce(|a, b| (a.0.saturating_add(b.0), a.1.min(b.1)));
        let mut sales: Vec<(StoreId, &SalePoints)> =
            accounts.iter().flat_map(|it| it.sales.iter().map(|(store, said)| (*store, said))).collect();
        sales.sort_by_key(|(store, said)| (std::cmp::Reverse(said.at_ms), *store, said.sale, said.member));
        let omitted = sales.len().saturating_sub(POINTS_SALES_MAX);
        let sum = |of: fn(&AccountPoints) -> u64| accounts.iter().map(of).fold(0, u64::saturating_add);
        Ok(Self {
            member: Text(member),
            balance: balance.map(BalanceAnswer::of),
            tier: Text(accounts.first().map(|it| it.tier.clone()).unwrap_or_default()),
            worth: books.loyalty()?.map(|rules| rules.worth),
            held: sum(|it| it.held),
            soft: accounts.first().map_or(0, |it| it.soft),
            reserved: sum(|it| it.reserved),
            accounts: accounts.iter().map(AccountAnswer::of).collect(),
            sales: sales.into_iter().take(POINTS_SALES_MAX).map(PointsOfSale::of).collect(),
            omitted,
        })
    }
}

impl AccountAnswer {
    fn of(account: &AccountPoints) -> Self {
        Self {
            member: Text(account.member),
            balance: account.balance.map(BalanceAnswer::of),
            held: account.held,
            lie: account.lie.iter().map(|(store, points)| (store.0, *points)).collect(),
        }
    }
}

impl PointsOfSale {
    /// As it stands in the log.
    pub fn of((store, said): (StoreId, &SalePoints)) -> Self {
        Self {
            member: Text(said.member),
            receipt: Text(ReceiptId { store, number: said.receipt }),
            at: Text(Moment(said.at_ms)),
            expires: moment(said.expires_ms),
            points: UsedPointsAnswer::of(said),
        }
    }
}

impl Word for Action {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "ask" => Ok(Self::Ask),
            "give-back" => Ok(Self::GiveBack),
            _ => Err("is not one of ask, give-back".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Ask => "ask".into(),
            Self::GiveBack => "give-back".into(),
        }
    }
}
