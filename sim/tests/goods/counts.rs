//! Counts with a sheet, with several counters, and with goods that move meanwhile.

use stockroom_core::books::tally::Doubt;
use stockroom_core::input::Refusal;
use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_core::view::View;
use stockroom_core::view::goods::CountSession;
use stockroom_crdt::ids::{Actor, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Disposition::{Quarantine, Resale};

use super::shop::{Chain, code, refused};

#[test]
fn what_nobody_counted_keeps_its_book_until_somebody_says_that_there_is_nothing() {
    let mut chain = Chain::new(21);
    chain.deliver(2, &[("TEA", 10, "", 0), ("MILK", 4, "", 0), ("RICE", 5_000, "", 0)]);
    chain.open_count(1, &["TEA", "MILK"]).unwrap();
    assert_eq!(refused(chain.open_count(1, &["TEA"])), "count session 1 is open already");
    assert_eq!(refused(chain.close(1, Doubtful::Refuse, Uncounted::Keep)), "nobody has counted anything in session 1");
    chain.scan(1, ("shelf", "joe"), "TEA", 6).unwrap();
    chain.scan(1, ("back", "joe"), "TEA", 3).unwrap();
    chain.close(1, Doubtful::Refuse, Uncounted::Keep).unwrap();
    let books = |chain: &Chain, node| ["TEA", "MILK", "RICE"].map(|name| chain.on_hand(node, 1, name));
    assert_eq!(books(&chain, 2), [9, 4, 5_000]);
    assert_eq!(refused(chain.open_count(1, &["TEA"])), "count session 1 is closed");
    chain.open_count(2, &["TEA", "MILK"]).unwrap();
    chain.sell(2, "MILK", 1, Resale).unwrap();
    chain.scan(2, ("shelf", "joe"), "TEA", 9).unwrap();
    chain.close(2, Doubtful::Refuse, Uncounted::Zero).unwrap();
    assert_eq!(books(&chain, 2), [9, 0, 5_000], "what is not on the sheet stays");
    chain.sell(2, "MILK", 1, Resale).unwrap();
    chain.settle();
    for node in [1, 2, 3] {
        assert_eq!(books(&chain, node), [9, -1, 5_000]);
        chain.rebuilds_alike(node);
    }
}

#[test]
fn counters_who_disagree_about_a_zone_are_neither_added_nor_overruled() {
    let mut chain = Chain::new(22);
    chain.deliver(2, &[("TEA", 10, "", 0), ("MILK", 4, "", 0)]);
    chain.open_count(1, &["TEA", "MILK"]).unwrap();
    chain.scan(1, ("shelf", "joe"), "TEA", 6).unwrap();
    chain.scan(1, ("shelf", "kim"), "TEA", 6).unwrap();
    chain.scan(1, ("shelf", "joe"), "MILK", 4).unwrap();
    assert_eq!(session(&chain, 1).tallies.iter().map(|tally| tally.quantity).collect::<Vec<_>>(), [6, 4]);
    chain.scan(1, ("shelf", "kim"), "TEA", 7).unwrap();
    let doubt = Doubt::Differ(code("shelf"), vec![6, 7]);
    assert_eq!(session(&chain, 1).tallies[0].doubt, Some(doubt));
    let stopped = "count session 1 needs a recount: counters of TEA found 6 and 7 in zone shelf";
    assert_eq!(refused(chain.close(1, Doubtful::Refuse, Uncounted::Keep)), stopped);
    assert_eq!(refused(chain.close(1, Doubtful::Accept, Uncounted::Keep)), stopped, "nobody can say who is right");
    chain.scan_in(1, ("shelf", "eve", true), ("TEA", Unit::Each), 8).unwrap();
    assert_eq!(session(&chain, 1).tallies[0].doubt, None);
    chain.close(1, Doubtful::Refuse, Uncounted::Keep).unwrap();
    assert_eq!(chain.on_hand(2, 1, "TEA"), 8);
    chain.open_count(2, &["TEA", "MILK"]).unwrap();
    chain.scan(2, ("shelf", "joe"), "TEA", 1).unwrap();
    chain.scan(2, ("shelf", "kim"), "TEA", 2).unwrap();
    chain.scan(2, ("shelf", "kim"), "MILK", 3).unwrap();
    chain.close(2, Doubtful::LeaveOut, Uncounted::Zero).unwrap();
    assert_eq!((chain.on_hand(2, 1, "TEA"), chain.on_hand(2, 1, "MILK")), (8, 3), "what is in doubt keeps its book");
    chain.rebuilds_alike(2);
}

#[test]
fn goods_that_moved_between_two_zones_are_counted_again() {
    let mut chain = Chain::new(23);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.open_count(1, &["TEA"]).unwrap();
    chain.scan(1, ("shelf", "joe"), "TEA", 4).unwrap();
    chain.sell(2, "TEA", 1, Resale).unwrap();
    chain.scan(1, ("back", "joe"), "TEA", 6).unwrap();
    assert_eq!(session(&chain, 1).tallies[0].doubt, Some(Doubt::Moved));
    let stopped = "count session 1 needs a recount: TEA moved while its zones were counted";
    assert_eq!(refused(chain.close(1, Doubtful::Refuse, Uncounted::Keep)), stopped);
    chain.scan(1, ("shelf", "joe"), "TEA", 3).unwrap();
    assert_eq!(
        session(&chain, 1).tallies[0].doubt,
        None,
        "the shelf was counted after the sale, and the back room, too"
    );
    chain.close(1, Doubtful::Refuse, Uncounted::Keep).unwrap();
    assert_eq!(chain.on_hand(2, 1, "TEA"), 9);
}

#[test]
fn goods_that_are_set_aside_while_zones_are_counted_are_on_no_shelf() {
    let mut chain = Chain::new(24);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.scan(1, ("shelf", "joe"), "TEA", 4).unwrap();
    chain.sell(2, "TEA", -1, Quarantine).unwrap();
    chain.scan(1, ("back", "joe"), "TEA", 6).unwrap();
    assert_eq!(session(&chain, 1).tallies[0].doubt, None);
    chain.close(1, Doubtful::Refuse, Uncounted::Keep).unwrap();
    assert_eq!(chain.tea(2), (10, 1, 0), "a count of the shelves leaves quarantine alone");
}

#[test]
fn a_scan_in_the_wrong_unit_is_refused_and_both_units_are_named() {
    let mut chain = Chain::new(25);
    let wrong = chain.scan_in(1, ("shelf", "joe", false), ("RICE", Unit::Each), 3);
    assert_eq!(refused(wrong), "scan.unit: RICE is counted in gram, not in each");
    chain.scan(1, ("shelf", "joe"), "RICE", 4_250).unwrap();
    chain.close(1, Doubtful::Refuse, Uncounted::Keep).unwrap();
    assert_eq!(chain.on_hand(2, 1, "RICE"), 4_250);
    assert!(matches!(chain.close(2, Doubtful::Refuse, Uncounted::Zero), Err(Refusal::Unknown { .. })));
}

fn session(chain: &Chain, number: u64) -> CountSession {
    let snapshot = chain.world.snapshot(2);
    View::new(&*snapshot).count(StoreId(1), number, Actor::new(2, 1)).unwrap()
}
