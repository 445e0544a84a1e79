//! Goods between two stores, told by both and by their hub.

use stockroom_core::input::Refusal;
use stockroom_core::input::goods::{Doubtful, ShipOrder, Uncounted};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::receiving::Disposition::Resale;
use stockroom_crdt::stock::transit::{State, Transfer};
use stockroom_crdt::transfer::TransferId;

use super::shop::{Chain, refused};

#[test]
fn what_came_otherwise_than_it_was_sent_stays_visible_everywhere() {
    let mut chain = Chain::new(11);
    chain.deliver(2, &[("TEA", 10, "L1", 20_500), ("MILK", 3, "", 0)]);
    let id = chain.ask(3, 1, &[("TEA", 6), ("MILK", 2)]);
    chain.settle();
    assert_eq!(chain.transfer(2, id).map(|transfer| transfer.state), Some(State::Asked));
    chain.ship(2, ShipOrder::Asked(id), &[("TEA", 6, "L1", 20_500), ("MILK", 2, "", 0)], "").unwrap();
    chain.settle();
    for node in [1, 2, 3] {
        let transfer = chain.transfer(node, id).unwrap();
        assert_eq!((transfer.state, transfer.lines[1].in_transit(), transfer.differs()), (State::InTransit, 6, false));
        assert_eq!((chain.on_hand(node, 1, "TEA"), chain.on_hand(node, 2, "TEA")), (4, 0), "in nobody's book");
    }
    assert!(refused(chain.receive(3, id, Some(&[("TEA", 6, "")]))).contains("MILK was shipped and is not named"));
    let unexplained = refused(chain.receive(3, id, Some(&[("TEA", 4, ""), ("MILK", 2, "")])));
    assert_eq!(unexplained, "lines[0].reason: is needed: 4 each of TEA came, 6 were shipped");
    chain.receive(3, id, Some(&[("TEA", 4, "two broken"), ("MILK", 3, "one too many")])).unwrap();
    chain.settle();
    for node in [1, 2, 3] {
        let transfer = chain.transfer(node, id).unwrap();
        assert_eq!((transfer.state, transfer.differs(), transfer.repeated), (State::Received, true, false));
        let told = |transfer: &Transfer| -> Vec<_> {
            let of = |line: &stockroom_crdt::stock::transit::Line| {
                (line.sku.as_str().to_owned(), line.asked, line.difference(), line.reason.as_str().to_owned())
            };
            transfer.lines.iter().map(of).collect()
        };
        let (milk, tea) =
            (("MILK".into(), 2, Some(1), "one too many".into()), ("TEA".into(), 6, Some(-2), "two broken".into()));
        assert_eq!(told(&transfer), [milk, tea]);
        assert_eq!((chain.on_hand(node, 1, "TEA"), chain.on_hand(node, 2, "TEA")), (4, 4));
        assert_eq!((chain.on_hand(node, 1, "MILK"), chain.on_hand(node, 2, "MILK")), (1, 3));
        chain.rebuilds_alike(node);
    }
    assert_eq!(chain.lots(3, 2), (vec![("L1".into(), 20_500, 4)], 0), "the lot travels with the goods");
}

#[test]
fn each_refusal_names_the_state_that_the_transfer_is_in() {
    let mut chain = Chain::new(12);
    chain.deliver(2, &[("TEA", 5, "", 0)]);
    let id = chain.ask(3, 1, &[("TEA", 7)]);
    let one = [("TEA", 1, "", 0)];
    assert_eq!(
        refused(chain.ship(3, ShipOrder::Asked(id), &one, "")),
        format!("transfer {id} is asked by this store: store 1 ships it")
    );
    let early = refused(chain.receive(3, id, None));
    assert_eq!(early, format!("lines: are needed: the shipment of transfer {id} is not known here yet"));
    chain.settle();
    assert!(refused(chain.receive(2, id, Some(&[("TEA", 1, "")]))).contains("was asked for by store 2"));
    let more = refused(chain.ship(2, ShipOrder::Asked(id), &[("TEA", 4, "A", 0), ("TEA", 3, "B", 0)], ""));
    assert!(more.starts_with("7 each of TEA cannot leave: 5 are on hand by the book"), "{more}");
    chain.ship(2, ShipOrder::Asked(id), &[("TEA", 7, "", 0)], "eve").unwrap();
    assert_eq!(chain.on_hand(2, 1, "TEA"), -2, "a manager knows better than the book");
    assert_eq!(
        refused(chain.ship(2, ShipOrder::Asked(id), &one, "")),
        format!("transfer {id} is shipped already: it is in transit")
    );
    assert!(refused(chain.receive(2, id, None)).contains("goes to store 2"));
    chain.settle();
    chain.receive(3, id, None).unwrap();
    assert_eq!(chain.on_hand(3, 2, "TEA"), 7);
    assert_eq!(refused(chain.receive(3, id, None)), format!("transfer {id} is received already"));
    chain.settle();
    assert_eq!(
        refused(chain.ship(2, ShipOrder::Asked(id), &one, "")),
        format!("transfer {id} is shipped already: it is received")
    );
    let stranger = TransferId { store: StoreId(2), number: 1 };
    assert!(matches!(chain.ship(2, ShipOrder::Asked(stranger), &one, ""), Err(Refusal::Unknown { .. })));
    assert!(matches!(chain.ship(2, ShipOrder::Unasked(StoreId(9)), &one, ""), Err(Refusal::Unknown { .. })));
    assert_eq!(refused(chain.ship(2, ShipOrder::Unasked(StoreId(1)), &one, "")), "to: is this store itself");
}

#[test]
fn a_store_that_sees_nothing_of_the_other_receives_by_number_and_the_hub_compares() {
    let mut chain = Chain::of(13, ["red", "blue"]);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.world.cut(3, 1);
    let shipped = chain.ship(2, ShipOrder::Unasked(StoreId(2)), &[("TEA", 5, "", 0)], "");
    let id = chain.number(2, &shipped);
    chain.settle();
    let on_the_way = chain.transfer(1, id).unwrap();
    assert_eq!((on_the_way.state, on_the_way.to), (State::InTransit, StoreId(2)));
    let week = on_the_way.due_ms - on_the_way.shipped_ms;
    assert!(!on_the_way.is_overdue(on_the_way.shipped_ms + week) && on_the_way.is_overdue(on_the_way.due_ms + 1));
    assert!(refused(chain.receive(3, id, None)).contains("is not known here yet"));
    chain.receive(3, id, Some(&[("TEA", 4, "")])).unwrap();
    let here = chain.transfer(3, id).unwrap();
    assert_eq!(
        (here.from, here.lines[0].sent, here.differs()),
        (StoreId(1), None, false),
        "nobody here knows what was sent"
    );
    assert_eq!(chain.on_hand(3, 2, "TEA"), 4);
    chain.world.connect(3, 1);
    chain.settle();
    let compared = chain.transfer(1, id).unwrap();
    assert_eq!((compared.state, compared.lines[0].difference()), (State::Received, Some(-1)));
    assert!(!compared.is_overdue(u64::MAX));
    assert_eq!(chain.transfer(3, id).unwrap().lines[0].sent, None, "another group's goods stay its own");
    assert_eq!((chain.on_hand(1, 1, "TEA"), chain.on_hand(1, 2, "TEA")), (5, 4));
    chain.rebuilds_alike(1);
}

#[test]
fn a_shipment_that_is_written_anew_after_a_restore_leaves_once() {
    let mut chain = Chain::new(14);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.settle();
    let image = chain.world.nodes[&2].disk.image();
    let key = chain.key();
    let (order, lines) = (ShipOrder::Unasked(StoreId(2)), [("TEA", 4, "", 0)]);
    let first = chain.ship_as(key, 2, order, &lines, "");
    let id = chain.number(2, &first);
    chain.settle();
    chain.world.crash(2);
    chain.world.nodes.get_mut(&2).unwrap().disk = image;
    chain.world.cut(2, 1);
    chain.world.cut(2, 3);
    chain.world.start(2);
    assert_eq!((chain.on_hand(2, 1, "TEA"), chain.world.status(2).epoch.0), (10, 2));
    let second = chain.ship_as(key, 2, order, &lines, "");
    assert_eq!(chain.number(2, &second), id, "the same request opens the same transfer");
    // The count knows only the second writing; it covers the shipment, whichever entry stands for it.
    chain.sell(2, "TEA", 1, Resale).unwrap();
    chain.scan(1, ("shelf", "joe"), "TEA", 5).unwrap();
    chain.close(1, Doubtful::Refuse, Uncounted::Keep).unwrap();
    chain.world.connect(2, 1);
    chain.world.connect(2, 3);
    chain.settle();
    chain.receive(3, id, None).unwrap();
    chain.settle();
    for node in [1, 2, 3] {
        assert_eq!((chain.on_hand(node, 1, "TEA"), chain.on_hand(node, 2, "TEA")), (5, 4), "node {node}");
        let transfer = chain.transfer(node, id).unwrap();
        assert_eq!((transfer.repeated, transfer.lines[0].sent), (false, Some(4)));
        chain.rebuilds_alike(node);
    }
}

#[test]
fn a_request_that_comes_after_its_lost_shipment_came_back_ships_nothing_more() {
    let mut chain = Chain::new(15);
    chain.deliver(2, &[("TEA", 10, "", 0)]);
    chain.settle();
    let image = chain.world.nodes[&2].disk.image();
    let key = chain.key();
    let (order, lines) = (ShipOrder::Unasked(StoreId(2)), [("TEA", 4, "", 0)]);
    let first = chain.ship_as(key, 2, order, &lines, "");
    let id = chain.number(2, &first);
    chain.settle();
    chain.world.crash(2);
    chain.world.nodes.get_mut(&2).unwrap().disk = image;
    chain.world.start(2);
    assert_eq!(chain.on_hand(2, 1, "TEA"), 10);
    chain.world.connect(2, 1);
    chain.settle();
    assert_eq!(chain.on_hand(2, 1, "TEA"), 6, "the hub gave it back");
    let second = chain.ship_as(key, 2, order, &lines, "");
    assert_eq!((chain.number(2, &second), chain.on_hand(2, 1, "TEA")), (id, 6));
    // Another request for the same is another shipment.
    let third = chain.ship(2, order, &lines, "");
    assert_ne!(chain.number(2, &third), id);
    assert_eq!(chain.on_hand(2, 1, "TEA"), 2);
}
