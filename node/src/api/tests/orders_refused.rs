//! Orders that cannot be, and people who try what is not done: a clear problem, nothing changed, the attempt told.

use axum::http::Method;
use serde_json::{Value, json};

use super::orders::{act, bread, make_ready, market, placed};
use super::pair::{Pair, Reply, call};

fn problem(reply: &Reply) -> (String, Option<String>) {
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{}", reply.text());
    let body = reply.json();
    let kind = body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned();
    (kind, body["field"].as_str().map(str::to_owned))
}

async fn on_hand(pair: &Pair) -> i64 {
    pair.store.get("/v1/stock/BREAD").await.expect(200)["on_hand"].as_i64().unwrap()
}

#[tokio::test]
async fn orders_that_cannot_be_are_problems_that_name_the_field() {
    let pair = market().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = bread(1);
        change(&mut body);
        body
    };
    let cases: Vec<(Value, &str, &str)> = vec![
        (with(&|body| body["lines"][0]["sku"] = json!("GHOST")), "unknown-reference", "lines[0].sku"),
        (with(&|body| body["stores"] = json!([1, 9])), "unknown-reference", "stores[1]"),
        (with(&|body| body["stores"] = json!([])), "invalid-field", "stores"),
        (with(&|body| body["channel"] = json!("till")), "invalid-field", "channel"),
        (with(&|body| body["channel"] = json!("drone")), "invalid-field", "channel"),
        (with(&|body| body["lines"] = json!([])), "invalid-field", "lines"),
        (with(&|body| body["lines"][0]["quantity"] = json!(0)), "invalid-field", "lines[0].quantity"),
        (with(&|body| body["lines"][0]["unit"] = json!("gram")), "invalid-field", "lines[0].unit"),
        (with(&|body| body["lines"][0]["preference"] = json!("luck")), "invalid-field", "lines[0].preference"),
        (with(&|body| body["lines"][0]["colour"] = json!("red")), "invalid-field", "lines[0].colour"),
        (with(&|body| body["contact"]["phone"] = json!("12")), "invalid-field", "contact.phone"),
        (with(&|body| body["contact"]["name"] = json!("x".repeat(101))), "invalid-field", "contact.name"),
        (with(&|body| body["payment"]["captured"] = json!(-1)), "invalid-field", "payment.captured"),
        (with(&|body| body["due"] = json!("2020-01-01T00:00:00Z")), "invalid-field", "due"),
        (with(&|body| body["place"] = json!({ "lat": 91.0, "lon": 0.0 })), "invalid-field", "place.lat"),
        (with(&|body| body["wait_ms"] = json!(9_000)), "invalid-field", "wait_ms"),
        (
            with(&|body| body["lines"][0] = json!({ "code": "4006381333932", "quantity": 1 })),
            "invalid-field",
            "lines[0].code",
        ),
    ];
    for (at, (body, kind, field)) in cases.into_iter().enumerate() {
        let reply = pair.hub.post("/v1/orders", &format!("bad{at}"), body).await;
        assert_eq!(problem(&reply), (kind.into(), Some(field.into())), "{}", reply.text());
    }
    assert_eq!(pair.hub.get("/v1/orders").await.expect(200)["items"], json!([]), "nothing was written");
    let keyless = pair.hub.send(Method::POST, "/v1/orders", None, bread(1)).await;
    assert_eq!(problem(&keyless).0, "idempotency-key");
}

#[tokio::test]
async fn what_nobody_may_promise_is_a_no_with_a_reason_for_every_store() {
    let pair = market().await;
    let no = pair.hub.post("/v1/orders", "o", bread(11)).await.expect(200);
    assert_eq!((&no["outcome"], &no["order"], &no["code"]), (&json!("no"), &Value::Null, &Value::Null), "{no}");
    assert_eq!(no["plan"]["candidates"][0]["store"], 1);
    assert!(!no["plan"]["candidates"][0]["why"].as_str().unwrap().is_empty(), "{no}");
    assert_eq!(no["plan"]["missing"][0]["sku"], "BREAD", "{no}");
    let less = pair.hub.post("/v1/orders", "o", bread(11)).await.expect(200);
    assert_eq!(less["outcome"], "no", "after a no the same key may be used again");
    let mut part = bread(11);
    part["partial"] = json!(true);
    let made = pair.hub.post("/v1/orders", "p", part).await.expect(201);
    let whole = pair.hub.get(&format!("/v1/orders/{}", made["order"].as_str().unwrap())).await.expect(200);
    assert_eq!((&whole["lines"][0]["open"], &whole["lines"][0]["failed"]), (&json!(10), &json!(1)), "{whole}");
    assert_eq!(pair.hub.post("/v1/orders", "q", bread(1)).await.expect(200)["outcome"], "no", "all of it is promised");
}

#[tokio::test]
async fn the_same_request_ten_times_is_one_order_one_handover_and_one_wrong_code() {
    let pair = market().await;
    let mut seen = Vec::new();
    for _ in 0..10 {
        let made = pair.hub.post("/v1/orders", "same", bread(1)).await.json();
        seen.push((made["order"].clone(), made["code"].clone()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(pair.hub.get("/v1/orders").await.expect(200)["items"].as_array().unwrap().len(), 1);
    let other = pair.hub.post("/v1/orders", "same", bread(2)).await;
    assert_eq!(problem(&other).0, "key-reused");
    let (order, code) = (seen[0].0.as_str().unwrap().to_owned(), seen[0].1.as_str().unwrap().to_owned());
    make_ready(&pair, &order).await;
    let path = format!("/v1/fulfillments/{order}/hand-over");
    for _ in 0..10 {
        let wrong = pair.store.post(&path, "wrong", json!({ "code": "nothing" })).await;
        assert_eq!((problem(&wrong).0.as_str(), &wrong.json()["tries_left"]), ("wrong-code", &json!(4)));
    }
    assert_eq!(pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200)["wrong_codes"], 1);
    for _ in 0..10 {
        pair.store.post(&path, "right", json!({ "code": code })).await.expect(200);
    }
    assert_eq!(on_hand(&pair).await, 9);
    for _ in 0..10 {
        let wish = pair.hub.post(&format!("/v1/orders/{order}/cancel"), "late", json!({ "note": "late" })).await;
        assert_eq!(problem(&wish).0, "handed-over");
    }
    let reasons = pair.hub.get(&format!("/v1/orders/{order}")).await.expect(200);
    assert_eq!((&reasons["state"], &reasons["compensations"]), (&json!("completed"), &json!([])), "{reasons}");
}

#[tokio::test]
async fn a_wrong_code_is_counted_and_after_five_a_manager_decides() {
    let pair = market().await;
    let (order, code) = placed(&pair, "o", bread(1)).await;
    make_ready(&pair, &order).await;
    let none = act(&pair, &order, "hand-over", json!({ "staff": "ben" })).await;
    assert_eq!(problem(&none), ("invalid-field".into(), Some("code".into())), "{}", none.text());
    for left in (0..5).rev() {
        let wrong = act(&pair, &order, "hand-over", json!({ "code": format!("wrong{left}"), "staff": "ben" })).await;
        assert_eq!(problem(&wrong), ("wrong-code".into(), Some("code".into())));
        assert_eq!(wrong.expect(422)["tries_left"], left);
    }
    let locked = act(&pair, &order, "hand-over", json!({ "code": code, "staff": "ben" })).await;
    assert!(locked.expect(409)["detail"].as_str().unwrap().contains("a manager decides"), "{}", locked.text());
    assert_eq!(on_hand(&pair).await, 10);
    let both = act(&pair, &order, "hand-over", json!({ "code": code, "approver": "eve" })).await;
    assert_eq!(problem(&both).1.as_deref(), Some("approver"));
    act(&pair, &order, "hand-over", json!({ "approver": "eve", "staff": "ben" })).await.expect(200);
    let steps = pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200)["steps"].clone();
    let said: Vec<_> = steps.as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(said.iter().filter(|step| **step == "wrong-code").count(), 5, "each try is written down");
    assert_eq!(steps.as_array().unwrap().last().unwrap()["note"], "manager eve");
}

#[tokio::test]
async fn a_second_handover_says_when_and_where_the_first_one_was() {
    let pair = market().await;
    let (order, code) = placed(&pair, "o", bread(1)).await;
    make_ready(&pair, &order).await;
    act(&pair, &order, "hand-over", json!({ "code": code, "device": 1 })).await.expect(200);
    let again = act(&pair, &order, "hand-over", json!({ "code": code, "device": 2 })).await;
    let body = again.expect(409);
    assert_eq!((problem(&again).0.as_str(), &body["store"]), ("handed-over", &json!(1)));
    assert!(
        body["at"].as_str().unwrap().starts_with("20") && body["detail"].as_str().unwrap().contains("at store 1"),
        "{body}"
    );
    assert_eq!(on_hand(&pair).await, 9);
}

#[tokio::test]
async fn a_cancel_of_what_was_handed_over_is_refused_and_the_wish_stays() {
    let pair = market().await;
    let (order, code) = placed(&pair, "o", bread(1)).await;
    make_ready(&pair, &order).await;
    act(&pair, &order, "hand-over", json!({ "code": code })).await.expect(200);
    let late = pair.hub.post(&format!("/v1/orders/{order}/cancel"), "c", json!({ "note": "too late" })).await;
    let body = late.expect(409);
    assert_eq!((problem(&late).0.as_str(), &body["store"]), ("handed-over", &json!(1)));
    assert!(body["detail"].as_str().unwrap().contains("the wish is written down"), "{body}");
    let follow = call(&pair.hub.local, Method::GET, "/v1/events", &[], Vec::new());
    let work = async {
        tokio::task::yield_now().await;
        pair.hub.post(&format!("/v1/orders/{order}/cancel"), "c2", json!({ "note": "really" })).await.expect(409);
        pair.hub.stop.send_replace(true);
    };
    let (stream, ()) = tokio::join!(follow, work);
    for kind in ["order.cancel-asked", "order.attempt-refused"] {
        assert!(stream.text().contains(&format!("dev.stockroom.{kind}\"")), "{kind} is not in {}", stream.text());
    }
    let whole = pair.hub.get(&format!("/v1/orders/{order}")).await.expect(200);
    assert_eq!((&whole["state"], &whole["compensations"]), (&json!("completed"), &json!([])));
}

#[tokio::test]
async fn passes_that_are_forged_or_torn_change_nothing() {
    let pair = market().await;
    let (order, _) = placed(&pair, "o", bread(1)).await;
    let pass = pair.hub.post(&format!("/v1/orders/{order}/pass"), "p", json!({})).await.expect(201);
    let text = pass["pass"].as_str().unwrap();
    // The signature stands at the end.
    let at = text.len() - 6;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    let reply = pair.store.post("/v1/passes/verify", "f", json!({ "pass": forged })).await;
    assert_eq!(problem(&reply).0, "pass-refused", "{}", reply.text());
    assert!(reply.json()["detail"].as_str().unwrap().contains("not genuine"));
    let handed = act(&pair, &order, "hand-over", json!({ "pass": forged })).await;
    assert_eq!(problem(&handed).0, "pass-refused", "{}", handed.text());
    for (at, torn) in ["", "no pass", "SR:ABC.", &text[..text.len() - 8]].into_iter().enumerate() {
        let reply = pair.store.post("/v1/passes/verify", &format!("torn{at}"), json!({ "pass": torn })).await;
        assert_eq!(problem(&reply), ("invalid-field".into(), Some("pass".into())), "{torn}: {}", reply.text());
    }
    let at_hub = pair.hub.post("/v1/passes/verify", "h", json!({ "pass": text })).await;
    assert_eq!(problem(&at_hub).0, "not-here");
    assert_eq!(on_hand(&pair).await, 10);
    assert_eq!(pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200)["state"], "offered");
}

#[tokio::test]
async fn a_pass_that_ran_out_or_is_for_another_store_is_refused_with_where_to_go() {
    let pair = market().await;
    for (store, until_ms, word) in [(1, 1_000, "ran out"), (2, u64::MAX / 2, "for store 2")] {
        let (order, _) = placed(&pair, &format!("o{store}"), bread(1)).await;
        let pass =
            pair.hub.post(&format!("/v1/orders/{order}/pass"), &format!("p{store}"), json!({})).await.expect(201);
        let text = resigned(pass["pass"].as_str().unwrap(), store, until_ms);
        for (path, body) in [
            ("/v1/passes/verify".to_owned(), json!({ "pass": text })),
            (format!("/v1/fulfillments/{order}/hand-over"), json!({ "pass": text, "staff": "ben" })),
        ] {
            let reply = pair.store.post(&path, &format!("v{store}"), body).await;
            assert_eq!(problem(&reply).0, "pass-refused", "{}", reply.text());
            assert!(reply.json()["detail"].as_str().unwrap().contains(word), "{}", reply.text());
        }
        assert_eq!(pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200)["state"], "offered");
    }
    assert_eq!(on_hand(&pair).await, 10);
}

/// The pass with another store and end, signed by the hub of these tests.
fn resigned(text: &str, store: u32, until_ms: u64) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use stockroom_crdt::capability::Signer;
    use stockroom_crdt::ids::{StoreId, TenantId};
    use stockroom_crdt::order::pass::{Pass, SignedPass};
    let pass = SignedPass::from_bytes(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap().pass;
    let pass = Pass { store: StoreId(store), until_ms, ..pass };
    URL_SAFE_NO_PAD.encode(pass.sign(TenantId([0; 16]), &Signer::from_seed(&[1; 32])).to_bytes())
}

#[tokio::test]
async fn what_is_not_known_or_not_said_here_is_told_apart() {
    let pair = market().await;
    let (order, _) = placed(&pair, "o", bread(1)).await;
    let path = |what: &str| format!("/v1/orders/{order}{what}");
    let cases = [
        (pair.hub.get("/v1/orders/1-0000000001").await, "not-found", None),
        (pair.hub.get("/v1/orders/9-0000000001").await, "not-found", None),
        (pair.hub.get("/v1/orders/17").await, "invalid-field", Some("id")),
        (pair.hub.get("/v1/orders?state=lost-in-space").await, "invalid-field", Some("state")),
        (pair.hub.get("/v1/orders?store=9").await, "unknown-reference", Some("store")),
        (pair.hub.get("/v1/orders?after=x").await, "invalid-field", Some("after")),
        (pair.store.get(&path("")).await, "not-here", None),
        (pair.store.post(&path("/cancel"), "a", json!({})).await, "not-found", None),
        (pair.hub.post(&path("/dance"), "b", json!({})).await, "invalid-field", Some("action")),
        (pair.hub.post(&path("/choice"), "c", json!({ "note": "luck" })).await, "invalid-field", Some("note")),
        (pair.hub.post(&path("/choice"), "d", json!({ "stores": [9] })).await, "unknown-reference", Some("stores[0]")),
        (pair.hub.post(&path("/risk-refund"), "e", json!({})).await, "invalid-field", Some("note")),
        (
            pair.hub.post(&path("/cancel"), "f", json!({ "lines": [{ "line": 0, "quantity": 1 }] })).await,
            "invalid-field",
            Some("lines[0].line"),
        ),
        (
            pair.hub.post(&path("/cancel"), "g", json!({ "lines": [{ "line": 2, "quantity": 1 }] })).await,
            "unknown-reference",
            Some("lines[0].line"),
        ),
        (
            pair.hub.post(&path("/cancel"), "h", json!({ "lines": [{ "line": 1, "quantity": 2 }] })).await,
            "invalid-field",
            Some("lines[0].quantity"),
        ),
        (
            pair.hub.post(&path("/payments"), "i", json!({ "authorised": 1, "captured": 1 })).await,
            "invalid-field",
            Some("captured"),
        ),
        (pair.hub.post(&path(&format!("/compensations/{}", "0".repeat(32))), "j", json!({})).await, "not-found", None),
        (pair.hub.post(&path("/compensations/7"), "k", json!({})).await, "invalid-field", Some("compensation")),
        (pair.hub.get("/v1/fulfillments").await, "invalid-field", Some("store")),
        (pair.store.get("/v1/fulfillments?phone=12").await, "invalid-field", Some("phone")),
        (pair.store.get("/v1/fulfillments?state=lost-in-space").await, "invalid-field", Some("state")),
        (pair.store.get("/v1/fulfillments/1-0000000001").await, "not-found", None),
        (pair.store.get("/v1/fulfillments/1-0000000001/contact?staff=x").await, "not-found", None),
        (pair.store.get("/v1/pick-lists?orders=1-0000000001").await, "not-found", None),
        (pair.store.get("/v1/pick-lists?orders=x").await, "invalid-field", Some("orders")),
        (act(&pair, "1-0000000001", "accept", json!({})).await, "not-found", None),
        (act(&pair, &order, "stand-down", json!({})).await, "invalid-field", Some("action")),
        (act(&pair, &order, "refuse", json!({})).await, "invalid-field", Some("note")),
        (act(&pair, &order, "accept", json!({ "code": "1" })).await, "invalid-field", Some("code")),
        (act(&pair, &order, "accept", json!({ "scan": "1" })).await, "invalid-field", Some("scan")),
        (
            act(&pair, &order, "pick", json!({ "lines": [{ "line": 7, "quantity": 1 }] })).await,
            "unknown-reference",
            Some("lines[0].line"),
        ),
        (act(&pair, &order, "ready", json!({})).await, "conflict", None),
        (
            pair.hub.post(&format!("/v1/fulfillments/{order}/accept"), "l", json!({ "store": 1 })).await,
            "not-here",
            None,
        ),
    ];
    for (at, (reply, kind, field)) in cases.iter().enumerate() {
        assert_eq!(problem(reply), ((*kind).into(), field.map(str::to_owned)), "case {at}: {}", reply.text());
    }
    let same = pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200);
    assert_eq!(
        (&same["state"], same["steps"].as_array().unwrap().len()),
        (&json!("offered"), 0),
        "nothing was written"
    );
}

#[tokio::test]
async fn a_refused_pickup_waits_for_the_customers_choice() {
    let pair = market().await;
    let (order, _) = placed(&pair, "o", bread(2)).await;
    act(&pair, &order, "refuse", json!({ "note": "closing", "staff": "anna" })).await.expect(200);
    let path = format!("/v1/orders/{order}");
    let waiting = pair.hub.get(&path).await.expect(200);
    assert_eq!((&waiting["state"], &waiting["lines"][0]["unplaced"]), (&json!("waiting"), &json!(2)), "{waiting}");
    assert_eq!(pair.hub.get(&format!("{path}/tracking")).await.expect(200)["state"], "question");
    let listed = pair.hub.get("/v1/orders?state=waiting").await.expect(200);
    assert_eq!(listed["items"][0]["unplaced"], 2);
    let chosen = pair.hub.post(&format!("{path}/choice"), "c", json!({ "note": "cancel" })).await.expect(200);
    assert_eq!(chosen["did"], "choice");
    let whole = pair.hub.get(&path).await.expect(200);
    assert_eq!((&whole["open"], &whole["compensations"][0]["amount"]), (&json!(false), &json!(500)), "{whole}");
}
