//! All stores at a glance, for whoever looks after the chain: which are truly in sync, how old what is known of the others is, and what
//! waits for them here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::books::days::Day;
use stockroom_core::status::{PeerStatus, Status};
use stockroom_core::sync::link::Relation;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::{Code, NodeId, StoreId};
use stockroom_crdt::scope::Scope;
use utoipa::{IntoParams, ToSchema};

use super::days::{DayAnswer, last_days};
use super::near::Degrees;
use super::problem::{Answered, Problem};
use super::products::page_limit;
use super::request::{Params, Segment};
use super::values::{Moment, Text, moment, now_ms};
use super::{Api, Books};

/// The stores that were asked for, and how all of them stand.
#[derive(Serialize, ToSchema)]
pub struct FleetAnswer {
    /// When this was looked at.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// All stores, by state.
    totals: FleetTotals,
    /// How many stores fit the question.
    found: usize,
    /// One page of them.
    items: Vec<FleetStore>,
    /// Where every store that fits is; only if `map` was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    map: Vec<FleetPoint>,
}

/// Stores by state.
#[derive(Clone, Copy, Default, Serialize, ToSchema)]
pub struct FleetTotals {
    /// All of them.
    stores: usize,
    /// Connected, and everything is durable both ways.
    in_sync: usize,
    /// Connected, and something is on its way.
    catching_up: usize,
    /// Heard before, and no link is up.
    cut_off: usize,
    /// Never heard.
    never: usize,
    /// Without a node that is believed.
    revoked: usize,
}

/// How a store stands.
#[derive(Clone, Serialize, ToSchema)]
pub struct FleetStore {
    /// Which.
    store: u32,
    /// Its name.
    name: String,
    /// `in-sync`, `catching-up`, `cut-off`, `never` or `revoked`. In sync is only what is connected while everything is durable on both sides.
    state: &'static str,
    /// Until when everything of it is known here; absent if that was never so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    known_until: Option<Text<Moment>>,
    /// The node that keeps its goods; 0 while there is none.
    home: u32,
    /// Steps of feeds that wait here for its node; while it is cut off only those of the catalogue, prices and the control scope.
    waiting: u64,
    /// The clock of its node minus this one's, milliseconds; only while it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_error_ms: Option<i64>,
    /// Receipts that it has probably rung up since it was heard last, as on its last seven days; absent unless it is cut off and such days are
    /// known. How many they are only the store knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsent_receipts: Option<u64>,
    /// The version of the program that its node started last, as far as it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.1.0")]
    version: Option<Text<Code>>,
    /// `same`, `older` or `newer` than this node's program, by the newest kind of fact that it knows; only while it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'static str>,
    /// Fulfillments that are late, up to 100.
    late: usize,
    /// What somebody should look at: `clock`, `silent` (a day or more), `late`, `older-program`.
    alarms: Vec<&'static str>,
    /// Where it is; absent if nobody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    coordinates: Option<Degrees>,
    /// Its last day, as far as it is known here; only on the page that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<DayAnswer>,
}

/// A store on the map.
#[derive(Serialize, ToSchema)]
pub struct FleetPoint {
    /// Which.
    store: u32,
    /// Where.
    at: Degrees,
    /// As in the list.
    state: &'static str,
}

/// Which stores.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FleetParams {
    /// Only stores with this number, or with this in their names.
    search: Option<String>,
    /// Only stores in this state; `trouble` for all that are not in sync, `alarms` for those with an alarm.
    state: Option<String>,
    /// `trouble` (the worst first), `store`, `name`, `contact` (the longest silent first), `waiting` or `clock`; `trouble` if absent.
    sort: Option<String>,
    /// Leave so many out.
    #[serde(default)]
    skip: usize,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
    /// Also where all of them are.
    #[serde(default)]
    map: bool,
}

/// How far a store's nodes have what is written here.
#[derive(Serialize, ToSchema)]
pub struct FeedsAnswer {
    /// The store.
    store: u32,
    /// By node and scope.
    items: Vec<StoreFeed>,
}

/// How far one node follows one scope.
#[derive(Serialize, ToSchema)]
pub struct StoreFeed {
    /// The node.
    node: u32,
    /// The scope.
    scope: String,
    /// The last step that is durable there, as far as this node remembers.
    durable: u64,
    /// The last step there is.
    end: u64,
}

/// How all stores stand.
#[utoipa::path(get, path = "/v1/fleet", tag = "stores", params(FleetParams), responses((status = 200, body = FleetAnswer)))]
pub async fn show_fleet(
    State(api): State<Arc<Api>>,
    Params(params): Params<FleetParams>,
) -> Answered<Json<FleetAnswer>> {
    let limit = page_limit(params.limit)?;
    params.check()?;
    let status = api.handle.status();
    let read = move |books: &Books<'_>| {
        let all = Fleet::of(books, &status)?.stores()?;
        let mut totals = FleetTotals { stores: all.len(), ..FleetTotals::default() };
        all.iter().for_each(|store| *totals.of(store.state) += 1);
        let mut found: Vec<_> = all.into_iter().filter(|store| params.takes(store)).collect();
        params.sort(&mut found);
        let point =
            |store: &FleetStore| Some(FleetPoint { store: store.store, at: store.coordinates?, state: store.state });
        let map = if params.map { found.iter().filter_map(point).collect() } else { Vec::new() };
        let count = found.len();
        let mut items: Vec<_> = found.into_iter().skip(params.skip).take(limit).collect();
        for item in &mut items {
            item.day = last_days(books, StoreId(item.store), 1)?.pop();
        }
        Ok(Json(FleetAnswer { at: Text(Moment(now_ms())), totals, found: count, items, map }))
    };
    api.read_much(read).await
}

/// How far the nodes of a store have what is written here: prices, the catalogue, orders, rights.
#[utoipa::path(get, path = "/v1/stores/{store}/feeds", tag = "stores", params(("store" = u32, Path)),
    responses((status = 200, body = FeedsAnswer)))]
pub async fn show_feeds(State(api): State<Arc<Api>>, Segment(store): Segment<u32>) -> Answered<Json<FeedsAnswer>> {
    let status = api.handle.status();
    let read = move |books: &Books<'_>| {
        books.store(StoreId(store))?.ok_or_else(|| Problem::not_found(format!("store {store} is not known here")))?;
        let mut items = Vec::new();
        for node in books.nodes()?.into_iter().filter(|node| node.store.0 == store).map(|node| node.node) {
            let feeds = feeds_of(books, &status, node)?;
            let line = |(scope, durable, end)| StoreFeed { node: node.0, scope, durable, end };
            items.extend(feeds.into_iter().map(line));
        }
        Ok(Json(FeedsAnswer { store, items }))
    };
    api.read_much(read).await
}

/// How far a node has every scope that it follows here: what its link says, else what is remembered of it.
pub fn feeds_of(books: &Books<'_>, status: &Status, node: NodeId) -> Answered<Vec<(String, u64, u64)>> {
    if let Some(peer) = status.peers.iter().find(|peer| peer.node == node && peer.ready) {
        let durable = |durable: u64, end: u64| if peer.drained { end } else { durable };
        let feed = |(scope, at, end): &(Scope, u64, u64)| (scope.to_string(), durable(*at, *end), *end);
        return Ok(peer.feeds.iter().map(feed).collect());
    }
    let followed = books.followed(node)?.into_iter();
    Ok(followed.map(|feed| (feed.scope.to_string(), feed.durable, feed.end)).collect())
}

/// What is looked at once for all stores.
struct Fleet<'a> {
    books: &'a Books<'a>,
    status: &'a Status,
    peers: BTreeMap<StoreId, &'a PeerStatus>,
    fenced: Vec<NodeId>,
    now_ms: u64,
}

impl<'a> Fleet<'a> {
    fn of(books: &'a Books<'a>, status: &'a Status) -> Answered<Self> {
        let children = status.peers.iter().filter(|peer| peer.relation == Relation::Child && peer.ready);
        let mut peers: BTreeMap<StoreId, &PeerStatus> = BTreeMap::new();
        for peer in children {
            let held = peers.entry(peer.store).or_insert(peer);
            // Of several nodes of a store the one that is furthest behind says how the store stands.
            if held.drained && !peer.drained {
                *held = peer;
            }
        }
        let fenced = books.fences()?.into_iter().map(|fence| fence.node).collect();
        Ok(Self { books, status, peers, fenced, now_ms: now_ms() })
    }

    fn stores(&self) -> Answered<Vec<FleetStore>> {
        let fresh: BTreeMap<_, _> = self.status.stores.iter().map(|held| (held.store, held.fresh_ms)).collect();
        let records = self.books.stores()?.into_iter();
        records.map(|record| self.store(&record, fresh.get(&record.store).copied().flatten())).collect()
    }

    fn store(&self, record: &StoreRecord, fresh_ms: Option<u64>) -> Answered<FleetStore> {
        let peer = self.peers.get(&record.store).copied();
        let waiting = match peer {
            // What a store wrote itself stands in the same feeds and is not sent back to it.
            Some(peer) if peer.drained => 0,
            Some(peer) => peer.feeds.iter().map(|(_, durable, end)| end.saturating_sub(*durable)).sum(),
            None if record.home.0 == 0 => 0,
            None => {
                let followed = self.books.followed(record.home)?;
                // Of the chain's own scopes alone: in those of stores stands also what the store wrote itself.
                followed.iter().filter(|feed| feed.scope.store().is_none()).map(|feed| feed.missing()).sum()
            }
        };
        let silent_ms = fresh_ms.map(|at| self.now_ms.saturating_sub(at));
        let revoked = self.fenced.contains(&record.home);
        let state = match (peer, silent_ms) {
            _ if revoked => "revoked",
            (Some(peer), Some(ms)) if peer.drained && ms <= SYNC_AGE_MS => "in-sync",
            (Some(_), _) => "catching-up",
            (None, Some(_)) => "cut-off",
            (None, None) => "never",
        };
        let unsent_receipts = match (state, silent_ms) {
            ("cut-off", Some(ms)) => usual_receipts(&self.books.newest_days(record.store, USUAL_DAYS + 1)?, ms),
            _ => None,
        };
        let program_of_home = self.books.program(record.store, record.home)?;
        let due = self.books.works(record.store, None, LATE_MAX)?;
        let late = due.iter().take_while(|work| work.due_ms < self.now_ms).count();
        let clock_error_ms = peer.map(|peer| peer.clock_error_ms);
        let ours = kind::ALL.into_iter().max().unwrap_or(0);
        let program = peer.and_then(|peer| peer.kind_max).map(|theirs| match theirs.cmp(&ours) {
            std::cmp::Ordering::Less => "older",
            std::cmp::Ordering::Equal => "same",
            std::cmp::Ordering::Greater => "newer",
        });
        let mut alarms = Vec::new();
        let mut raise = |is_so: bool, word: &'static str| {
            if is_so {
                alarms.push(word);
            }
        };
        raise(peer.is_none() && silent_ms.is_some_and(|ms| ms >= SILENT_MS), "silent");
        raise(clock_error_ms.is_some_and(|error| error.unsigned_abs() >= CLOCK_MS), "clock");
        raise(late > 0, "late");
        raise(program == Some("older"), "older-program");
        Ok(FleetStore {
            store: record.store.0,
            name: record.name.clone(),
            state,
            known_until: fresh_ms.and_then(moment),
            home: record.home.0,
            waiting,
            clock_error_ms,
            unsent_receipts,
            version: program_of_home.map(|program| Text(program.version)),
            program,
            late,
            alarms,
            coordinates: record.coordinates.map(Degrees::of),
            day: None,
        })
    }
}

/// As many receipts as the last closed days brought in a time like this on average.
fn usual_receipts(days: &[Day], within_ms: u64) -> Option<u64> {
    let closed: Vec<_> = days.iter().rev().filter(|day| day.closed_ms > 0).take(USUAL_DAYS).collect();
    let receipts: u64 = closed.iter().map(|day| day.receipts).sum();
    let guess = (u128::from(receipts) * u128::from(within_ms)).checked_div(DAY_MS * closed.len() as u128)?;
    Some(u64::try_from(guess).unwrap_or(u64::MAX))
}

impl FleetTotals {
    fn of(&mut self, state: &str) -> &mut usize {
        match state {
            "in-sync" => &mut self.in_sync,
            "catching-up" => &mut self.catching_up,
            "cut-off" => &mut self.cut_off,
            "never" => &mut self.never,
            _ => &mut self.revoked,
        }
    }
}

impl FleetParams {
    fn check(&self) -> Answered<()> {
        let known = |field: &str, given: &Option<String>, words: &[&str]| match given {
            Some(word) if !words.contains(&word.as_str()) => {
                Err(Problem::invalid(field, format_args!("{word} is none of {}", words.join(", "))))
            }
            _ => Ok(()),
        };
        known("state", &self.state, &WANTED)?;
        known("sort", &self.sort, &SORTS)
    }

    fn takes(&self, store: &FleetStore) -> bool {
        let state = match self.state.as_deref() {
            None => true,
            Some("trouble") => store.state != "in-sync",
            Some("alarms") => !store.alarms.is_empty(),
            Some(state) => store.state == state,
        };
        let named = self.search.as_deref().map(str::trim).filter(|text| !text.is_empty()).is_none_or(|text| {
            store.store.to_string() == text || store.name.to_lowercase().contains(&text.to_lowercase())
        });
        state && named
    }

    fn sort(&self, stores: &mut [FleetStore]) {
        let since = |store: &FleetStore| store.known_until.as_ref().map_or(0, |at| at.0.0);
        match self.sort.as_deref() {
            Some("store") => {}
            Some("name") => stores.sort_by(|a, b| a.name.cmp(&b.name)),
            Some("contact") => stores.sort_by_key(since),
            Some("waiting") => stores.sort_by_key(|store| std::cmp::Reverse(store.waiting)),
            Some("clock") => {
                stores.sort_by_key(|store| std::cmp::Reverse(store.clock_error_ms.unwrap_or(0).unsigned_abs()));
            }
            // In sync since moments ago is as good as in sync: only what is cut off is put in order by its silence.
            _ => stores.sort_by_key(|store| {
                let rank = STATES.iter().position(|state| *state == store.state);
                (rank, std::cmp::Reverse(store.alarms.len()), if store.state == "cut-off" { since(store) } else { 0 })
            }),
        }
    }
}

/// The worst first.
const STATES: [&str; 5] = ["cut-off", "revoked", "catching-up", "never", "in-sync"];

const WANTED: [&str; 7] = ["in-sync", "catching-up", "cut-off", "never", "revoked", "trouble", "alarms"];

const SORTS: [&str; 6] = ["trouble", "store", "name", "contact", "waiting", "clock"];

/// A store says every five seconds that it has nothing new: after six of them without such a word it is not in sync, whatever its link says.
const SYNC_AGE_MS: u64 = 30_000;

/// A clock that is off by so much is looked at: promises and prices begin at the wrong moment.
const CLOCK_MS: u64 = 5_000;

/// A store that is silent for a day has missed a night's prices.
const SILENT_MS: u64 = 86_400_000;

/// Days that tell what is usual at a store.
const USUAL_DAYS: usize = 7;

const DAY_MS: u128 = 86_400_000;

/// Late fulfillments that are counted.
const LATE_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_told_by_closed_days_alone() {
        let day = |receipts: u64, closed_ms: u64| Day { receipts, closed_ms, ..Day::default() };
        assert_eq!(usual_receipts(&[], 1_000), None);
        assert_eq!(usual_receipts(&[day(7, 0)], 1_000), None, "a day that is open says little");
        let (day_ms, half) = (86_400_000, 43_200_000);
        assert_eq!(usual_receipts(&[day(100, 1), day(300, 1), day(7, 0)], day_ms), Some(200));
        assert_eq!(usual_receipts(&[day(100, 1), day(300, 1)], half), Some(100));
        let eight: Vec<_> = [day(9_000, 1)].into_iter().chain((0..7).map(|_| day(10, 1))).collect();
        assert_eq!(usual_receipts(&eight, day_ms), Some(10), "older days than a week count no more");
        assert_eq!(usual_receipts(&[day(u64::MAX, 1)], u64::MAX), Some(u64::MAX));
    }
}
