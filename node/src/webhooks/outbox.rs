//! What one endpoint still has to be told. Pure: the time and chance are arguments, and nothing is sent from here.
//!
//! The feeds are the real queue: when an outbox is full nothing more is read from them, and the cursors stay where they are. So
//! an outbox is small however long its receiver is away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ladder::{LADDER_MS, Outcome, THROTTLE_MS, WAIT_MS_MAX, next_delay_ms};

/// One endpoint's cursors and deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// By scope (hex): the position of its feed that is read next.
    cursors: BTreeMap<String, u64>,
    pending: BTreeMap<u64, Delivery>,
    next_ticket: u64,
    /// Nothing leaves before, because the receiver asked for a rest.
    rest_until_ms: u64,
    state: State,
    /// Deliveries that were taken, since the endpoint was made.
    sent: u64,
    /// Attempts that failed.
    failed: u64,
    /// Events that stand in no feed and found no room.
    dropped: u64,
    /// The last failure in words, until a delivery is taken again.
    trouble: Option<String>,
    /// Something changed since it was last written down.
    #[serde(skip)]
    is_changed: bool,
}

/// Whether an endpoint is told anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    #[default]
    Active,
    /// It is not, until somebody enables it. Cursors and deliveries stay.
    Disabled {
        /// Why, in words.
        reason: String,
        /// Since when.
        at_ms: u64,
    },
}

/// What is to be said once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `webhook-id`.
    pub id: String,
    /// The type, without its prefix.
    pub kind: String,
    /// The CloudEvent.
    pub body: String,
}

/// A message and how its attempts went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivery {
    message: Message,
    since_ms: u64,
    attempts: u32,
    next_ms: u64,
    /// An answer is waited for. Not kept: after a restart nobody waits.
    #[serde(skip)]
    in_flight: bool,
}

/// A message that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// To settle it by.
    pub ticket: u64,
    /// What to send.
    pub message: Message,
}

/// Figures of an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Deliveries that were taken.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Events that were lost: they stand in no feed, and there was no room.
    pub dropped: u64,
    /// Deliveries that wait.
    pub pending: u64,
    /// When the oldest of them came, milliseconds since 1970.
    pub oldest_ms: Option<u64>,
}

impl Outbox {
    /// Tells from here on.
    pub fn starting_at(cursors: BTreeMap<String, u64>) -> Self {
        Self { cursors, ..Self::default() }
    }

    /// The position of a scope's feed that is read next. A scope that did not exist when the endpoint was made is read whole.
    pub fn cursor(&self, scope: &str) -> u64 {
        self.cursors.get(scope).copied().unwrap_or(0)
    }

    /// The feed was read up to before `next`.
    pub fn advance(&mut self, scope: &str, next: u64) {
        self.cursors.insert(scope.to_owned(), next);
        self.is_changed = true;
    }

    /// True when more may be read.
    pub fn has_room(&self) -> bool {
        self.state == State::Active && self.pending.len() < PENDING_MAX
    }

    /// Takes a message from a feed. The caller asked for room before it read; what one step of a feed holds is taken whole.
    pub fn put(&mut self, message: Message, now_ms: u64) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let delivery = Delivery { message, since_ms: now_ms, attempts: 0, next_ms: now_ms, in_flight: false };
        self.pending.insert(ticket, delivery);
        self.is_changed = true;
    }

    /// Takes a message that stands in no feed, or counts that it was lost.
    pub fn put_fleeting(&mut self, message: Message, now_ms: u64) {
        if self.has_room() {
            self.put(message, now_ms);
        } else {
            self.dropped += 1;
            self.is_changed = true;
        }
    }

    /// What is to be sent now, the oldest first. Each is in flight until it is settled.
    pub fn due(&mut self, now_ms: u64) -> Vec<Due> {
        if self.state != State::Active || now_ms < self.rest_until_ms {
            return Vec::new();
        }
        let room = IN_FLIGHT_MAX.saturating_sub(self.pending.values().filter(|delivery| delivery.in_flight).count());
        let ready = self.pending.iter_mut().filter(|(_, delivery)| !delivery.in_flight && delivery.next_ms <= now_ms);
        let start = |(&ticket, delivery): (&u64, &mut Delivery)| {
            delivery.in_flight = true;
            Due { ticket, message: delivery.message.clone() }
        };
        ready.take(room).map(start).collect()
    }

    /// Takes what came of an attempt. True when that disabled the endpoint.
    pub fn settle(&mut self, ticket: u64, outcome: Outcome, now_ms: u64, chance: u16) -> bool {
        if !self.pending.contains_key(&ticket) {
            return false;
        }
        self.is_changed = true;
        match outcome {
            Outcome::Delivered => {
                self.pending.remove(&ticket);
                self.sent += 1;
                self.trouble = None;
                false
            }
            Outcome::Gone => {
                self.failed += 1;
                self.pending.remove(&ticket);
                self.disable("the receiver answered 410: it wants nothing more", now_ms)
            }
            Outcome::Throttled { what, after_ms } => {
                let rest_ms = if after_ms == 0 { THROTTLE_MS } else { after_ms };
                self.rest_until_ms = self.rest_until_ms.max(now_ms + rest_ms);
                self.retry(ticket, what, (now_ms, after_ms), chance)
            }
            Outcome::Failed { what, after_ms } => self.retry(ticket, what, (now_ms, after_ms), chance),
        }
    }

    fn retry(&mut self, ticket: u64, what: String, (now_ms, after_ms): (u64, u64), chance: u16) -> bool {
        self.failed += 1;
        self.trouble = Some(what.clone());
        let Some(delivery) = self.pending.get_mut(&ticket) else { return false };
        delivery.in_flight = false;
        delivery.attempts += 1;
        match next_delay_ms(delivery.attempts, chance) {
            Some(delay_ms) => {
                delivery.next_ms = now_ms + delay_ms.max(after_ms);
                false
            }
            None => self.disable(&format!("{} attempts failed; the last one: {what}", LADDER_MS.len()), now_ms),
        }
    }

    fn disable(&mut self, reason: &str, now_ms: u64) -> bool {
        let was_active = self.state == State::Active;
        if was_active {
            self.state = State::Disabled { reason: reason.to_owned(), at_ms: now_ms };
        }
        was_active
    }

    /// Tells again what waits, from the first rung.
    pub fn enable(&mut self, now_ms: u64) {
        self.state = State::Active;
        self.is_changed = true;
        self.rest_until_ms = 0;
        for delivery in self.pending.values_mut().filter(|delivery| !delivery.in_flight) {
            delivery.attempts = 0;
            delivery.next_ms = now_ms;
        }
    }

    /// When something is due next, if nothing else happens.
    pub fn deadline_ms(&self) -> Option<u64> {
        let waiting = self.pending.values().filter(|delivery| !delivery.in_flight);
        let next = waiting.map(|delivery| delivery.next_ms).min()?;
        (self.state == State::Active).then_some(next.max(self.rest_until_ms))
    }

    /// After a restart: nothing may wait longer than a receiver or the ladder could have asked for, whatever the clock did, and
    /// no cursor may stand behind the end of its feed, which a database that was set back has.
    pub fn reopen(&mut self, now_ms: u64, ends: &BTreeMap<String, u64>) {
        let latest = now_ms + WAIT_MS_MAX + WAIT_MS_MAX / 5;
        self.rest_until_ms = self.rest_until_ms.min(now_ms + WAIT_MS_MAX);
        for delivery in self.pending.values_mut() {
            delivery.next_ms = delivery.next_ms.min(latest);
        }
        for (scope, cursor) in &mut self.cursors {
            *cursor = (*cursor).min(ends.get(scope).copied().unwrap_or(0));
        }
    }

    /// True when something changed since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Whether it is told anything.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The last failure, until a delivery is taken again.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Its figures.
    pub fn figures(&self) -> Figures {
        Figures {
            sent: self.sent,
            failed: self.failed,
            dropped: self.dropped,
            pending: self.pending.len() as u64,
            oldest_ms: self.pending.values().map(|delivery| delivery.since_ms).min(),
        }
    }
}

/// Deliveries that wait before the feed is read on. With what one step of a feed may hold beyond, an outbox has at most twice
/// as many, of a few hundred bytes each.
pub const PENDING_MAX: usize = 256;

/// Deliveries to one endpoint at a time.
const IN_FLIGHT_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize) -> Message {
        Message { id: format!("msg_{number}"), kind: "sale.recorded".into(), body: "{}".into() }
    }

    fn failed() -> Outcome {
        Outcome::Failed { what: "answered 500".into(), after_ms: 0 }
    }

    #[test]
    fn a_delivery_climbs_the_whole_ladder_and_then_its_endpoint_is_disabled() {
        let mut outbox = Outbox::default();
        outbox.put(message(1), 1_000);
        let (mut now, mut waits) = (1_000, Vec::new());
        let disabled = loop {
            let due = outbox.due(now);
            assert_eq!((due.len(), due[0].message.id.as_str()), (1, "msg_1"), "the id stays the same");
            assert!(outbox.due(now).is_empty(), "it is in flight");
            if outbox.settle(due[0].ticket, failed(), now, 0) {
                break now;
            }
            let next = outbox.deadline_ms().unwrap();
            assert!(outbox.due(next - 1).is_empty());
            waits.push(next - now);
            now = next;
        };
        assert_eq!(waits, LADDER_MS[1..]);
        assert_eq!(disabled, 1_000 + LADDER_MS.iter().sum::<u64>());
        assert!(matches!(outbox.state(), State::Disabled { reason, .. } if reason.contains("10 attempts")));
        assert!(outbox.due(u64::MAX).is_empty() && outbox.deadline_ms().is_none() && !outbox.has_room());
        outbox.enable(disabled);
        assert_eq!(outbox.due(disabled).len(), 1, "nothing was lost");
    }

    #[test]
    fn a_receiver_that_is_gone_is_told_nothing_more() {
        let mut outbox = Outbox::default();
        (0..2).for_each(|number| outbox.put(message(number), 0));
        let due = outbox.due(0);
        assert!(outbox.settle(due[0].ticket, Outcome::Gone, 0, 0));
        assert!(!outbox.settle(due[1].ticket, Outcome::Gone, 0, 0), "once");
        assert!(outbox.due(u64::MAX).is_empty());
    }

    #[test]
    fn a_receiver_that_asks_for_a_rest_gets_it_for_everything() {
        let mut outbox = Outbox::default();
        (0..2).for_each(|number| outbox.put(message(number), 0));
        let due = outbox.due(0);
        let throttled = |after_ms| Outcome::Throttled { what: "answered 429".into(), after_ms };
        outbox.settle(due[0].ticket, throttled(120_000), 0, 0);
        outbox.settle(due[1].ticket, Outcome::Delivered, 0, 0);
        outbox.put(message(3), 1);
        assert!(outbox.due(119_999).is_empty());
        assert_eq!(outbox.deadline_ms(), Some(120_000));
        let due = outbox.due(120_000);
        assert_eq!(due.len(), 2);
        outbox.settle(due[0].ticket, throttled(0), 120_000, 0);
        assert!(outbox.due(120_000 + THROTTLE_MS - 1).is_empty());
    }

    #[test]
    fn one_that_fails_does_not_stop_the_others() {
        let mut outbox = Outbox::default();
        (0..6).for_each(|number| outbox.put(message(number), 0));
        let due = outbox.due(0);
        assert_eq!(due.len(), IN_FLIGHT_MAX);
        assert!(outbox.due(0).is_empty());
        outbox.settle(due[0].ticket, failed(), 0, 0);
        for one in &due[1..] {
            outbox.settle(one.ticket, Outcome::Delivered, 0, 0);
        }
        let next: Vec<_> = outbox.due(0).into_iter().map(|due| due.message.id).collect();
        assert_eq!(next, ["msg_4", "msg_5"]);
        assert_eq!(outbox.trouble(), None);
        assert_eq!(outbox.figures(), Figures { sent: 3, failed: 1, dropped: 0, pending: 3, oldest_ms: Some(0) });
    }

    #[test]
    fn a_full_outbox_leaves_the_rest_in_the_feed() {
        let mut outbox = Outbox::default();
        (0..PENDING_MAX).for_each(|number| outbox.put(message(number), 0));
        assert!(!outbox.has_room());
        outbox.put_fleeting(message(9), 0);
        assert_eq!((outbox.figures().pending, outbox.figures().dropped), (PENDING_MAX as u64, 1));
        let due = outbox.due(0);
        outbox.settle(due[0].ticket, Outcome::Delivered, 0, 0);
        assert!(outbox.has_room());
    }

    #[test]
    fn what_was_in_flight_at_a_stop_is_sent_again() {
        let mut outbox = Outbox::starting_at(BTreeMap::from([("00".to_owned(), 7)]));
        outbox.put(message(1), 5);
        assert_eq!(outbox.due(5).len(), 1);
        let kept = serde_json::to_string(&outbox).unwrap();
        let mut again: Outbox = serde_json::from_str(&kept).unwrap();
        again.reopen(5, &BTreeMap::from([("00".to_owned(), 4)]));
        assert_eq!(again.due(5).len(), 1);
        assert_eq!(again.cursor("00"), 4, "the database was set back");
        assert_eq!(again.cursor("01"), 0);
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_park_a_delivery_for_ever() {
        let mut outbox = Outbox::default();
        outbox.put(message(1), u64::MAX / 2);
        outbox.reopen(1_000, &BTreeMap::new());
        assert!(outbox.deadline_ms().unwrap() <= 1_000 + WAIT_MS_MAX + WAIT_MS_MAX / 5);
    }
}
