//! Goods that come back, corrections, lots.

use stockroom_core::input::Command;
use stockroom_core::input::sales::VoidRequest;
use stockroom_core::view::View;
use stockroom_crdt::ids::{Digest, StoreId, TillId};
use stockroom_crdt::receiving::Disposition::{Quarantine, Resale, Scrap};
use stockroom_crdt::sale::ReceiptNumber;

use super::shop::{Chain, code, refused};

#[test]
fn only_what_can_be_sold_again_is_on_hand_again() {
    let mut chain = Chain::new(1);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.sell(2, "TEA", 5, Resale).unwrap();
    chain.sell(2, "TEA", -1, Resale).unwrap();
    assert_eq!(chain.tea(2), (6, 0, 0));
    chain.sell(2, "TEA", -2, Quarantine).unwrap();
    chain.sell(2, "TEA", -1, Scrap).unwrap();
    assert_eq!(chain.tea(2), (6, 2, 1));
    assert!(refused(chain.sell(2, "TEA", 1, Scrap)).contains("only goods that come back"));
    assert_eq!(refused(chain.decide(2, 3, true)), "3 each of TEA cannot leave quarantine: 2 are there");
    chain.decide(2, 1, true).unwrap();
    chain.decide(2, 1, false).unwrap();
    assert_eq!(chain.tea(2), (7, 0, 2));
    assert!(chain.decide(2, 1, false).is_err());
    chain.settle();
    for node in [1, 2, 3] {
        assert_eq!(chain.tea(node), (7, 0, 2));
        chain.rebuilds_alike(node);
    }
}

#[test]
fn a_void_takes_back_what_a_return_set_aside() {
    let mut chain = Chain::new(2);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.sell(2, "TEA", -2, Quarantine).unwrap();
    assert_eq!(chain.tea(2), (10, 2, 0));
    let receipt = ReceiptNumber { till: TillId(1), series: 1, sequence: 1 };
    let (till, till_seq, body) = (TillId(1), 1_000, Digest([1; 32]));
    let (cashier, approver) = (code("ann"), code("eve"));
    chain.world.command(2, Command::Void(VoidRequest { till, till_seq, body, receipt, cashier, approver })).unwrap();
    assert_eq!(chain.tea(2), (10, 0, 0), "the customer has them again");
    chain.rebuilds_alike(2);
}

#[test]
fn a_sale_that_is_written_anew_sets_goods_aside_once() {
    let mut chain = Chain::new(3);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.settle();
    let image = chain.world.nodes[&2].disk.image();
    let mark = chain.mark();
    chain.sell(2, "TEA", -2, Quarantine).unwrap();
    chain.settle();
    chain.world.crash(2);
    chain.world.nodes.get_mut(&2).unwrap().disk = image;
    chain.world.cut(2, 1);
    chain.world.cut(2, 3);
    chain.world.start(2);
    assert_eq!(chain.tea(2), (10, 0, 0), "the disk is older than the sale");
    // The till has had no answer and asks again, with the same number.
    chain.again_from(mark);
    chain.sell(2, "TEA", -2, Quarantine).unwrap();
    assert_eq!(chain.tea(2), (10, 2, 0));
    chain.world.connect(2, 1);
    chain.world.connect(2, 3);
    chain.settle();
    for node in [1, 2, 3] {
        assert_eq!(chain.tea(node), (10, 2, 0), "node {node}");
        chain.rebuilds_alike(node);
    }
}

#[test]
fn a_standard_reason_knows_which_way_goods_go() {
    let mut chain = Chain::new(4);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.adjust(2, -1, "damage").unwrap();
    chain.adjust(2, 2, "found").unwrap();
    chain.adjust(2, 1, "fell out of the river").unwrap();
    assert_eq!(chain.tea(2).0, 12);
    assert_eq!(refused(chain.adjust(2, 1, "theft")), "delta: theft takes goods away: +1 does not fit it");
    assert_eq!(refused(chain.adjust(2, -1, "found")), "delta: found adds goods: -1 does not fit it");
    assert_eq!(chain.tea(2).0, 12);
}

#[test]
fn lots_are_told_from_what_came_and_what_was_sold() {
    let mut chain = Chain::new(5);
    chain.deliver(2, &[("TEA", 4, "LATE", 20_600), ("TEA", 4, "SOON", 20_500), ("TEA", 2, "", 0)]);
    chain.sell(2, "TEA", 3, Resale).unwrap();
    let left = |lot: &str, day, quantity| (lot.to_owned(), day, quantity);
    assert_eq!(chain.lots(2, 1), (vec![left("SOON", 20_500, 1), left("LATE", 20_600, 4)], 2));
    chain.settle();
    assert_eq!(chain.lots(1, 1), chain.lots(2, 1), "the hub guesses the same");
    let snapshot = chain.world.snapshot(2);
    let expiring = |day| {
        let found = View::new(&*snapshot).expiring(StoreId(1), day).unwrap();
        found.into_iter().map(|item| (item.left.batch.expiry_day, item.left.quantity)).collect::<Vec<_>>()
    };
    assert_eq!(expiring(20_499), []);
    assert_eq!(expiring(20_500), [(20_500, 1)]);
    assert_eq!(expiring(20_600), [(20_500, 1), (20_600, 4)]);
    chain.rebuilds_alike(2);
}
