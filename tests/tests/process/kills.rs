//! SIGKILL at random moments under load, with tills that remember what they were told.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::binary::{is, must, wait_until};
use super::door::Door;
use super::fleet::{CONVERGE_MAX, Fleet};
use super::till::Till;

#[test]
fn every_acknowledged_sale_survives_a_dozen_kills() {
    let mut chance = Chance::from_env();
    let mut fleet = Fleet::of(1);
    fleet.store(1).receive("r1", "milk", 100_000);
    let door = Mutex::new(fleet.store(1).door().clone());
    let load = Arc::new(Load { door, sold: AtomicU64::new(0), closing: AtomicBool::new(false) });
    let tills: Vec<_> = (1..=TILLS)
        .map(|number| {
            let load = load.clone();
            std::thread::spawn(move || load.run(Till::new(1, number)))
        })
        .collect();

    for cycle in 0..CYCLES {
        let wanted = load.sold.load(Ordering::SeqCst) + 1 + chance.below(30);
        wait_until(Duration::from_secs(20), &format!("sales before kill {cycle}"), || {
            let sold = load.sold.load(Ordering::SeqCst);
            if sold >= wanted { Ok(()) } else { Err(format!("{sold} of {wanted} sales")) }
        });
        // Not always right behind an answer: somewhere in the next sales.
        std::thread::park_timeout(Duration::from_micros(chance.below(15_000)));
        fleet.store(1).kill();
        fleet.store(1).start();
        *load.door.lock().unwrap() = fleet.store(1).door().clone();
    }
    load.closing.store(true, Ordering::SeqCst);
    let tills: Vec<Till> = tills.into_iter().map(|till| till.join().expect("no till was refused")).collect();

    let (sold, retries) = tills.iter().fold((0, 0), |(sold, retries), t| (sold + t.sold(), retries + t.retries));
    eprintln!("{CYCLES} kills, {sold} sales acknowledged, {retries} tries without an answer");
    assert!(retries >= u64::from(CYCLES), "the kills were noticed");
    let door = fleet.store(1).door().clone();
    tills.iter().for_each(|till| till.check(&door));
    assert_eq!(door.receipts(1).unwrap(), sold, "no sale stands twice");
    let pieces: i64 = tills.iter().map(Till::pieces).sum();
    assert_eq!(door.on_hand("milk", 1).unwrap(), 100_000 - pieces);
    assert_eq!(door.read("/v1/status").unwrap()["epoch"]["number"], 1, "a kill alone is no new life");

    let hub = fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub has every sale", || is(&hub.receipts(1)?, &sold));
    tills.iter().for_each(|till| till.check(&hub));
    fleet.store(1).stop();
    fleet.hub().stop();
    for data in [fleet.store(1).data_text().to_owned(), fleet.hub().data_text().to_owned()] {
        let said = must(["verify", "--data", &data]);
        assert!(said.contains("The database is sound."), "{said}");
    }
}

struct Load {
    door: Mutex<Door>,
    sold: AtomicU64,
    closing: AtomicBool,
}

impl Load {
    fn run(&self, mut till: Till) -> Till {
        let started = Instant::now();
        while !self.closing.load(Ordering::SeqCst) {
            assert!(started.elapsed() < Duration::from_secs(60), "the loop takes too long");
            till.sell(Duration::from_secs(20), || self.door.lock().unwrap().clone());
            self.sold.fetch_add(1, Ordering::SeqCst);
        }
        till
    }
}

/// A splitmix generator that says with what it began.
pub struct Chance(u64);

impl Chance {
    /// From STOCKROOM_SEED, or a fresh seed. Prints it.
    pub fn from_env() -> Self {
        let given = std::env::var("STOCKROOM_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one("process"));
        eprintln!("STOCKROOM_SEED={seed}");
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const TILLS: u32 = 4;
const CYCLES: u32 = 14;
