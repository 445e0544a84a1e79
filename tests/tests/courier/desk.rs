//! Orders that are delivered, from the store's shelf to the customer's door: a hub, a store, couriers, and everything that goes wrong.

use stockroom::courier::CallbackError;
use stockroom::courier::desk::act::{Act, ActError, Deed, Proof, Taken};
use stockroom::courier::desk::wish::DeskError;
use stockroom::courier::report::Reason;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::redress::Rule;
use stockroom_crdt::order::resolve::{OrderState, State};
use stockroom_crdt::order::step::Step;
use stockroom_tests::courier_server::{Fate, Mail};

use super::shop::{HUB, MINUTE, STORE, Shop};

#[test]
fn however_the_callbacks_come_the_order_is_delivered_once() {
    for seed in 1..=6 {
        let mut shop = Shop::open(seed, &["fengniao"], Fate::Delivers);
        let mail = if seed == 1 { Mail::default() } else { Mail { lost: 30, doubled: 40, forged: 20, shuffled: 1 } };
        shop.server.set_mail(mail, seed);
        let (order, _) = shop.ready();
        shop.pass(6, true);
        assert_eq!(shop.state(STORE, order), State::Awaited, "the store sees that somebody comes");
        shop.store_says(order, Step::Dispatch);
        assert_eq!(shop.on_hand(STORE, "A"), 8);
        if seed % 2 == 0 {
            shop.restart_hub();
        }
        shop.pass(14, true);
        let outcome = shop.outcome(order);
        assert_eq!((outcome.state, outcome.due.len(), outcome.charge), (OrderState::Completed, 0, 200), "{outcome:?}");
        for (step, times) in [(Step::RequestCourier, 1), (Step::AssignCourier, 1), (Step::Deliver, 1)] {
            assert_eq!(shop.count(order, step), times, "{step:?}, seed {seed}");
        }
        assert_eq!((shop.note(order, Step::Deliver), shop.server.order_count()), ("fengniao".into(), 1));
        assert_eq!((shop.on_hand(HUB, "A"), shop.on_hand(STORE, "A")), (8, 8));
        let saved = shop.saved();
        for secret in ["Li Lei", "13900000000", "Road 1", "31190000", "1380000"] {
            assert!(!saved.contains(secret), "{secret} is kept after the delivery");
        }
    }
}

#[test]
fn without_any_callback_and_over_restarts_the_order_is_delivered_once() {
    let mut shop = Shop::open(11, &["fengniao"], Fate::Delivers);
    let (order, _) = shop.ready();
    for _ in 0..4 {
        shop.pass(2, false);
        shop.restart_hub();
    }
    shop.store_says(order, Step::Dispatch);
    for _ in 0..4 {
        shop.pass(3, false);
        shop.restart_hub();
    }
    assert_eq!(shop.outcome(order).state, OrderState::Completed);
    assert_eq!((shop.count(order, Step::Deliver), shop.server.order_count()), (1, 1));
}

#[test]
fn a_courier_who_has_the_goods_before_the_store_said_so_is_an_alarm_and_his_word_waits() {
    let mut shop = Shop::open(12, &["fengniao"], Fate::Delivers);
    let (order, _) = shop.ready();
    shop.pass(18, true);
    assert_eq!((shop.state(STORE, order), shop.count(order, Step::Deliver)), (State::Awaited, 0));
    let shown = &shop.shown(order)[0];
    assert!(shown.file.alarms.iter().any(|alarm| alarm.what.contains("the store does not")), "{:?}", shown.file.alarms);
    shop.restart_hub();
    shop.store_says(order, Step::Dispatch);
    shop.pass(1, true);
    assert_eq!((shop.outcome(order).state, shop.count(order, Step::Deliver)), (OrderState::Completed, 1));
    assert_eq!((shop.on_hand(HUB, "A"), shop.on_hand(STORE, "A")), (8, 8));
}

#[test]
fn when_nobody_accepts_the_chain_s_own_rider_goes_and_the_code_is_the_proof() {
    let mut shop = Shop::open(13, &["fengniao", "riders"], Fate::NobodyAccepts);
    let (order, code) = shop.ready();
    shop.pass(24, true);
    let shown = &shop.shown(order)[0];
    let attempts = shown.delivery.as_ref().unwrap().attempts();
    assert_eq!(
        attempts.iter().map(|attempt| attempt.provider()).collect::<Vec<_>>(),
        ["fengniao", "fengniao", "riders"]
    );
    let id = shown.id.external(3);
    shop.store_says(order, Step::Dispatch);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let act = |shop: &Shop, key: &str, code: &str| Act {
        key: key.into(),
        id: id.clone(),
        deed: Deed::Delivered { proof: Proof::Code(code.into()), age_checked: false },
        at_ms: shop.now_ms(),
    };
    let carried = shop.hub.desk.carried("ann", shop.now_ms()).unwrap();
    assert_eq!(carried[0].contact.as_ref().map(|contact| contact.address.as_str()), Some("Road 1"));
    let first = act(&shop, "1", wrong);
    let refused = shop.at(HUB, async |desk, now_ms| desk.act("ann", &first, now_ms).await);
    assert!(matches!(refused, Err(ActError::WrongCode { left: 4 })), "{refused:?}");
    let right = act(&shop, "2", &code);
    let nobody = shop.at(HUB, async |desk, now_ms| desk.act("bo", &right, now_ms).await);
    assert!(matches!(nobody, Err(ActError::Rider(_))), "{nobody:?}");
    let taken = shop.at(HUB, async |desk, now_ms| desk.act("ann", &right, now_ms).await);
    assert_eq!(taken.unwrap(), Taken::Written);
    let again = shop.at(HUB, async |desk, now_ms| desk.act("ann", &right, now_ms).await);
    assert_eq!(again.unwrap(), Taken::Repeated);
    shop.pass(1, true);
    assert_eq!((shop.outcome(order).state, shop.note(order, Step::Deliver)), (OrderState::Completed, "code".into()));
    assert!(shop.hub.desk.carried("ann", shop.now_ms()).unwrap().is_empty());
    assert!(shop.shown(order)[0].file.closed_ms.is_some());
}

#[test]
fn acts_of_a_phone_without_a_signal_come_late_in_any_order_and_are_believed() {
    let mut shop = Shop::open(14, &["riders"], Fate::Delivers);
    let (order, _) = shop.ready();
    shop.pass(1, true);
    let id = shop.shown(order)[0].id.external(1);
    shop.store_says(order, Step::Dispatch);
    let start_ms = shop.now_ms();
    shop.pass(40, true);
    let acts = [
        (3, Deed::Delivered { proof: Proof::Photo("p-17".into()), age_checked: false }, 30),
        (2, Deed::Returning, 12),
        (1, Deed::Failed(Reason::CustomerUnreachable), 10),
    ];
    for (key, deed, minute) in acts {
        let act = Act { key: key.to_string(), id: id.clone(), deed, at_ms: start_ms + minute * MINUTE };
        shop.at(HUB, async |desk, now_ms| desk.act("ann", &act, now_ms).await).unwrap();
    }
    shop.pass(1, true);
    assert_eq!(
        (shop.outcome(order).state, shop.note(order, Step::Deliver)),
        (OrderState::Completed, "photo p-17".into())
    );
    assert_eq!(shop.count(order, Step::Deliver), 1);
}

#[test]
fn goods_that_a_courier_took_and_nobody_heard_of_again_are_lost_and_paid_back() {
    let mut shop = Shop::open(15, &["fengniao"], Fate::GetsLost);
    let (order, _) = shop.ready();
    shop.pass(8, true);
    shop.store_says(order, Step::Dispatch);
    shop.pass(75, true);
    let alarms = shop.shown(order)[0].file.alarms.clone();
    assert!(alarms.iter().any(|alarm| alarm.what == "the goods are late"), "{alarms:?}");
    assert_eq!(shop.state(HUB, order), State::Out);
    shop.world.run_ms(24 * 60 * MINUTE);
    shop.server.advance(shop.now_ms());
    shop.turn();
    shop.pass(1, true);
    let outcome = shop.outcome(order);
    assert_eq!((outcome.state, shop.count(order, Step::Lose)), (OrderState::Failed, 1), "{outcome:?}");
    assert_eq!(
        outcome.due.iter().filter(|due| due.rule.is_refund()).map(|due| due.amount).sum::<i64>(),
        200,
        "{outcome:?}"
    );
    assert_eq!(shop.on_hand(STORE, "A"), 8, "they are gone");
}

#[test]
fn a_customer_who_does_not_open_sends_the_goods_back_into_the_book() {
    let mut shop = Shop::open(16, &["fengniao"], Fate::FailsAtTheDoor);
    let (order, _) = shop.ready();
    shop.pass(8, true);
    shop.store_says(order, Step::Dispatch);
    assert_eq!(shop.on_hand(STORE, "A"), 8);
    shop.pass(10, true);
    assert_eq!(
        (shop.state(STORE, order), shop.note(order, Step::FailDelivery)),
        (State::Returning, "customer-unreachable".into())
    );
    let name = shop.shown(order)[0].name;
    let at_hub = shop.at(HUB, async |desk, now_ms| desk.confirm_returned(name, "joe", now_ms).await);
    assert!(matches!(at_hub, Err(DeskError::NotHere(_))), "{at_hub:?}");
    for _ in 0..2 {
        shop.at(STORE, async |desk, now_ms| desk.confirm_returned(name, "joe", now_ms).await).unwrap();
    }
    shop.pass(1, true);
    assert_eq!((shop.state(HUB, order), shop.count(order, Step::Returned)), (State::Returned, 1));
    assert_eq!((shop.on_hand(STORE, "A"), shop.on_hand(HUB, "A")), (10, 10));
    let outcome = shop.outcome(order);
    assert!(outcome.due.iter().any(|due| due.rule.is_refund() && due.amount == 200), "{outcome:?}");
    assert!(shop.shown(order)[0].file.closed_ms.is_some());
}

#[test]
fn an_order_that_is_cancelled_calls_its_courier_off() {
    let mut shop = Shop::open(17, &["fengniao"], Fate::Delivers);
    let (order, _) = shop.ready();
    shop.pass(2, true);
    shop.world.say_order(HUB, 1, (order, Saying::AskCancel, "changed her mind")).unwrap();
    shop.pass(4, true);
    let outcome = shop.outcome(order);
    assert_eq!(
        (outcome.state, outcome.due.iter().map(|due| due.rule).collect::<Vec<_>>()),
        (OrderState::Cancelled, vec![Rule::Cancelled])
    );
    let shown = &shop.shown(order)[0];
    let asked = shop.server.order(&shown.id.external(1).to_string()).unwrap();
    assert_eq!((asked.status, shown.file.closed_ms.is_some()), (4, true));
    shop.pass(20, true);
    assert_eq!((shop.server.order_count(), shop.count(order, Step::Deliver)), (1, 0));
}

#[test]
fn a_store_that_is_cut_off_sends_its_own_rider_and_the_hub_sends_nobody() {
    let mut shop = Shop::open(18, &["fengniao"], Fate::Delivers);
    let (order, code) = shop.place();
    shop.world.run_ms(3_000);
    shop.world.cut(STORE, HUB);
    shop.world.make_ready(STORE, order).unwrap();
    let name = shop.at(STORE, async |desk, _| desk.part(order, None)).unwrap();
    shop.at(STORE, async |desk, now_ms| desk.assign(name, "ann", now_ms).await).unwrap();
    let carried = shop.at(STORE, async |desk, now_ms| desk.carried("ann", now_ms)).unwrap();
    assert_eq!(carried[0].contact.as_ref().map(|contact| contact.name.as_str()), Some("Li Lei"));
    shop.store_says(order, Step::Dispatch);
    shop.pass(20, true);
    let deed = Deed::Delivered { proof: Proof::Code(code), age_checked: false };
    let act = Act { key: "1".into(), id: carried[0].id.clone(), deed, at_ms: shop.now_ms() };
    let taken = shop.at(STORE, async |desk, now_ms| desk.act("ann", &act, now_ms).await);
    assert_eq!(taken.unwrap(), Taken::Written);
    assert_eq!(shop.state(STORE, order), State::Delivered);
    assert_ne!(shop.state(HUB, order), State::Delivered);
    shop.world.connect(STORE, HUB);
    shop.pass(3, true);
    assert_eq!((shop.outcome(order).state, shop.server.order_count()), (OrderState::Completed, 0));
}

#[test]
fn a_store_that_takes_a_delivery_over_has_the_hub_s_courier_called_off() {
    let mut shop = Shop::open(19, &["fengniao"], Fate::Delivers);
    let (order, _) = shop.ready();
    shop.pass(2, true);
    let name = shop.at(STORE, async |desk, _| desk.part(order, None)).unwrap();
    shop.at(STORE, async |desk, now_ms| desk.assign(name, "ann", now_ms).await).unwrap();
    shop.pass(3, true);
    let hub_id = shop.shown(order)[0].id.external(1).to_string();
    assert_eq!(shop.server.order(&hub_id).unwrap().status, 4);
    let refused = shop.at(HUB, async |desk, now_ms| desk.redispatch(name, now_ms).await);
    assert!(matches!(refused, Err(DeskError::NotHere(_))), "{refused:?}");
}

#[test]
fn a_store_s_wish_is_heard_at_once_and_again_after_everybody_refused() {
    let mut shop = Shop::open(20, &["fengniao"], Fate::Refuses);
    let (order, _) = shop.place();
    shop.world.run_ms(3_000);
    shop.world.fulfil(STORE, 0, stockroom_sim::counter::step(order, Step::Accept)).unwrap();
    shop.pass(2, true);
    assert!(shop.shown(order).is_empty(), "nobody has begun");
    shop.store_says(order, Step::RequestCourier);
    shop.pass(3, true);
    assert_eq!((shop.count(order, Step::CourierRefused), shop.server.order_count()), (1, 0));
    shop.server.set_fate(Fate::Delivers);
    shop.world.fulfil(STORE, 9, stockroom_sim::counter::step(order, Step::RequestCourier)).unwrap();
    shop.world.run_ms(2_000);
    shop.pass(3, true);
    assert_eq!((shop.count(order, Step::AssignCourier), shop.server.order_count()), (1, 1));
}

#[test]
fn a_person_takes_a_delivery_from_the_service_and_gives_it_to_a_rider() {
    let mut shop = Shop::open(21, &["fengniao"], Fate::NobodyAccepts);
    let (order, _) = shop.ready();
    shop.pass(2, true);
    let name = shop.shown(order)[0].name;
    let nobody = shop.at(HUB, async |desk, now_ms| desk.assign(name, "zoe", now_ms).await);
    assert!(nobody.is_err());
    shop.at(HUB, async |desk, now_ms| desk.assign(name, "ann", now_ms).await).unwrap();
    shop.pass(2, true);
    let shown = &shop.shown(order)[0];
    assert_eq!(shop.server.order(&shown.id.external(1).to_string()).unwrap().status, 4, "the service is called off");
    assert_eq!((shop.state(STORE, order), shop.note(order, Step::AssignCourier)), (State::Awaited, "riders".into()));
    assert_eq!(shop.hub.desk.carried("ann", shop.now_ms()).unwrap().len(), 1);
}

#[test]
fn a_callback_that_is_not_for_us_changes_nothing_and_is_counted() {
    let mut shop = Shop::open(22, &["fengniao"], Fate::Delivers);
    let (order, _) = shop.ready();
    shop.pass(1, false);
    shop.world.run_ms(5 * MINUTE);
    shop.server.advance(shop.now_ms());
    let mail = shop.server.mail();
    let text = String::from_utf8(mail[0].clone()).unwrap();
    let before = shop.state(HUB, order);
    assert_eq!(shop.callback(text.replace("test-app", "other").as_bytes()), Err(CallbackError::Signature));
    assert!(matches!(shop.callback(b"{}"), Err(CallbackError::Malformed(_))));
    assert_eq!(shop.state(HUB, order), before);
    let mut other = Shop::open(23, &["fengniao"], Fate::Delivers);
    other.ready();
    other.pass(3, false);
    other.world.run_ms(5 * MINUTE);
    other.server.advance(other.now_ms());
    let strange = other.server.mail().pop().unwrap();
    assert_eq!(shop.callback(&strange), Err(CallbackError::Unknown));
    let (tally, refused) = shop.hub.desk.tally();
    assert_eq!((tally.unsigned, tally.malformed, tally.unknown, refused), (1, 1, 1, 3));
}
