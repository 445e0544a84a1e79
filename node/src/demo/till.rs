//! The tills: each rings up its baskets in order, at their time of day, and asks again under the same number until it has an
//! answer. What was acknowledged is remembered here, apart from all nodes: this is what the nodes are checked against.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::DemoError;
use super::door::{Door, JSON, Reply};
use super::patience::Interrupt;
use super::sample::{Basket, STORES, Sample};

/// A sale that a node acknowledged.
#[derive(Clone, Debug)]
pub struct Ack {
    /// Where.
    pub store: u32,
    /// At which till.
    pub till: u32,
    /// The till's own number.
    pub till_seq: u64,
    /// The receipt number that the node gave it, as printed.
    pub receipt: String,
    /// What the customer paid, cents.
    pub total: i64,
    /// Lines on it.
    pub lines: usize,
    /// From the first try to the answer.
    pub took: Duration,
    /// Tries until there was an answer.
    pub tries: u32,
    /// The node said that an earlier try had done it.
    pub replayed: bool,
}

/// Runs the shops' day faster than it was. It stops at a gate until somebody opens the next one, so that what is to happen at
/// a time of day happens between the same two sales on a fast machine and on a slow one. Clones show the same time.
#[derive(Clone, Debug)]
pub struct ShopClock {
    speed: f64,
    hands: Arc<Mutex<Hands>>,
}

#[derive(Debug)]
struct Hands {
    /// When the shops opened; later, if the clock stood at a gate.
    start: Instant,
    gate_s: u32,
}

/// All tills of all stores.
pub struct Tills {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    clock: ShopClock,
    interrupt: Interrupt,
    acks: Mutex<Vec<Ack>>,
    by_store: [AtomicUsize; STORES as usize],
    stop: AtomicBool,
    failure: Mutex<Option<DemoError>>,
}

struct Till {
    store: u32,
    number: u32,
    door: Door,
    baskets: Vec<Basket>,
}

impl ShopClock {
    /// Opens the shops now. `speed` is how many times faster their day passes.
    pub fn open(speed: u32, gate_s: u32) -> Self {
        let hands = Hands { start: Instant::now(), gate_s };
        Self { speed: f64::from(speed), hands: Arc::new(Mutex::new(hands)) }
    }

    /// When a time of day comes; nothing while a gate stands before it. What was sold at night is sold when the shops open.
    pub fn due(&self, at_s: u32) -> Option<Instant> {
        let hands = self.hands();
        (at_s <= hands.gate_s).then(|| hands.start + self.since_opening(at_s))
    }

    /// Lets the clock go on from its gate to the next one. Standing there has taken no time.
    pub fn go_on(&self, gate_s: u32) {
        let mut hands = self.hands();
        let reached = hands.start + self.since_opening(hands.gate_s);
        hands.start += Instant::now().saturating_duration_since(reached);
        hands.gate_s = gate_s;
    }

    /// The time of day, `HH:MM`. The clock stops at midnight.
    pub fn shows(&self) -> String {
        let hands = self.hands();
        let now_s = OPENING_S + (hands.start.elapsed().as_secs_f64() * self.speed) as u32;
        let minutes = (now_s.min(hands.gate_s) / 60).min(24 * 60 - 1);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    fn since_opening(&self, at_s: u32) -> Duration {
        Duration::from_secs_f64(f64::from(at_s.saturating_sub(OPENING_S)) / self.speed)
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tills {
    /// Opens the tills at the stores' APIs.
    pub fn open(sample: &Sample, doors: &[Door], clock: &ShopClock, interrupt: &Interrupt) -> Result<Self, DemoError> {
        let shared = Arc::new(Shared {
            clock: clock.clone(),
            interrupt: interrupt.clone(),
            acks: Mutex::default(),
            by_store: Default::default(),
            stop: AtomicBool::new(false),
            failure: Mutex::default(),
        });
        let mut tills = Self { shared, threads: Vec::new() };
        for (store, address) in (1..=STORES).zip(doors) {
            for number in 1..=PER_STORE {
                let own = sample.of_store(store).skip(number as usize - 1).step_by(PER_STORE as usize);
                // A connection of its own, as a till has.
                let door = Door::new(address.url().trim_start_matches("http://"), TRY_MAX);
                let till = Till { store, number, door, baskets: own.cloned().collect() };
                let shared = tills.shared.clone();
                let thread = std::thread::Builder::new().name(format!("till {store}-{number}"));
                let thread = thread.spawn(move || till.work(&shared));
                tills.threads.push(thread.map_err(DemoError::system("start a till"))?);
            }
        }
        Ok(tills)
    }

    /// Sales that a store has acknowledged so far.
    pub fn acked(&self, store: u32) -> usize {
        self.shared.by_store[store as usize - 1].load(Ordering::Relaxed)
    }

    /// True when no till has anything left to do. An error if one had to give up.
    pub fn is_done(&self) -> Result<bool, DemoError> {
        match self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure),
            None => Ok(self.threads.iter().all(JoinHandle::is_finished)),
        }
    }

    /// What was acknowledged, store by store and till by till. Call it when all tills are done.
    pub fn acks(&self) -> Vec<Ack> {
        let mut acks = self.shared.acks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        acks.sort_by_key(|ack| (ack.store, ack.till, ack.till_seq));
        acks
    }
}

impl Drop for Tills {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A till that panicked has printed its message.
            let _ = thread.join();
        }
    }
}

impl Till {
    fn work(self, shared: &Shared) {
        for (till_seq, basket) in (1..).zip(&self.baskets) {
            let Ok(()) = shared.wait_for(|| shared.clock.due(basket.at_s)) else { return };
            match self.ring_up(shared, till_seq, basket) {
                Ok(Some(ack)) => {
                    shared.by_store[self.store as usize - 1].fetch_add(1, Ordering::Relaxed);
                    shared.acks.lock().unwrap_or_else(PoisonError::into_inner).push(ack);
                }
                Ok(None) => return,
                Err(failure) => {
                    shared.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                    shared.stop.store(true, Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    /// Asks until there is an answer, always with the same bytes. Nothing if the demo ends before.
    fn ring_up(&self, shared: &Shared, till_seq: u64, basket: &Basket) -> Result<Option<Ack>, DemoError> {
        let body = body(self.number, till_seq, basket).to_string();
        let started = Instant::now();
        let mut seen = String::new();
        for tries in 1.. {
            match self.door.post("/v1/sales", None, (JSON, &body)) {
                Ok(reply) if reply.is_good() => return self.ack(till_seq, basket, &reply, (started, tries)).map(Some),
                Ok(reply) if reply.status < 500 => return Err(self.refused(till_seq, &reply.words())),
                Ok(reply) => seen = reply.words(),
                Err(error) => seen = error.to_string(),
            }
            if started.elapsed() > GIVE_UP_AFTER {
                break;
            }
            let again = Instant::now() + TRY_AGAIN;
            let Ok(()) = shared.wait_for(|| Some(again)) else { return Ok(None) };
        }
        let what = format!("an answer to sale {till_seq} of till {} at store {}", self.number, self.store);
        Err(DemoError::Waited { what, limit: GIVE_UP_AFTER, seen })
    }

    fn ack(
        &self,
        till_seq: u64,
        basket: &Basket,
        reply: &Reply,
        (started, tries): (Instant, u32),
    ) -> Result<Ack, DemoError> {
        let said = (reply.body["receipt"].as_str(), reply.body["total"].as_i64());
        let (Some(receipt), Some(total)) = said else {
            return Err(self.refused(till_seq, "the answer names no receipt"));
        };
        if total != basket.total() {
            return Err(self.refused(till_seq, &format!("{total} was booked for {}", basket.total())));
        }
        Ok(Ack {
            store: self.store,
            till: self.number,
            till_seq,
            receipt: receipt.into(),
            total,
            lines: basket.lines.len(),
            took: started.elapsed(),
            tries,
            replayed: reply.status == 200,
        })
    }

    fn refused(&self, till_seq: u64, words: &str) -> DemoError {
        let what = format!("sale {till_seq} of till {} at store {}", self.number, self.store);
        DemoError::Refused(what, words.into())
    }
}

impl Shared {
    /// Sleeps until a moment, in short steps: the moment may be put off, and all tills end soon after one had to give up.
    fn wait_for(&self, moment: impl Fn() -> Option<Instant>) -> Result<(), DemoError> {
        loop {
            if self.stop.load(Ordering::Relaxed) || self.interrupt.is_set() {
                return Err(DemoError::Interrupted);
            }
            let left = moment().map_or(STEP_MAX, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            self.interrupt.sleep(left.min(STEP_MAX))?;
        }
    }
}

/// The set does not say how customers paid: all by card.
fn body(till: u32, till_seq: u64, basket: &Basket) -> Value {
    let lines: Vec<Value> = basket
        .lines
        .iter()
        .map(|line| {
            let mut body = json!({ "sku": line.sku, "quantity": line.quantity, "unit_price": line.unit_price });
            if line.discount != 0 {
                body["discount"] = line.discount.into();
                body["discount_reason"] = "offer".into();
            }
            body
        })
        .collect();
    json!({
        "till": till,
        "till_seq": till_seq,
        "cashier": format!("cashier-{till}"),
        "lines": lines,
        "tenders": [{ "kind": "card", "amount": basket.total() }],
    })
}

/// Tills of a store.
pub const PER_STORE: u32 = 3;

/// The paced part of the day begins at 06:00; 16 of 1,022 sales are earlier.
pub const OPENING_S: u32 = 6 * 3_600;

/// How long a till waits for an answer before it asks again.
const TRY_MAX: Duration = Duration::from_secs(10);

/// Pause after an error.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Longer than a killed store is away, on the slowest machine.
const GIVE_UP_AFTER: Duration = Duration::from_secs(90);

const STEP_MAX: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_clock_sells_the_night_at_opening_and_stands_at_its_gate() {
        let clock = ShopClock::open(3_600, OPENING_S + 60);
        let opened = clock.hands().start;
        assert_eq!(clock.due(3 * 3_600), Some(opened));
        assert_eq!(clock.due(OPENING_S + 7_200), None);
        clock.hands().start -= Duration::from_secs(5);
        assert_eq!(clock.shows(), "06:01");
        clock.go_on(OPENING_S + 7_200);
        assert_eq!(clock.shows(), "06:01");
        let left = clock.due(OPENING_S + 7_200).unwrap() - Instant::now();
        assert!(left > Duration::from_millis(1_900) && left < Duration::from_secs(2), "{left:?}");
    }
}
