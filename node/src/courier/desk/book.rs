//! What the desk keeps besides the attempts: steps that are not in the log yet, alarms, riders' tokens. It outlives a restart.
//!
//! Nothing here names a customer, and no courier: what is kept of a delivery's way has no place in it.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::hex;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::step::Step;

use crate::courier::desk::name::PartName;
use crate::courier::job::DeliveryId;
use crate::courier::limits::{ACTS_MAX, ALARMS_MAX, REMEMBER_MS};
use crate::courier::positions::Track;

/// See the module.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Book {
    files: BTreeMap<DeliveryId, File>,
    /// SHA-256 of each rider's token, hex.
    tokens: BTreeMap<String, String>,
    /// Callbacks of which nothing was believed, and acts of riders that were refused.
    pub refused: u64,
}

/// One delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Steps that are not in the log yet.
    pub waiting: Vec<Said>,
    /// Steps that were said, by attempt: each once.
    said: BTreeSet<(u32, String)>,
    /// What people should look at, the oldest first.
    pub alarms: Vec<Alarm>,
    /// Codes that the rider entered and that were wrong.
    pub wrong_codes: u32,
    /// Keys of riders' acts that were taken, the oldest first.
    acts: Vec<String>,
    /// Wishes of the store that were heard before it was begun.
    pub requests: u32,
    /// The courier says that he has the goods; the store was not heard.
    pub left_unsaid: bool,
    /// What is left of the way.
    pub way: Option<Way>,
    /// When the fulfillment, or the delivery, was over.
    pub closed_ms: Option<u64>,
}

/// A step of a fulfillment on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Of which attempt; 0 before the first.
    pub attempt: u32,
    /// Which step, as the API names it.
    pub step: String,
    /// Why, or on what proof.
    pub note: String,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// When.
    pub at_ms: u64,
    /// What, in a word.
    pub what: String,
}

/// What is kept of a way when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The first position.
    pub first_ms: u64,
    /// The last.
    pub last_ms: u64,
    /// Over all of them, metres.
    pub way_m: u64,
    /// How many came.
    pub count: u64,
}

impl Book {
    /// One delivery.
    pub fn file(&self, id: &DeliveryId) -> Option<&File> {
        self.files.get(id)
    }

    /// One delivery, to change it.
    pub fn file_mut(&mut self, id: &DeliveryId) -> Option<&mut File> {
        self.files.get_mut(id)
    }

    /// Begins a delivery of this fulfillment, the first or another one.
    pub fn begin(&mut self, name: PartName, requests: u32) -> DeliveryId {
        let round = self.current(name).and_then(|id| PartName::of(&id)).map_or(1, |(_, round)| round + 1);
        let id = name.delivery(round);
        self.files.insert(id.clone(), File { requests, ..File::default() });
        id
    }

    /// The newest delivery of a fulfillment.
    pub fn current(&self, name: PartName) -> Option<DeliveryId> {
        let rounds = self.of(name).filter_map(PartName::of).map(|(_, round)| round);
        rounds.max().map(|round| name.delivery(round))
    }

    /// All deliveries of a fulfillment.
    pub fn of(&self, name: PartName) -> impl Iterator<Item = &DeliveryId> {
        self.beginning(format!("{}.{}.{}.", name.order, name.generation, name.store.0))
    }

    /// All deliveries of an order.
    pub fn of_order(&self, order: OrderId) -> impl Iterator<Item = &DeliveryId> {
        self.beginning(format!("{order}."))
    }

    fn beginning(&self, prefix: String) -> impl Iterator<Item = &DeliveryId> {
        let from = DeliveryId::parse(&prefix).expect("a shortened name is shorter");
        self.files.range(from..).map(|(id, _)| id).take_while(move |id| id.as_str().starts_with(&prefix))
    }

    /// All deliveries, by id.
    pub fn ids(&self) -> impl Iterator<Item = &DeliveryId> {
        self.files.keys()
    }

    /// Deliveries that are over.
    pub fn closed(&self) -> impl Iterator<Item = &DeliveryId> {
        self.files.iter().filter(|(_, file)| file.closed_ms.is_some()).map(|(id, _)| id)
    }

    /// Deliveries with steps that are not in the log yet.
    pub fn waiting(&self) -> Vec<DeliveryId> {
        self.files
            .iter()
            .filter(|(_, file)| !file.waiting.is_empty() || file.left_unsaid)
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// Gives a rider a new token in place of the one before, if any.
    pub fn allow(&mut self, rider: &str, token: &str) {
        self.tokens.insert(rider.to_owned(), hash(token));
    }

    /// Believes a rider's token no longer. True if there was one.
    pub fn forbid(&mut self, rider: &str) -> bool {
        self.tokens.remove(rider).is_some()
    }

    /// True for a rider who has a token.
    pub fn is_allowed(&self, rider: &str) -> bool {
        self.tokens.contains_key(rider)
    }

    /// Whose token it is. Hashes are compared, so time tells nothing.
    pub fn rider(&self, token: &str) -> Option<String> {
        let shown = hash(token);
        self.tokens.iter().find(|(_, hash)| **hash == shown).map(|(rider, _)| rider.clone())
    }

    /// Forgets what was over long ago.
    pub fn forget(&mut self, now_ms: u64) {
        self.files.retain(|_, file| file.closed_ms.is_none_or(|at_ms| at_ms.saturating_add(REMEMBER_MS) >= now_ms));
    }
}

impl File {
    /// Notes a step to be written, unless it was said of this attempt before.
    pub fn say(&mut self, attempt: u32, step: Step, note: String) {
        if self.said.insert((attempt, step.as_str().to_owned())) {
            self.waiting.push(Said { attempt, step: step.as_str().to_owned(), note });
        }
    }

    /// Notes something for people. The same is noted once; false if it was.
    pub fn alarm(&mut self, what: &str, at_ms: u64) -> bool {
        if self.alarms.len() >= ALARMS_MAX || self.alarms.iter().any(|alarm| alarm.what == what) {
            return false;
        }
        self.alarms.push(Alarm { at_ms, what: what.to_owned() });
        true
    }

    /// True for a key of a rider's act that was taken before.
    pub fn has_taken(&self, key: &str) -> bool {
        self.acts.iter().any(|taken| taken == key)
    }

    /// Notes the key of a rider's act.
    pub fn take(&mut self, key: &str) {
        if self.acts.len() >= ACTS_MAX {
            self.acts.remove(0);
        }
        self.acts.push(key.to_owned());
    }
}

impl Said {
    /// Which step, if it is one.
    pub fn step(&self) -> Option<Step> {
        Step::parse(&self.step)
    }
}

impl Way {
    /// What stays of a track.
    pub fn of(track: &Track) -> Self {
        Self { first_ms: track.first_ms, last_ms: track.last.at_ms, way_m: track.way_m, count: track.count }
    }
}

fn hash(token: &str) -> String {
    hex(digest(&SHA256, token.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stockroom_crdt::ids::StoreId;

    #[test]
    fn a_delivery_that_is_begun_again_has_another_name() {
        let mut book = Book::default();
        let order = OrderId::parse("1-0000000001").unwrap();
        let name = PartName { order, generation: 1, store: StoreId(2) };
        assert_eq!(book.current(name), None);
        let (first, second) = (book.begin(name, 0), book.begin(name, 1));
        assert_ne!(first, second);
        assert_eq!(book.current(name), Some(second));
    }

    #[test]
    fn a_step_is_said_once_of_each_attempt() {
        let mut file = File::default();
        for attempt in [1, 1, 2, 1] {
            file.say(attempt, Step::AssignCourier, String::new());
        }
        assert_eq!(file.waiting.iter().map(|said| said.attempt).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_token_is_one_rider_s_until_it_is_taken_back_and_stands_nowhere() {
        let mut book = Book::default();
        book.allow("ann", "secret-token");
        assert_eq!(book.rider("secret-token").as_deref(), Some("ann"));
        assert_eq!(book.rider("secret-tokem"), None);
        assert!(!serde_json::to_string(&book).unwrap().contains("secret-token"));
        book.allow("ann", "another");
        assert_eq!(book.rider("secret-token"), None);
        assert!(book.forbid("ann") && !book.forbid("ann"));
        assert_eq!(book.rider("another"), None);
    }
}
