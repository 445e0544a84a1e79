//! What can be promised, where, and how sure that is: read from the books, without asking anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::{Actor, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::{Channel, Product};
use stockroom_crdt::stock::policy::{PolicyRule, Target};
use stockroom_crdt::stock::rights::{Account, Class};
use utoipa::{IntoParams, ToSchema};

use super::near::{Degrees, by_distance, shown_km};
use super::problem::{Answered, Problem};
use super::request::Params;
use super::stores::Knowledge;
use super::values::Text;
use super::{Api, Books};

/// What of one product can be promised.
#[derive(Serialize, ToSchema)]
pub struct AvailabilityAnswer {
    /// The product.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name.
    name: String,
    /// In what all figures are counted.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// The stores: those near first if a place was given, else by their numbers.
    items: Vec<AvailableAt>,
}

/// What can be promised at one store.
#[derive(Serialize, ToSchema)]
pub struct AvailableAt {
    /// The store.
    store: u32,
    /// Its name.
    name: String,
    /// Great-circle distance from `near` in kilometres; absent if the store is nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_km: Option<f64>,
    /// Pieces or grams in its book; negative when more was sold than was ever booked in.
    on_hand: i64,
    /// Of these, promised by open reservations that are hard.
    promised: u64,
    /// Units of open reservations that are soft.
    promised_soft: u64,
    /// Rights that this node holds: so many units it can promise hard by itself, also without any link.
    available_here: u64,
    /// Rights that others hold, as far as is known here: they can be asked for.
    elsewhere: u64,
    /// Units that may still be promised softly from here.
    soft_available_here: u64,
    /// Units that the product's rule never lets be promised; absent without a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    safety: Option<u32>,
    /// How old the knowledge of the store is, in seconds; 0 at the store itself, absent if it was never heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
    /// How far `on_hand` can be believed, 0 to 1: 1 for what is known as of now, half after each hour of age
    /// (`2^(-age_s/3600)`), 0 if the store was never heard. Rights are exact whatever their age.
    confidence: f64,
    /// The same in a word: `now` (1), `fresh` (at least 0.9), `good` (0.5), `old` (0.1), `stale`, `unknown` (0).
    confidence_word: &'static str,
    /// What a reservation of `quantity` units would get at this moment: `hard`; `soft` if its risk is small enough then;
    /// `ask`: nothing yet, others hold enough and would be asked; `no`.
    can_promise: &'static str,
    /// Why, in words.
    why: String,
}

/// Which product, for whom.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AvailabilityParams {
    /// The product.
    #[param(value_type = String)]
    sku: Text<Sku>,
    /// How many pieces or grams are wanted; 1 if absent.
    quantity: Option<u64>,
    /// Only at this store.
    store: Option<u32>,
    /// Where the customer is, `latitude,longitude` in degrees: the nearest store comes first.
    #[param(value_type = Option<String>, example = "52.52,13.405")]
    near: Option<Text<Degrees>>,
    /// `pickup` or `delivery`: what the product is excluded from cannot be promised.
    #[param(value_type = Option<String>)]
    channel: Option<Text<Channel>>,
}

/// What the node knows that is the same for every store.
struct Asked {
    product: Product,
    rules: BTreeMap<Target, PolicyRule>,
    me: Actor,
    quantity: u64,
    /// Why nothing can be promised anywhere.
    stopped: Option<String>,
}

/// What of a product can be promised, store by store.
#[utoipa::path(get, path = "/v1/availability", tag = "reservations", params(AvailabilityParams),
    responses((status = 200, body = AvailabilityAnswer)))]
pub async fn show_availability(
    State(api): State<Arc<Api>>,
    Params(params): Params<AvailabilityParams>,
) -> Answered<Json<AvailabilityAnswer>> {
    let near = params.near.map(|degrees| degrees.0.read("near")).transpose()?;
    let channel = params.channel.map(|channel| channel.0);
    if channel == Some(Channel::Till) {
        return Err(Problem::invalid("channel", "is till: what is sold at once needs no promise"));
    }
    if params.quantity == Some(0) {
        return Err(Problem::invalid("quantity", "is zero"));
    }
    let shared = api.clone();
    let read = move |books: &Books<'_>| {
        let asked = Asked::of(&shared, books, (&params.sku.0, channel), params.quantity.unwrap_or(1))?;
        let mut records = books.stores()?;
        if let Some(store) = params.store {
            records.retain(|record| record.store.0 == store);
            if records.is_empty() {
                return Err(Problem::unknown("store", format_args!("no such store: {store}")));
            }
        }
        let names: BTreeMap<StoreId, String> =
            records.iter().map(|record| (record.store, record.name.clone())).collect();
        let ranked = match near {
            Some(near) => by_distance(records, near),
            None => records.into_iter().map(|record| (record.store, None)).collect(),
        };
        let mut items = Vec::with_capacity(ranked.len());
        for (store, distance) in ranked {
            let name = names.get(&store).cloned().unwrap_or_default();
            let at = asked.at(&shared, books, store)?;
            items.push(AvailableAt { name, distance_km: distance.map(shown_km), ..at });
        }
        let (sku, unit) = (Text(asked.product.sku), Text(asked.product.unit));
        Ok(Json(AvailabilityAnswer { sku, name: asked.product.name, unit, items }))
    };
    api.read_much(read).await
}

impl Asked {
    fn of(api: &Api, books: &Books<'_>, (sku, channel): (&Sku, Option<Channel>), quantity: u64) -> Answered<Self> {
        let product = books.product(sku)?.ok_or_else(|| Problem::unknown("sku", "no such product"))?;
        let status = api.handle.status();
        let excluded = channel.filter(|channel| product.is_excluded(*channel));
        let recall = books.recall(sku, &Default::default())?;
        let stopped = if product.discontinued {
            Some("it is no longer part of the assortment".into())
        } else if let Some(channel) = excluded {
            Some(format!("it is not offered for {}", channel.as_str()))
        } else if let Some(recall) = recall {
            Some(format!("recalled: {}", recall.reason))
        } else if status.rights_locked {
            Some("rights are locked until the hub was heard".into())
        } else {
            None
        };
        let me = Actor::new(status.node.0, status.epoch.0);
        Ok(Self { product, rules: books.rules()?, me, quantity, stopped })
    }

    fn at(&self, api: &Api, books: &Books<'_>, store: StoreId) -> Answered<AvailableAt> {
        let account = Account { store, sku: self.product.sku.clone(), unit: self.product.unit };
        let goods = books.rights(&account, Class::Goods)?;
        let soft_rights = books.rights(&account, Class::Overbooking)?.held(self.me);
        let held = goods.held(self.me);
        let elsewhere = books.elsewhere(store, &goods, self.me)?;
        let owed = books.owed(&account)?;
        let rule = books.rule_for(&self.rules, &account.sku)?;
        let age_s = Knowledge::of(api, store).ok().and_then(|knowledge| knowledge.age_s());
        let (confidence, confidence_word) = confidence(age_s);
        let may_be_soft = rule.as_ref().is_some_and(|rule| rule.soft_ppm > 0) && soft_rights >= self.quantity;
        let (can_promise, why) = match (&self.stopped, &rule) {
            (Some(why), _) => ("no", why.clone()),
            (None, None) => ("no", "no rule says that it may be promised".into()),
            (None, Some(_)) if held >= self.quantity => ("hard", format!("{held} rights are held here")),
            (None, Some(_)) if may_be_soft => {
                ("soft", format!("{held} rights are held here; softly if the risk is small enough at that moment"))
            }
            (None, Some(_)) if elsewhere >= self.quantity => {
                ("ask", format!("{held} rights are held here; others hold {elsewhere} and would be asked"))
            }
            (None, Some(_)) => ("no", format!("{held} rights are held here, {elsewhere} elsewhere")),
        };
        Ok(AvailableAt {
            store: store.0,
            name: String::new(),
            distance_km: None,
            on_hand: books.on_hand(&account)?,
            promised: owed.open,
            promised_soft: owed.open_soft,
            available_here: held,
            elsewhere,
            soft_available_here: soft_rights,
            safety: rule.map(|rule| rule.safety),
            age_s,
            confidence,
            confidence_word,
            can_promise,
            why,
        })
    }
}

/// How far a figure of that age can be believed: half as far after each hour.
fn confidence(age_s: Option<u64>) -> (f64, &'static str) {
    let Some(age_s) = age_s else { return (0.0, "unknown") };
    let value = (-(age_s as f64) / HALF_LIFE_S).exp2();
    let word = match value {
        1.0.. => "now",
        0.9.. => "fresh",
        0.5.. => "good",
        0.1.. => "old",
        _ => "stale",
    };
    ((value * 1_000.0).round() / 1_000.0, word)
}

const HALF_LIFE_S: f64 = 3_600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_falls_by_half_in_an_hour() {
        assert_eq!(confidence(Some(0)), (1.0, "now"));
        assert_eq!(confidence(Some(300)), (0.944, "fresh"));
        assert_eq!(confidence(Some(3_600)), (0.5, "good"));
        assert_eq!(confidence(Some(10_000)), (0.146, "old"));
        assert_eq!(confidence(Some(86_400)), (0.0, "stale"));
        assert_eq!(confidence(None), (0.0, "unknown"));
    }
}
