//! A hub and two stores through cuts and restarts, ends that are asked for, and who is not let in.

use std::time::{Duration, SystemTime};

use serde_json::json;
use stockroom::enrol::Token;

use super::binary::{Outcome, finish, is, stockroom, wait_until};
use super::door::Door;
use super::fleet::{CONVERGE_MAX, Fleet};
use super::till::Till;

#[test]
fn three_nodes_agree_after_cuts_on_every_line() {
    let mut fleet = Fleet::of(2);
    let mut tills = [Till::new(1, 1), Till::new(2, 1)];
    for store in [1, 2] {
        fleet.store(store).receive("r", "milk", 100);
    }
    sell(&mut fleet, &mut tills, 3);
    // One store is cut off, the other is not.
    isolate(fleet.store(1).door(), true);
    wait_until(CONVERGE_MAX, "the line is down", || {
        is(&fleet.hub().door().read("/v1/stores/1")?["connected"], &json!(false))
    });
    sell(&mut fleet, &mut tills, 3);
    agree(&mut fleet, &tills[1]);
    assert!(fleet.store(1).door().backlog().unwrap() > 0);
    assert!(fleet.hub().door().receipts(1).unwrap() < tills[0].sold(), "a cut line carries nothing");
    // Then the hub goes for everybody, and the cut one is mended meanwhile.
    fleet.hub().kill();
    isolate(fleet.store(1).door(), false);
    sell(&mut fleet, &mut tills, 3);
    fleet.store(2).kill();
    fleet.store(2).start();
    sell(&mut fleet, &mut tills, 3);
    // A price that changed while nobody could hear of it reaches both.
    fleet.hub().start();
    let price = json!({ "prices": [{ "sku": "milk", "book": "default", "price": 139, "currency": "EUR", "from": "2021-01-01T00:00:00Z" }] });
    fleet.hub().door().post("/v1/prices", Some("p"), &price).unwrap().good().unwrap();
    for (index, till) in tills.iter().enumerate() {
        agree(&mut fleet, till);
        let store = index as u32 + 1;
        let (hub, own) = (fleet.hub().door().clone(), fleet.store(store).door().clone());
        assert_eq!(hub.on_hand("milk", store).unwrap(), 100 - till.pieces());
        assert_eq!(own.on_hand("milk", store).unwrap(), 100 - till.pieces());
        till.check(&own);
        wait_until(CONVERGE_MAX, "the price arrives", || {
            is(&own.read("/v1/prices?sku=milk")?["items"][0]["price"], &json!(139))
        });
        wait_until(CONVERGE_MAX, "nothing is owed", || is(&own.backlog()?, &0));
    }
}

#[test]
fn a_stop_is_clean_a_second_start_finds_everything_and_a_second_process_is_refused() {
    let mut fleet = Fleet::of(1);
    let mut tills = [Till::new(1, 1)];
    sell(&mut fleet, &mut tills, 5);
    let second = finish(&mut fleet.store(1).command());
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains("is in use by another stockroom process"), "{second:?}");
    for busy in ["verify", "restore"] {
        let data = fleet.store(1).data_text().to_owned();
        let file = (busy == "restore").then_some("no-such-file");
        let refused = stockroom([busy].into_iter().chain(file).chain(["--data", &data]));
        assert!(refused.code == 1 && refused.err.contains("is in use"), "{busy}: {refused:?}");
    }
    fleet.store(1).stop();
    assert_eq!(fleet.hub().door().receipts(1).unwrap(), 5, "a store that stops brings the hub what it lacks");
    assert!(!fleet.store(1).data().join("running").exists());
    fleet.store(1).start();
    tills[0].check(fleet.store(1).door());
    sell(&mut fleet, &mut tills, 1);
    agree(&mut fleet, &tills[0]);
    tills[0].check(fleet.hub().door());
    fleet.hub().stop();
    fleet.hub().start();
    tills[0].check(fleet.hub().door());
}

#[test]
fn a_token_opens_once_until_it_expires_at_the_hub_that_made_it() {
    let mut fleet = Fleet::hub_alone();
    // Keeps the port open throughout, so that every refusal is the clerk's.
    let other = fleet.token(9);
    let short = fleet.hub().door().post("/v1/enrolment-tokens", None, &json!({ "store": 2, "valid_s": 1 }));
    let short = short.unwrap().good().unwrap()["token"].as_str().unwrap().to_owned();
    let made = SystemTime::now();
    let token = fleet.token(1);

    let garbled: String = token
        .char_indices()
        .map(|(at, c)| {
            if at == 20 && c != 'A' {
                'A'
            } else if at == 20 {
                'B'
            } else {
                c
            }
        })
        .collect();
    refused(&fleet.try_join("garbled", &garbled), "token");
    refused(&fleet.try_join("no-token", "please"), "token");
    let mut stranger = Token::parse(&token).unwrap();
    stranger.root_cert[0] ^= 1;
    refused(&fleet.try_join("stranger", &stranger.to_text()), "the hub did not let this node in");
    let mut guess = Token::parse(&token).unwrap();
    guess.secret[0] ^= 1;
    refused(&fleet.try_join("guess", &guess.to_text()), "the hub did not let this node in");

    let good = fleet.try_join("store-1", &token);
    assert_eq!(good.code, 0, "none of that has used the token up: {good:?}");
    refused(&fleet.try_join("again", &token), "the hub did not let this node in");
    refused(&fleet.try_join("store-1", &other), "holds a node already");
    wait_until(Duration::from_secs(5), "the clock passes the token's end", || {
        is(&made.elapsed().is_ok_and(|age| age > Duration::from_millis(1_200)), &true)
    });
    refused(&fleet.try_join("late", &short), "the hub did not let this node in");
    for never in ["garbled", "no-token", "stranger", "guess", "again", "late"] {
        assert!(!fleet.folder().join(never).join("identity.json").exists(), "{never}");
    }
    let nodes = fleet.hub().door().read("/v1/nodes").unwrap();
    let nodes = nodes["items"].as_array().expect("a list").len();
    assert_eq!(nodes, 2, "the hub and one store");
}

fn refused(outcome: &Outcome, why: &str) {
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.err.to_lowercase().contains(&why.to_lowercase()), "{why:?} is not in {outcome:?}");
    assert!(!outcome.err.contains("panicked"), "{outcome:?}");
}

fn sell(fleet: &mut Fleet, tills: &mut [Till], sales: u32) {
    for (index, till) in tills.iter_mut().enumerate() {
        let door = fleet.store(index as u32 + 1).door().clone();
        (0..sales).for_each(|_| till.sell(Duration::from_secs(10), || door.clone()));
    }
}

/// The hub comes to know every sale of a till, which is its store's only one.
fn agree(fleet: &mut Fleet, till: &Till) {
    let hub = fleet.hub().door().clone();
    wait_until(CONVERGE_MAX, "the hub has every sale", || is(&hub.receipts(till.store())?, &till.sold()));
}

fn isolate(door: &Door, cut: bool) {
    door.post("/v1/test/isolate", None, &json!({ "cut": cut })).and_then(super::door::Reply::good).expect("a test aid");
}
