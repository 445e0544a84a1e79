//! One coupon at a till: where the right to it lies, whether it was used, asking the hub for it and giving it up.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::loyalty::{CouponDeed, CouponRefused, CouponRequest};
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::loyalty::campaign::{CouponKind, CouponName};
use utoipa::ToSchema;

use super::campaigns::DoubleAnswer;
use crate::api::idempotency::{KeyHeader, Keyed, created};
use crate::api::problem::{Answered, Problem};
use crate::api::request::{Segment, Segments};
use crate::api::values::{Moment, Text, Word};
use crate::api::who::{SessionHeader, Who};
use crate::api::{Api, Books, unexpected};

/// A coupon, as far as it is known here.
#[derive(Serialize, ToSchema)]
#[schema(as = Coupon)]
pub struct CouponAnswer {
    /// Its code.
    #[schema(value_type = String)]
    code: Text<Code>,
    /// Of which campaign.
    #[schema(value_type = String)]
    campaign: Text<Code>,
    /// What that is called.
    name: String,
    /// `single`, `first-n` or `printed`.
    kind: &'static str,
    /// Where the right to it lies, as far as it is known here; absent if it was placed with no store.
    #[serde(skip_serializing_if = "Option::is_none")]
    placed_at: Option<u32>,
    /// The right to it is for one member alone.
    for_member: bool,
    /// This store asked for it, and was not answered yet.
    asked: bool,
    /// Where and when it was used, as far as it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<UsedAnswer>,
    /// It was redeemed more than once. For managers.
    #[serde(skip_serializing_if = "Option::is_none")]
    double: Option<DoubleAnswer>,
}

/// Where and when a coupon was used.
#[derive(Serialize, ToSchema)]
#[schema(as = CouponUse)]
pub struct UsedAnswer {
    /// At which store.
    store: u32,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
}

/// What a store does about a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed(CouponDeed);

/// Nothing more has to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponActBody {}

/// A coupon, as far as it is known here. At a hub everything that is known.
#[utoipa::path(get, path = "/v1/coupons/{code}", tag = "loyalty", params(("code" = String, Path), SessionHeader),
    responses((status = 200, body = CouponAnswer)))]
pub async fn show_coupon(
    State(api): State<Arc<Api>>,
    who: Who,
    Segment(code): Segment<Code>,
) -> Answered<Json<CouponAnswer>> {
    who.may(&api, Role::Cashier)?;
    let own = StoreId(api.info.store);
    let mut answer = api.read(|books| CouponAnswer::of(books, own, &code))?;
    // Who else used it is nothing for a till.
    if who.may(&api, Role::Manager).is_err() {
        answer.double = None;
    }
    Ok(Json(answer))
}

/// Asks the hub for the right to a coupon that a customer shows, or for more of its pool; or gives the right up for another store. What was
/// asked for is there as soon as the hub has answered: look at the coupon again.
#[utoipa::path(post, path = "/v1/coupons/{code}/{action}", tag = "loyalty",
    params(("code" = String, Path), ("action" = String, Path, description = "`ask` or `give-up`"), KeyHeader, SessionHeader),
    request_body = CouponActBody, responses((status = 201, body = CouponAnswer)))]
pub async fn act_on_coupon(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(code, deed): Segments<Code, Deed>,
    Keyed { retry, .. }: Keyed<CouponActBody>,
) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    match api.ask(Command::Coupon(retry, CouponRequest { code: code.clone(), deed: deed.0 })).await? {
        Answer::Written { replayed, .. } => {
            let answer = api.read(|books| CouponAnswer::of(books, store, &code))?;
            Ok(created(replayed, CouponAnswer { double: None, ..answer }))
        }
        answer => unexpected(&answer),
    }
}

impl CouponAnswer {
    fn of(books: &Books<'_>, own: StoreId, code: &Code) -> Answered<Self> {
        let name = CouponName::of(code);
        let campaign = books.campaign(&name.campaign)?.filter(|campaign| campaign.has(code));
        let campaign = campaign.ok_or_else(|| Problem::coupon("code".into(), &CouponRefused::Wrong))?;
        let mut newest = None;
        let mut told = None;
        for store in books.coupon_stores(&name)? {
            let here = books.coupon_at(store, &name)?;
            newest = newest.max(here.held().map(|(turn, _, member)| (turn, store, member)));
            told = told.or(here.used);
        }
        let verdict = if name.serial.is_some() { books.coupon_verdict(&name)? } else { None };
        let winner = verdict.as_ref().map(|verdict| (verdict.winner.redemption.at_ms, verdict.winner.store));
        let own = books.coupon_at(own, &name)?;
        Ok(Self {
            code: Text(code.clone()),
            campaign: Text(name.campaign.clone()),
            kind: match campaign.kind {
                CouponKind::Single(_) => "single",
                CouponKind::FirstN(_) => "first-n",
                CouponKind::Printed { .. } => "printed",
            },
            placed_at: newest.map(|(_, store, _)| store.0),
            for_member: newest.is_some_and(|(.., member)| member.is_some()),
            asked: own.asked > own.answered && own.used.is_none(),
            used: winner.or(told).map(|(at_ms, store)| UsedAnswer { store: store.0, at: Text(Moment(at_ms)) }),
            double: verdict.and_then(|verdict| DoubleAnswer::of(&campaign, &name, &verdict)),
            name: campaign.terms.name,
        })
    }
}

impl Word for Deed {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "ask" => Ok(Self(CouponDeed::Ask)),
            "give-up" => Ok(Self(CouponDeed::GiveUp)),
            _ => Err("is not one of ask, give-up".into()),
        }
    }

    fn write(&self) -> String {
        match self.0 {
            CouponDeed::Ask => "ask".into(),
            CouponDeed::GiveUp => "give-up".into(),
        }
    }
}
