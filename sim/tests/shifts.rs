//! Drawers in a small world: who has one, what was in it, what a close says for ever, and whether a store's day is complete.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::books::shifts::Shift;
use stockroom_core::input::checkout::{DrawerDeed, DrawerRequest};
use stockroom_core::input::returns::{PayReturnRequest, ReturnRequest, ReturnRequestLine};
use stockroom_core::input::sales::VoidRequest;
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::view::View;
use stockroom_core::view::closing::{Certificate, Missing};
use stockroom_core::view::shifts::ZReport;
use stockroom_crdt::checkout::shift::{Cash, Totals};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Actor, Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::returns::Origin;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_sim::disk::Disk;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;
const OWN: StoreId = StoreId(1);

#[test]
fn a_shift_has_the_receipts_between_its_opening_and_its_close_and_the_hub_finds_the_same() {
    let mut world = shop(1);
    world.sell(STORE, 1, 1, &[("TEA", 9)]).unwrap();
    open(&mut world, 1, 10_000).unwrap();
    world.sell(STORE, 1, 2, &[("TEA", 2)]).unwrap();
    world.sell(STORE, 2, 1, &[("TEA", 7)]).unwrap();
    world.sell(STORE, 1, 3, &[("TEA", 3)]).unwrap();
    moved(&mut world, 1, (Cash::PaidIn, 150, "change"), "").unwrap();
    moved(&mut world, 1, (Cash::PaidOut, 50, "stamps"), "").unwrap();
    moved(&mut world, 1, (Cash::Drop, 300, ""), "").unwrap();
    assert_eq!(x_of(&world, (1, 1)).expected_cash(), 10_000 + 500 + 150 - 50 - 300);
    close(&mut world, 1, 10_299, "").unwrap();
    world.sell(STORE, 1, 4, &[("TEA", 5)]).unwrap();
    world.run_ms(5_000);
    for node in [STORE, HUB] {
        let z = z_of(&world, node, (1, 1));
        assert!(z.agrees(), "{z:?}");
        let totals = &z.close.what.totals;
        assert_eq!((totals.receipts, totals.voids, totals.sales, totals.tenders), (2, 0, 500, [500, 0, 0, 0, 0]));
        assert_eq!((totals.float, totals.moved), (10_000, [150, 50, 300, 0]));
        assert_eq!((totals.expected_cash(), z.close.what.over()), (10_300, -1));
        assert_eq!(z.close.what.last, receipt(1, 1, 3));
    }
}

#[test]
fn a_drawer_is_opened_once_and_closed_once_and_a_retry_changes_nothing() {
    let mut world = shop(2);
    let nothing = close(&mut world, 1, 0, "").unwrap_err();
    assert!(matches!(&nothing, Refusal::State(text) if text.contains("no shift was opened")), "{nothing}");
    assert!(matches!(moved(&mut world, 1, (Cash::Drop, 1, ""), ""), Err(Refusal::State(_))));
    let first = drawer(&mut world, 1, "anna", "", DrawerDeed::Open { float: 5_000 });
    let again = drawer(&mut world, 1, "anna", "", DrawerDeed::Open { float: 5_000 });
    let (Ok(Answer::Written { place, .. }), Ok(Answer::Written { place: same, replayed })) = (first, again) else {
        panic!("an opening is written");
    };
    assert_eq!((place, true), (same, replayed));
    let second = drawer(&mut world, 1, "ben", "", DrawerDeed::Open { float: 100 }).unwrap_err();
    assert!(matches!(&second, Refusal::State(text) if text.contains("open already by anna")), "{second}");
    assert!(matches!(close(&mut world, 1, 5_000, ""), Ok(Answer::Written { replayed: false, .. })));
    assert!(matches!(close(&mut world, 1, 5_000, ""), Ok(Answer::Written { replayed: true, .. })), "the same request");
    let again = close(&mut world, 1, 4_999, "").unwrap_err();
    assert!(matches!(&again, Refusal::State(text) if text.contains("closed already")), "{again}");
    open(&mut world, 1, 700).unwrap();
    assert_eq!(shift(&world, STORE, (1, 2)).unwrap().opening(None).unwrap().what.float, 700);
    let none = drawer(&mut world, 3, "", "", DrawerDeed::Open { float: 0 }).unwrap_err();
    assert!(matches!(&none, Refusal::Invalid { field, .. } if field == "staff"), "{none}");
    let less = open(&mut world, 3, -1).unwrap_err();
    assert!(matches!(&less, Refusal::Invalid { field, .. } if field == "float"), "{less}");
    assert!(matches!(
        world.command(HUB, Command::Drawer(key("hub"), request(1, "anna", "", DrawerDeed::Open { float: 0 }))),
        Err(Refusal::NotHere(_))
    ));
}

#[test]
fn cash_beyond_the_limit_is_moved_with_a_name_only_and_not_without_a_reason() {
    let mut world = shop(3);
    open(&mut world, 1, 10_000).unwrap();
    moved(&mut world, 1, (Cash::PaidOut, 2_000, "courier"), "").unwrap();
    let refused = moved(&mut world, 1, (Cash::PaidOut, 2_001, "courier"), "").unwrap_err();
    assert!(matches!(&refused, Refusal::Invalid { field, .. } if field == "approver"), "{refused}");
    moved(&mut world, 1, (Cash::PaidOut, 2_001, "courier"), "mia").unwrap();
    let silent = moved(&mut world, 1, (Cash::PaidIn, 5, ""), "mia").unwrap_err();
    assert!(matches!(&silent, Refusal::Invalid { field, .. } if field == "reason"), "{silent}");
    let nothing = moved(&mut world, 1, (Cash::Drop, 0, ""), "").unwrap_err();
    assert!(matches!(&nothing, Refusal::Invalid { field, .. } if field == "amount"), "{nothing}");
    let moves = shift(&world, STORE, (1, 1)).unwrap().moves;
    assert_eq!(moves.iter().map(|said| said.what.approver.as_str()).collect::<Vec<_>>(), ["", "mia"]);
    assert_eq!(x_of(&world, (1, 1)).moved, [0, 4_001, 0, 0]);
}

#[test]
fn whoever_counts_cannot_find_out_by_trying_what_should_be_there() {
    let mut world = shop(4);
    open(&mut world, 1, 10_000).unwrap();
    world.sell(STORE, 1, 1, &[("TEA", 4)]).unwrap();
    assert_eq!(close(&mut world, 1, 9_000, ""), Ok(Answer::CountDiffers));
    assert!(shift(&world, STORE, (1, 1)).unwrap().is_open(), "nothing was closed");
    let entries = heads(&world, STORE);
    assert_eq!(close(&mut world, 1, 10_400, ""), Ok(Answer::CountDiffers), "now it fits, and it is too late to guess");
    assert_eq!(heads(&world, STORE), entries, "no log holds the tries");
    world.crash(STORE);
    world.start(STORE);
    assert_eq!(close(&mut world, 1, 10_401, ""), Ok(Answer::CountDiffers), "a start forgets nothing");
    let first = |world: &World| View::new(&*world.snapshot(STORE)).first_count(OWN, TillId(1), 1).unwrap();
    assert_eq!(first(&world).map(|count| (count.counted, count.staff)), Some((9_000, code("anna"))));
    close(&mut world, 1, 9_001, "mia").unwrap();
    let z = z_of(&world, STORE, (1, 1)).close.what;
    assert_eq!((z.approver.as_str(), z.counted, z.over()), ("mia", 9_001, -1_399));
    open(&mut world, 1, 0).unwrap();
    assert_eq!(close(&mut world, 1, 501, ""), Ok(Answer::CountDiffers));
    assert_eq!(close(&mut world, 1, 500, "mia").map(drop), Ok(()));
    open(&mut world, 1, 0).unwrap();
    close(&mut world, 1, 500, "").unwrap();
}

#[test]
fn voids_count_in_the_shift_in_which_they_were_made() {
    let mut world = shop(5);
    open(&mut world, 1, 0).unwrap();
    world.sell(STORE, 1, 1, &[("TEA", 4)]).unwrap();
    close(&mut world, 1, 400, "").unwrap();
    open(&mut world, 1, 400).unwrap();
    world.sell(STORE, 1, 2, &[("TEA", 1)]).unwrap();
    void(&mut world, 3, receipt(1, 1, 1)).unwrap();
    close(&mut world, 1, 100, "").unwrap();
    world.run_ms(5_000);
    let (first, second) = (z_of(&world, HUB, (1, 1)), z_of(&world, HUB, (1, 2)));
    assert!(first.agrees() && second.agrees());
    assert_eq!((first.close.what.totals.sales, first.close.what.totals.voids), (400, 0));
    let totals = second.close.what.totals;
    assert_eq!((totals.receipts, totals.voids, totals.sales, totals.expected_cash()), (2, 1, -300, 100));
}

#[test]
fn a_new_epoch_in_a_shift_opens_a_new_series_and_the_shift_has_both() {
    let mut world = shop(6);
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    open(&mut world, 1, 0).unwrap();
    world.sell(STORE, 1, 2, &[("TEA", 2)]).unwrap();
    world.command(STORE, Command::NewEpoch(EpochReason::Manual)).unwrap();
    world.sell(STORE, 1, 3, &[("TEA", 4)]).unwrap();
    world.crash(STORE);
    world.start(STORE);
    world.connect(STORE, HUB);
    world.sell(STORE, 1, 4, &[("TEA", 8)]).unwrap();
    close(&mut world, 1, 1_400, "").unwrap();
    world.run_ms(20_000);
    for node in [STORE, HUB] {
        let z = z_of(&world, node, (1, 1));
        assert!(z.agrees(), "{z:?}");
        assert_eq!((z.close.what.totals.receipts, z.close.what.totals.sales), (3, 1_400));
        assert_eq!(z.close.what.last, receipt(1, 2, 2));
    }
}

#[test]
fn a_z_report_does_not_change_when_receipts_come_back_that_the_node_had_lost() {
    let (mut world, disk) = half_lost(7);
    set_back(&mut world, disk);
    world.sell(STORE, 1, 9, &[("TEA", 3)]).unwrap();
    close(&mut world, 1, 500, "").unwrap();
    let before = z_of(&world, STORE, (1, 1));
    assert_eq!((before.agrees(), before.close.what.totals.sales), (true, 500));
    world.connect(STORE, HUB);
    assert!(world.run_until(60_000, |world| receipts(world, STORE) == 6 && receipts(world, HUB) == 6));
    for node in [STORE, HUB] {
        let z = z_of(&world, node, (1, 1));
        assert_eq!(z.close, before.close, "what was closed stays closed");
        assert!(!z.agrees(), "and everybody sees that more came");
        assert_eq!((z.held.receipts, z.held.sales), (6, 800));
    }
    world.command(STORE, Command::DayClose(key("day"), code("mia"))).unwrap();
    world.run_ms(20_000);
    let certificate = certificate(&world, HUB, 1);
    let disagrees = Missing::Agreement { till: TillId(1), number: 1 };
    assert_eq!(certificate.missing, [disagrees], "{certificate:?}");
    assert_eq!(certificate.shifts[0].taken.tenders, certificate.day.tenders);
    rebuilt_alike(&mut world);
}

#[test]
fn a_shift_that_a_lost_life_had_closed_is_closed_again_and_the_first_close_is_its_z() {
    let (mut world, disk) = half_lost(8);
    close(&mut world, 1, 500, "").unwrap();
    world.run_ms(5_000);
    assert_eq!(z_of(&world, HUB, (1, 1)).close.what.totals.receipts, 5);
    set_back(&mut world, disk);
    world.sell(STORE, 1, 9, &[("TEA", 3)]).unwrap();
    close(&mut world, 1, 500, "").unwrap();
    world.connect(STORE, HUB);
    world.run_until(60_000, |world| receipts(world, STORE) == 6 && receipts(world, HUB) == 6);
    for node in [STORE, HUB] {
        let view_of = world.snapshot(node);
        let view = View::new(&*view_of);
        let shift = view.shift(OWN, TillId(1), 1).unwrap().unwrap();
        assert_eq!((shift.closes.len(), shift.is_open()), (2, false));
        let z = view.z_report(OWN, &shift).unwrap().unwrap();
        assert_eq!((z.close.what.totals.receipts, z.close.position.actor), (5, Actor::new(STORE, 1)));
        assert!(z.agrees(), "the first close is about what its node held: {z:?}");
        let later = view.later_closes(OWN, &shift).unwrap();
        assert_eq!((later.len(), later[0].agrees(), later[0].held.receipts), (1, false, 6));
    }
    open(&mut world, 1, 0).unwrap();
    assert_eq!(shift(&world, STORE, (1, 2)).unwrap().opening(None).unwrap().what.after, receipt(1, 2, 1));
    rebuilt_alike(&mut world);
}

#[test]
fn a_refund_in_cash_goes_out_of_the_drawer_that_is_named() {
    let mut world = shop(9);
    world.sell(STORE, 2, 1, &[("TEA", 3)]).unwrap();
    open(&mut world, 1, 1_000).unwrap();
    let back = |till| ReturnRequest {
        origin: Origin::Receipt(OWN, receipt(2, 1, 1)),
        signed: Vec::new(),
        cash: true,
        till,
        reason: code("stale"),
        reference: Code::default(),
        staff: code("ben"),
        approver: Code::default(),
        lines: vec![ReturnRequestLine {
            line: 0,
            sku: Sku::parse("TEA").unwrap(),
            unit: None,
            quantity: 1,
            amount: None,
            disposition: Disposition::Resale,
        }],
    };
    let closed = world.command(STORE, Command::ReturnGoods(key("r0"), Box::new(back(Some(TillId(2)))))).unwrap_err();
    assert!(matches!(&closed, Refusal::State(text) if text.contains("till 2")), "{closed}");
    for _ in 0..2 {
        world.command(STORE, Command::ReturnGoods(key("r1"), Box::new(back(Some(TillId(1)))))).unwrap();
    }
    world.command(STORE, Command::ReturnGoods(key("r2"), Box::new(back(None)))).unwrap();
    let held = shift(&world, STORE, (1, 1)).unwrap();
    assert_eq!(held.moves.len(), 1, "a retry gives nothing twice, and who names no till takes from none");
    assert_eq!((held.moves[0].what.cash, held.moves[0].what.amount), (Cash::Refund, 100));
    assert!(held.moves[0].what.reason.as_str().starts_with("1-"), "{:?}", held.moves[0].what.reason);
    assert_eq!(x_of(&world, (1, 1)).expected_cash(), 900);
    let request = PayReturnRequest {
        id: stockroom_crdt::order::returns::ReturnId { store: OWN, number: 1 },
        reference: Code::default(),
        staff: code("ben"),
        till: Some(TillId(1)),
    };
    assert!(matches!(world.command(STORE, Command::PayReturn(key("p"), request)), Err(Refusal::Unknown { .. })));
}

#[test]
fn a_certificate_names_what_is_missing_until_nothing_is() {
    let mut world = shop(10);
    assert_eq!(certificate(&world, HUB, 1).missing[0], Missing::Day);
    open(&mut world, 1, 0).unwrap();
    world.sell(STORE, 1, 1, &[("TEA", 1)]).unwrap();
    world.sell(STORE, 2, 1, &[("TEA", 2)]).unwrap();
    world.run_ms(5_000);
    let open_day = certificate(&world, HUB, 1);
    let head = &open_day.logs[0];
    let (actor, heard_ms) = (Actor::new(STORE, 1), head.newest_ms);
    let unclosed = Missing::ShiftClose { till: TillId(1), number: 1 };
    let unheard = Missing::Entries { actor, from: head.seq + 1, to: None, heard_ms };
    assert_eq!(open_day.missing, [Missing::Close, unheard, unclosed.clone()]);
    world.cut(STORE, HUB);
    close(&mut world, 1, 100, "").unwrap();
    world.sell(STORE, 2, 2, &[("TEA", 4)]).unwrap();
    world.command(STORE, Command::DayClose(key("day"), code("mia"))).unwrap();
    world.run_ms(60_000);
    assert_eq!(certificate(&world, HUB, 1), open_day, "the hub knows what it knew");
    assert_eq!(certificate(&world, STORE, 1).missing, []);
    world.connect(STORE, HUB);
    world.run_ms(20_000);
    let complete = certificate(&world, HUB, 1);
    assert_eq!(complete.missing, [], "{complete:?}");
    assert_eq!(complete, certificate(&world, STORE, 1), "who holds the same heads finds the same");
    assert_eq!((complete.unshifted.receipts, complete.unshifted.total), (2, 600));
    assert_eq!((complete.shifts.len(), complete.shifts[0].taken.total), (1, 100));
    let numbers: Vec<_> = complete.series.iter().map(|it| (it.till.0, it.series, it.first, it.last)).collect();
    assert_eq!(numbers, [(1, 1, 1, 1), (2, 1, 1, 2)]);
    world.sell_at(STORE, (1, 2, Some(1_767_000_000_000)), &[("TEA", 8)]).unwrap();
    world.command(STORE, Command::DayClose(key("next day"), code("mia"))).unwrap();
    world.run_ms(20_000);
    let (first, late) = (certificate(&world, HUB, 1), certificate(&world, HUB, 2));
    assert_eq!((first.day, first.series, first.missing), (complete.day, complete.series, vec![]));
    assert_eq!((late.day.late, late.missing.as_slice()), (1, [].as_slice()), "a late sale is of the next day");
    let numbers: Vec<_> = late.series.iter().map(|it| (it.till.0, it.first, it.last)).collect();
    assert_eq!(numbers, [(1, 2, 2)]);
}

#[test]
fn shifts_and_what_was_sold_in_none_add_up_to_every_day_whatever_happens() {
    for seed in 0..40 {
        println!("seed {seed}");
        let world = walked(seed);
        for node in [STORE, HUB] {
            let snapshot = world.snapshot(node);
            let view = View::new(&*snapshot);
            for day in view.days(OWN).unwrap() {
                let certificate = view.certificate(OWN, day.number).unwrap();
                let mut sum = certificate.unshifted;
                for shift in &certificate.shifts {
                    sum.receipts += shift.taken.receipts;
                    sum.total += shift.taken.total;
                    sum.tenders.iter_mut().zip(shift.taken.tenders).for_each(|(sum, more)| *sum += more);
                }
                assert_eq!((sum.receipts, sum.total, sum.tenders), (day.receipts, day.total, day.tenders), "{day:?}");
                let odd = |it: &&Missing| matches!(it, Missing::Takings { .. } | Missing::Receipts { .. });
                assert_eq!(certificate.missing.iter().find(odd), None);
            }
        }
        let of = |node| certificates(&world, node);
        assert_eq!(of(STORE), of(HUB), "both hold the same logs");
    }
}

/// A week at two tills with crashes, new epochs and a restore; in the end everybody has heard everything.
fn walked(seed: u64) -> World {
    let mut rng = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = shop(seed);
    let mut image: Option<Disk> = None;
    for step in 0..120 {
        let till = 1 + rng.below(2) as u32;
        let words = format!("{seed} {step}");
        match rng.below(20) {
            0..9 => {
                world.sell(STORE, till, step + 1, &[("TEA", 1 + rng.below(5) as i64)]).unwrap();
            }
            9 => drop(void(&mut world, 1_000 + step, receipt(till, 1, 1 + rng.below(5)))),
            10 | 11 => drop(said(&mut world, &words, request(till, "anna", "", DrawerDeed::Open { float: 1_000 }))),
            12 => {
                let deed =
                    DrawerDeed::Move { cash: Cash::ALL[rng.below(4) as usize], amount: 10, reason: code("walk") };
                drop(said(&mut world, &words, request(till, "anna", "", deed)));
            }
            13 | 14 => {
                let counted = 1_000 + rng.below(2_000) as i64;
                drop(said(&mut world, &words, request(till, "anna", "mia", DrawerDeed::Close { counted })));
            }
            15 => drop(world.command(STORE, Command::DayClose(key(&words), code("mia")))),
            16 => {
                world.crash(STORE);
                world.start(STORE);
                world.connect(STORE, HUB);
            }
            17 => drop(world.command(STORE, Command::NewEpoch(EpochReason::Manual))),
            18 => image = Some(world.nodes[&STORE].disk.image()),
            _ => {
                world.run_ms(rng.below(8_000));
                if let Some(disk) = image.take_if(|_| step > 60) {
                    set_back(&mut world, disk);
                    world.connect(STORE, HUB);
                }
            }
        }
    }
    world.connect(STORE, HUB);
    world.run_ms(120_000);
    world
}

/// Small numbers from a seed: xorshift.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

/// A shift with two receipts, an image of the disk, and three receipts more that only the hub will remember.
fn half_lost(seed: u64) -> (World, Disk) {
    let mut world = shop(seed);
    open(&mut world, 1, 0).unwrap();
    (1..=2).for_each(|n| drop(world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap()));
    world.run_ms(5_000);
    let disk = world.nodes[&STORE].disk.image();
    (3..=5).for_each(|n| drop(world.sell(STORE, 1, n, &[("TEA", 1)]).unwrap()));
    world.run_ms(5_000);
    (world, disk)
}

fn set_back(world: &mut World, disk: Disk) {
    world.cut(STORE, HUB);
    world.crash(STORE);
    world.nodes.get_mut(&STORE).unwrap().disk = disk;
    world.start(STORE);
}

/// The hub throws its books away, makes them again, and finds the same shifts and days.
fn rebuilt_alike(world: &mut World) {
    let before = certificates(world, HUB);
    let now_ms = world.now_ms;
    let node = world.nodes.get_mut(&HUB).unwrap();
    let now = node.now(now_ms);
    let core = node.core.as_mut().unwrap();
    core.rebuild(OWN).unwrap();
    core.commit(now).unwrap();
    assert_eq!(certificates(world, HUB), before);
}

fn certificates(world: &World, node: u32) -> Vec<Certificate> {
    let days = View::new(&*world.snapshot(node)).days(OWN).unwrap();
    days.iter().map(|day| certificate(world, node, day.number)).collect()
}

fn certificate(world: &World, node: u32, day: u32) -> Certificate {
    View::new(&*world.snapshot(node)).certificate(OWN, day).unwrap()
}

fn shop(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 1);
    world.put_products(&[("TEA", Unit::Each)]);
    world.connect(STORE, HUB);
    world.run_ms(3_000);
    world
}

fn open(world: &mut World, till: u32, float: i64) -> Result<Answer, Refusal> {
    let words = format!("open {} {float}", world.now_ms);
    let answer = said(world, &words, request(till, "anna", "", DrawerDeed::Open { float }));
    world.run_ms(1);
    answer
}

fn moved(
    world: &mut World,
    till: u32,
    (cash, amount, reason): (Cash, i64, &str),
    approver: &str,
) -> Result<Answer, Refusal> {
    drawer(world, till, "anna", approver, DrawerDeed::Move { cash, amount, reason: code(reason) })
}

fn close(world: &mut World, till: u32, counted: i64, approver: &str) -> Result<Answer, Refusal> {
    drawer(world, till, "anna", approver, DrawerDeed::Close { counted })
}

/// The same words are the same request: a retry.
fn drawer(world: &mut World, till: u32, staff: &str, approver: &str, deed: DrawerDeed) -> Result<Answer, Refusal> {
    let request = request(till, staff, approver, deed);
    // Shifts follow each other at one till: the same deed in the next one is another request.
    let number = shift_number(world, till, &request);
    said(world, &format!("{number} {request:?}"), request)
}

fn shift_number(world: &World, till: u32, request: &DrawerRequest) -> u32 {
    let last = View::new(&*world.snapshot(STORE)).last_shift(OWN, TillId(till)).unwrap();
    match request.deed {
        DrawerDeed::Open { .. } => 0,
        DrawerDeed::Move { .. } | DrawerDeed::Close { .. } => last.map_or(0, |shift| shift.number),
    }
}

fn said(world: &mut World, words: &str, request: DrawerRequest) -> Result<Answer, Refusal> {
    world.command(STORE, Command::Drawer(key(words), request))
}

fn request(till: u32, staff: &str, approver: &str, deed: DrawerDeed) -> DrawerRequest {
    DrawerRequest { till: TillId(till), staff: code(staff), approver: code(approver), deed }
}

fn void(world: &mut World, till_seq: u64, number: ReceiptNumber) -> Result<Answer, Refusal> {
    let (till, body) = (number.till, Digest::of(&[&till_seq.to_be_bytes()]));
    let (cashier, approver) = (code("anna"), code("mia"));
    world.command(STORE, Command::Void(VoidRequest { till, till_seq, body, receipt: number, cashier, approver }))
}

fn shift(world: &World, node: u32, (till, number): (u32, u32)) -> Option<Shift> {
    View::new(&*world.snapshot(node)).shift(OWN, TillId(till), number).unwrap()
}

fn x_of(world: &World, of: (u32, u32)) -> Totals {
    let shift = shift(world, STORE, of).unwrap();
    View::new(&*world.snapshot(STORE)).x_report(OWN, &shift).unwrap().unwrap()
}

fn z_of(world: &World, node: u32, of: (u32, u32)) -> ZReport {
    let shift = shift(world, node, of).expect("the shift is known");
    View::new(&*world.snapshot(node)).z_report(OWN, &shift).unwrap().expect("it is closed")
}

fn receipts(world: &World, node: u32) -> usize {
    View::new(&*world.snapshot(node)).receipts(OWN).unwrap().len()
}

fn heads(world: &World, node: u32) -> Vec<u64> {
    certificate(world, node, 1).logs.iter().map(|head| head.seq).collect()
}

fn receipt(till: u32, series: u16, sequence: u64) -> ReceiptNumber {
    ReceiptNumber { till: TillId(till), series, sequence }
}

fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[b"shift", words.as_bytes()]), body: Digest::of(&[words.as_bytes()]) }
}

fn code(text: &str) -> Code {
    if text.is_empty() { Code::default() } else { Code::parse(text).unwrap() }
}
