//! Reserving goods through the API: who gets them, what becomes of them, and everything that is refused.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, Reply, call, start};
use super::work::{sale, stocked};

/// Goods may be promised by the usual rule, and so many pieces of bread are on the shelf.
async fn with_bread(pieces: i64) -> Pair {
    let pair = stocked().await;
    set_rule(&pair, "usual", json!({ "allocation": "proportional", "lead_min": 0 })).await;
    let receipt = json!({ "lines": [{ "sku": "BREAD", "quantity": pieces }] });
    pair.store.post("/v1/goods-receipts", "bread", receipt).await.expect(201);
    pair
}

async fn set_rule(pair: &Pair, key: &str, rule: Value) -> Value {
    pair.hub.send(Method::PUT, "/v1/policies", Some(key), rule).await.expect(200)
}

fn wish(quantity: i64) -> Value {
    json!({ "sku": "BREAD", "quantity": quantity, "channel": "pickup" })
}

fn problem(reply: &Reply) -> (String, Option<String>) {
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{}", reply.text());
    let body = reply.json();
    let kind = body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned();
    (kind, body["field"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn goods_are_reserved_confirmed_picked_and_handed_over() {
    let pair = with_bread(10).await;
    let made = pair.hub.post("/v1/reservations", "r1", wish(1)).await.expect(201);
    assert_eq!((&made["outcome"], &made["store"], &made["quantity"]), (&json!("hard"), &json!(1), &json!(1)));
    assert_eq!(made["considered"][0]["on_hand"], 10);
    assert!(made["why"].as_str().unwrap().contains("store 1"), "{made}");
    let again = pair.hub.post("/v1/reservations", "r1", wish(1)).await;
    assert_eq!(
        (again.expect(200)["id"].clone(), &again.headers["idempotent-replay"]),
        (made["id"].clone(), &"true".parse().unwrap())
    );
    let path = format!("/v1/reservations/{}", made["id"].as_str().unwrap());
    let held = pair.store.get(&path).await.expect(200);
    assert_eq!((&held["state"], &held["sku"], &held["made_by"]), (&json!("held"), &json!("BREAD"), &json!("1.1")));
    let confirmed = pair.hub.post(&format!("{path}/confirm"), "c", json!({ "staff": "ann" })).await.expect(200);
    assert_eq!((&confirmed["did"], &confirmed["reservation"]["state"]), (&json!("confirmed"), &json!("confirmed")));
    for (action, state) in [("pick", "picked"), ("put-back", "confirmed"), ("pick", "picked"), ("fulfil", "fulfilled")]
    {
        let key = format!("{action}-{state}-{}", pair.store.get(&path).await.json()["steps"].as_array().unwrap().len());
        let done = pair.store.post(&format!("{path}/{action}"), &key, json!({ "staff": "joe", "note": "bay 7" })).await;
        assert_eq!(done.expect(200)["reservation"]["state"], state, "{action}");
    }
    let at_hub = pair.hub.get(&path).await.expect(200);
    assert_eq!(at_hub["state"], "fulfilled");
    let steps: Vec<_> = at_hub["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["confirmed", "put-back", "picked", "fulfilled"]);
    assert_eq!((&at_hub["steps"][0]["staff"], &at_hub["steps"][3]["by"]), (&json!("ann"), &json!("2.1")));
    assert_eq!(pair.hub.get("/v1/stock/BREAD?store=1").await.expect(200)["on_hand"], 9);
    let late = pair.hub.post(&format!("{path}/confirm"), "late", json!({})).await;
    assert_eq!(problem(&late), ("conflict".into(), None));
    assert!(late.json()["detail"].as_str().unwrap().contains("is fulfilled"), "{}", late.text());
}

#[tokio::test]
async fn a_release_is_asked_for_where_it_was_made_and_decided_where_the_goods_are() {
    let pair = with_bread(6).await;
    let first = pair.hub.post("/v1/reservations", "r1", wish(1)).await.expect(201);
    let path = |made: &Value| format!("/v1/reservations/{}", made["id"].as_str().unwrap());
    let asked = pair.hub.post(&format!("{}/release", path(&first)), "a", json!({})).await.expect(200);
    assert_eq!(asked["did"], "release-asked");
    assert_eq!(pair.hub.get(&path(&first)).await.expect(200)["state"], "released", "the store has answered");
    let second = pair.hub.post("/v1/reservations", "r2", wish(1)).await.expect(201);
    let decided = pair.store.post(&format!("{}/release", path(&second)), "b", json!({})).await.expect(200);
    assert_eq!((&decided["did"], &decided["reservation"]["state"]), (&json!("released"), &json!("released")));
    let refused = pair.hub.post(&format!("{}/confirm", path(&second)), "c", json!({})).await;
    assert!(refused.expect(409)["detail"].as_str().unwrap().contains("is released"), "{}", refused.text());
    // Only its maker confirms, only the store hands over.
    let third = pair.hub.post("/v1/reservations", "r3", wish(1)).await.expect(201);
    let elsewhere = pair.store.post(&format!("{}/confirm", path(&third)), "d", json!({})).await;
    assert_eq!(problem(&elsewhere).0, "not-here");
    assert_eq!(problem(&pair.hub.post(&format!("{}/fulfil", path(&third)), "e", json!({})).await).0, "not-here");
    let open = pair.hub.get("/v1/reservations?state=open&store=1&sku=BREAD").await.expect(200);
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    assert_eq!(open["items"][0]["id"], third["id"]);
    let page = pair.hub.get("/v1/reservations?limit=2").await.expect(200);
    let rest = pair.hub.get(&format!("/v1/reservations?after={}", page["next"].as_str().unwrap())).await.expect(200);
    assert_eq!((page["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 1));
}

#[tokio::test]
async fn nothing_is_promised_twice_and_a_no_says_why() {
    let pair = with_bread(2).await;
    let mut hard = 0;
    for n in 0..5 {
        for (who, node) in [("hub", &pair.hub), ("store", &pair.store)] {
            let answer = node.post("/v1/reservations", &format!("{who}{n}"), wish(1)).await;
            let body = answer.json();
            match answer.status.as_u16() {
                201 => hard += 1,
                200 => {
                    assert_eq!((&body["outcome"], &body["id"]), (&json!("no"), &Value::Null));
                    assert!(!body["considered"][0]["why"].as_str().unwrap().is_empty(), "{body}");
                }
                other => panic!("{other}: {body}"),
            }
        }
    }
    assert_eq!(hard, 2);
    let none = pair.hub.post("/v1/reservations", "none", wish(1)).await.expect(200);
    assert_eq!((&none["retry_after_ms"], &none["asked"]), (&Value::Null, &Value::Null), "{none}");
    let apples = json!({ "sku": "APPLE", "quantity": 500, "channel": "delivery" });
    let no_goods = pair.hub.post("/v1/reservations", "apples", apples).await.expect(200);
    assert_eq!(no_goods["outcome"], "no");
    let figures = pair.hub.get("/metrics").await;
    assert!(figures.text().contains("stockroom_reservations_total{outcome=\"no\"}"), "{}", figures.text());
}

#[tokio::test]
async fn who_holds_too_few_rights_asks_and_gets_them_within_the_time_it_waits() {
    let all = json!({ "sku": "BREAD", "quantity": 4, "channel": "pickup" });
    let pair = with_bread(4).await;
    let poor = poorer(&pair).await;
    let first = poor.post("/v1/reservations", "all", all.clone()).await.expect(200);
    assert_eq!((&first["outcome"], &first["asked"]), (&json!("no"), &json!([1])), "{first}");
    assert!(first["retry_after_ms"].as_u64().unwrap() > 0);
    let second = poor.post("/v1/reservations", "all", all.clone()).await.expect(201);
    assert_eq!(second["outcome"], "hard", "after a no the same key may be used again");
    let pair = with_bread(4).await;
    let mut patient = all;
    patient["wait_ms"] = json!(5_000);
    let made = poorer(&pair).await.post("/v1/reservations", "all", patient).await.expect(201);
    assert_eq!(made["outcome"], "hard");
}

/// The node that holds fewer rights to bread.
async fn poorer(pair: &Pair) -> &super::pair::Node {
    let seen = pair.hub.get("/v1/availability?sku=BREAD").await.expect(200);
    let item = &seen["items"][0];
    let (hub, store) = (item["available_here"].as_u64().unwrap(), item["elsewhere"].as_u64().unwrap());
    assert_eq!(hub + store, 4, "{item}");
    if hub < store { &pair.hub } else { &pair.store }
}

#[tokio::test]
async fn a_till_takes_what_was_promised_and_the_victim_is_named_and_compensated() {
    let pair = with_bread(1).await;
    let made = match pair.hub.post("/v1/reservations", "r", wish(1)).await {
        reply if reply.status.as_u16() == 201 => reply.json(),
        // Its asking has brought the right.
        _ => pair.hub.post("/v1/reservations", "r", wish(1)).await.expect(201),
    };
    let bread = json!([{ "sku": "BREAD", "quantity": 1 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(1, bread, 250)).await.expect(201);
    let path = format!("/v1/reservations/{}", made["id"].as_str().unwrap());
    for node in [&pair.store, &pair.hub] {
        let broken = node.get(&path).await.expect(200);
        assert_eq!(broken["state"], "shorted", "{broken}");
        assert_eq!(broken["shortage"]["victims"], json!([made["id"]]), "{broken}");
        assert_eq!((&broken["shortage"]["on_hand"], &broken["compensation"]["remedy"]), (&json!(0), &json!("refund")));
    }
    let tasks = pair.hub.get("/v1/tasks").await.expect(200);
    assert_eq!(tasks["compensations"][0]["reservation"], made["id"]);
    assert_eq!(tasks["compensations"][0]["compensation"]["remedy"], "refund");
    assert_eq!((&tasks["counts"][0]["sku"], &tasks["counts"][0]["store"]), (&json!("BREAD"), &json!(1)));
    let why = pair.store.get("/v1/stock/BREAD/history").await.expect(200);
    let told: Vec<_> =
        why["rights"]["entries"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    for part in ["rights made from goods", "used for a promise", "1 promised (hard)", "so these are broken", "a refund"]
    {
        assert!(told.iter().any(|what| what.contains(part)), "{part} is not in {told:#?}");
    }
    let first_made = told.iter().position(|what| what.contains("made from goods"));
    let broken = told.iter().position(|what| what.contains("so these are broken"));
    assert!(broken < first_made, "the newest comes first: {told:#?}");
}

#[tokio::test]
async fn goods_that_nobody_finds_break_the_promise_and_call_for_a_count() {
    let pair = with_bread(5).await;
    let made = pair.hub.post("/v1/reservations", "r", wish(1)).await.expect(201);
    let path = format!("/v1/reservations/{}/not-found", made["id"].as_str().unwrap());
    let done = pair.store.post(&path, "n", json!({ "staff": "joe" })).await.expect(200);
    assert_eq!((&done["did"], &done["reservation"]["state"]), (&json!("not-found"), &json!("shorted")));
    let tasks = pair.store.get("/v1/tasks").await.expect(200);
    let reasons = tasks["counts"][0]["reasons"].to_string();
    assert!(reasons.contains("did not find"), "{tasks}");
}

#[tokio::test]
async fn what_can_be_promised_is_told_per_store_with_its_age() {
    let pair = with_bread(10).await;
    let before = pair.hub.get("/v1/availability?sku=BREAD").await.expect(200);
    let here = before["items"][0]["available_here"].as_u64().unwrap();
    let elsewhere = before["items"][0]["elsewhere"].as_u64().unwrap();
    assert_eq!((here + elsewhere, &before["items"][0]["on_hand"]), (10, &json!(10)), "{before}");
    assert_eq!((&before["items"][0]["can_promise"], &before["unit"]), (&json!("hard"), &json!("each")));
    let ask = pair.hub.get(&format!("/v1/availability?sku=BREAD&quantity={}", here + 1)).await.expect(200);
    assert_eq!(ask["items"][0]["can_promise"], if elsewhere > here { "ask" } else { "no" });
    pair.hub.post("/v1/reservations", "r", wish(1)).await.expect(201);
    let after = pair.hub.get("/v1/availability?sku=BREAD&store=1&near=52.5,13.4&channel=pickup").await.expect(200);
    let item = &after["items"][0];
    assert_eq!((&item["promised"], item["available_here"].as_u64()), (&json!(1), Some(here - 1)), "{item}");
    assert!(item["confidence"].as_f64().unwrap() > 0.9 && item["age_s"].as_u64().is_some(), "{item}");
    let own = pair.store.get("/v1/availability?sku=BREAD").await.expect(200);
    assert_eq!((&own["items"][0]["confidence"], &own["items"][0]["confidence_word"]), (&json!(1.0), &json!("now")));
    let none = pair.hub.get("/v1/availability?sku=MILK").await.expect(200);
    assert_eq!((&none["items"][0]["can_promise"], &none["items"][0]["available_here"]), (&json!("no"), &json!(0)));
    for (query, kind, field) in [
        ("", "bad-request", None),
        ("?sku=GHOST", "unknown-reference", Some("sku")),
        ("?sku=BREAD&store=9", "unknown-reference", Some("store")),
        ("?sku=BREAD&near=91,0", "invalid-field", Some("near.lat")),
        ("?sku=BREAD&near=here", "invalid-field", Some("near")),
        ("?sku=BREAD&channel=till", "invalid-field", Some("channel")),
        ("?sku=BREAD&quantity=0", "invalid-field", Some("quantity")),
    ] {
        let reply = pair.hub.get(&format!("/v1/availability{query}")).await;
        assert_eq!(problem(&reply), (kind.into(), field.map(str::to_owned)), "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn rights_are_shown_row_by_row() {
    let pair = with_bread(10).await;
    pair.hub.post("/v1/reservations", "r", wish(2)).await.expect(201);
    let at_home = pair.store.get("/v1/rights/BREAD").await.expect(200);
    let store = &at_home["stores"][0];
    assert_eq!((&store["goods"]["minted"], &store["goods"]["open"]), (&json!(10), &json!(2)), "{store}");
    assert_eq!((&store["goods"]["liability"], &store["exposed_at_most"]), (&json!(10), &json!(10)));
    let rows = store["goods"]["rows"].as_array().unwrap();
    let sum = |name: &str| rows.iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("held"), sum("used"), sum("minted")), (8, 2, 10));
    let home = rows.iter().find(|row| row["actor"] == "2.1").unwrap();
    assert_eq!((&home["at_store"], &home["grants"][0]["to"]), (&json!(1), &json!("1.1")));
    let at_hub = pair.hub.get("/v1/rights/BREAD?store=1").await.expect(200);
    assert_eq!(
        (&at_hub["stores"][0]["goods"], &at_hub["stores"][0]["exposed_at_most"]),
        (&store["goods"], &Value::Null)
    );
    assert_eq!(pair.hub.get("/v1/rights/MILK").await.expect(200)["stores"], json!([]));
    assert_eq!(problem(&pair.hub.get("/v1/rights/GHOST").await).0, "not-found");
}

#[tokio::test]
async fn rules_are_set_in_percent_and_taken_back() {
    let pair = stocked().await;
    assert_eq!(pair.hub.get("/v1/policies").await.expect(200)["items"], json!([]));
    let all = set_rule(&pair, "all", json!({ "allocation": "littlewood", "risk_percent": 0.5, "hold_min": 20 })).await;
    assert_eq!((&all["risk_percent"], &all["hold_min"], &all["lead_min"]), (&json!(0.5), &json!(20.0), &json!(30.0)));
    set_rule(&pair, "bread", json!({ "sku": "BREAD", "allocation": "hub-only", "safety": 3 })).await;
    let held = pair.store.get("/v1/policies").await.expect(200);
    assert_eq!(held["items"].as_array().unwrap().len(), 2);
    let delete = async |query: &str| {
        call(&pair.hub.local, Method::DELETE, &format!("/v1/policies{query}"), &[], Vec::new()).await
    };
    let removed = delete("?sku=BREAD").await.expect(200);
    assert_eq!(removed["now"]["allocation"], "littlewood", "the wider rule holds again");
    assert_eq!(problem(&delete("?sku=BREAD").await).0, "not-found");
    assert_eq!(delete("").await.expect(200)["now"], Value::Null);
    assert_eq!(pair.store.get("/v1/policies").await.expect(200)["items"], json!([]));
    for (rule, kind, field) in [
        (json!({ "allocation": "generous" }), "invalid-field", "allocation"),
        (json!({ "allocation": "static", "risk_percent": 101 }), "invalid-field", "risk_percent"),
        (json!({ "allocation": "static", "soft_percent": -1 }), "invalid-field", "soft_percent"),
        (json!({ "allocation": "static", "hold_min": 0 }), "invalid-field", "hold_min"),
        (json!({ "allocation": "static", "lead_min": 99_999 }), "invalid-field", "lead_min"),
        (json!({ "allocation": "static", "sku": "GHOST" }), "unknown-reference", "sku"),
        (json!({ "allocation": "static", "sku": "BREAD", "department": "d" }), "invalid-field", "department"),
        (json!({ "allocation": "static", "department": "" }), "invalid-field", "department"),
        (json!({ "allocation": "static", "safety": -1 }), "invalid-field", "safety"),
        (json!({}), "invalid-field", "allocation"),
    ] {
        let reply =
            pair.hub.send(Method::PUT, "/v1/policies", Some(&rule.to_string().replace('"', "'")), rule.clone()).await;
        assert_eq!(problem(&reply), (kind.into(), Some(field.into())), "{rule}: {}", reply.text());
    }
    let at_store = pair.store.send(Method::PUT, "/v1/policies", Some("k"), json!({ "allocation": "static" })).await;
    assert_eq!(problem(&at_store).0, "not-here");
}

#[tokio::test]
async fn a_wrong_wish_names_its_field_and_nothing_is_promised() {
    let pair = with_bread(10).await;
    let with = |field: &str, value: Value| {
        let mut body = wish(1);
        body[field] = value;
        body
    };
    let many: Vec<u32> = vec![1; 65];
    let cases = [
        (with("sku", json!("GHOST")), "unknown-reference", "sku"),
        (with("sku", json!("no sku")), "invalid-field", "sku"),
        (with("quantity", json!(0)), "invalid-field", "quantity"),
        (with("quantity", json!(-1)), "invalid-field", "quantity"),
        (with("quantity", json!(10_000_001)), "invalid-field", "quantity"),
        (with("quantity", json!(1.5)), "invalid-field", "quantity"),
        (with("quantity", json!(u64::MAX)), "invalid-field", "quantity"),
        (with("unit", json!("gram")), "invalid-field", "unit"),
        (with("unit", json!("litre")), "invalid-field", "unit"),
        (with("stores", json!([1, 9])), "unknown-reference", "stores[1]"),
        (with("stores", json!(many)), "invalid-field", "stores"),
        (with("channel", json!("till")), "invalid-field", "channel"),
        (with("channel", json!("drone")), "invalid-field", "channel"),
        (with("wanted_by", json!("2020-01-01T00:00:00Z")), "invalid-field", "wanted_by"),
        (with("wanted_by", json!("2999-01-01T00:00:00Z")), "invalid-field", "wanted_by"),
        (with("wanted_by", json!("tomorrow")), "invalid-field", "wanted_by"),
        (with("hold_s", json!(0)), "invalid-field", "hold_s"),
        (with("hold_s", json!(604_801)), "invalid-field", "hold_s"),
        (with("priority", json!(256)), "invalid-field", "priority"),
        (with("wait_ms", json!(5_001)), "invalid-field", "wait_ms"),
        (with("reference", json!("x".repeat(33))), "invalid-field", "reference"),
        (with("near", json!({ "lat": 91.0, "lon": 0.0 })), "invalid-field", "near.lat"),
        (with("near", json!({ "lat": 0.0, "lon": 181.0 })), "invalid-field", "near.lon"),
        (with("near", json!({ "lat": 0.0 })), "invalid-field", "near.lon"),
        (with("colour", json!("red")), "invalid-field", "colour"),
        (json!({ "quantity": 1, "channel": "pickup" }), "invalid-field", "sku"),
        (json!({ "sku": "BREAD", "quantity": 1 }), "invalid-field", "channel"),
    ];
    for (n, (body, kind, field)) in cases.into_iter().enumerate() {
        for node in [&pair.hub, &pair.store] {
            let reply = node.post("/v1/reservations", &format!("k{n}"), body.clone()).await;
            assert_eq!(problem(&reply), (kind.into(), Some(field.into())), "{body}: {}", reply.text());
        }
    }
    let unit = pair.hub.post("/v1/reservations", "unit", with("unit", json!("gram"))).await.json();
    let words = unit["detail"].as_str().unwrap();
    assert!(words.contains("each") && words.contains("gram"), "both units are named: {words}");
    let no_key = pair.hub.send(Method::POST, "/v1/reservations", None, wish(1)).await;
    assert_eq!(problem(&no_key).0, "idempotency-key");
    assert_eq!(pair.hub.get("/v1/reservations").await.expect(200)["items"], json!([]));
    let id = "/v1/reservations/1.1-00000000000000ff";
    for (method, path, kind) in [
        (Method::GET, id.to_owned(), "not-found"),
        (Method::POST, format!("{id}/confirm"), "not-found"),
        (Method::POST, format!("{id}/eat"), "invalid-field"),
        (Method::GET, "/v1/reservations/17".into(), "invalid-field"),
        (Method::GET, "/v1/reservations?state=lost".into(), "invalid-field"),
        (Method::GET, "/v1/reservations?store=9".into(), "unknown-reference"),
        (Method::GET, "/v1/reservations?after=1.1-00000000000000ff".into(), "unknown-reference"),
        (Method::GET, "/v1/tasks?store=9".into(), "unknown-reference"),
        (Method::GET, "/v1/exports/sales?store=9".into(), "unknown-reference"),
    ] {
        let reply = match method {
            Method::GET => pair.hub.get(&path).await,
            _ => pair.hub.post(&path, "k", json!({})).await,
        };
        assert_eq!(problem(&reply).0, kind, "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn goods_without_a_rule_or_under_a_recall_are_not_promised() {
    let pair = stocked().await;
    pair.store
        .post("/v1/goods-receipts", "g", json!({ "lines": [{ "sku": "BREAD", "quantity": 5 }] }))
        .await
        .expect(201);
    let none = pair.hub.post("/v1/reservations", "a", wish(1)).await.expect(200);
    assert_eq!(none["considered"][0]["why"], "no rule says that it may be promised");
    set_rule(&pair, "r", json!({ "allocation": "hub-only", "lead_min": 0 })).await;
    let recall = json!({ "active": true, "reason": "glass" });
    pair.hub.send(Method::PUT, "/v1/products/BREAD/recall", Some("x"), recall).await.expect(200);
    let recalled = pair.hub.post("/v1/reservations", "b", wish(1)).await.expect(200);
    assert_eq!(recalled["considered"][0]["why"], "recalled: glass");
    let lifted = json!({ "active": false, "reason": "glass" });
    pair.hub.send(Method::PUT, "/v1/products/BREAD/recall", Some("y"), lifted).await.expect(200);
    pair.hub.post("/v1/reservations", "c", wish(1)).await.expect(201);
}

#[tokio::test]
async fn owners_consent_at_the_store_and_nodes_are_written_off_at_the_hub() {
    let pair = with_bread(10).await;
    let consent = json!({ "owner": "dairy", "share_percent": 30, "document": "C-1" });
    let given = pair.store.post("/v1/consents", "c", consent.clone()).await.expect(201);
    assert_eq!((&given["share_percent"], &given["store"]), (&json!(30.0), &json!(1)));
    assert_eq!(problem(&pair.hub.post("/v1/consents", "c", consent).await).0, "not-here");
    for (body, kind, field) in [
        (json!({ "owner": "", "share_percent": 1 }), "invalid-field", "owner"),
        (json!({ "owner": "dairy", "share_percent": 101 }), "invalid-field", "share_percent"),
        (json!({ "owner": "dairy", "share_percent": 1, "sku": "GHOST" }), "unknown-reference", "sku"),
    ] {
        let reply = pair.store.post("/v1/consents", "k", body).await;
        assert_eq!(problem(&reply), (kind.into(), Some(field.into())), "{}", reply.text());
    }
    let held = pair.hub.get("/v1/rights/BREAD").await.expect(200);
    let rows = held["stores"][0]["goods"]["rows"].as_array().unwrap().clone();
    let home = rows.iter().find(|row| row["actor"] == "2.1").unwrap()["held"].as_u64().unwrap();
    let lost = json!({ "reason": "burnt" });
    let refused = pair.hub.post("/v1/nodes/2/write-off", "w1", lost).await;
    assert_eq!(problem(&refused), ("invalid-field".into(), Some("accept".into())));
    assert!(refused.json()["detail"].as_str().unwrap().contains(&format!("accept {home}")), "{}", refused.text());
    let accepted = json!({ "reason": "burnt", "accept": home, "staff": "eve" });
    let done = pair.hub.post("/v1/nodes/2/write-off", "w2", accepted).await.expect(201);
    assert_eq!((&done["node"], &done["accepted"]), (&json!(2), &json!(home)));
    assert_eq!(problem(&pair.hub.post("/v1/nodes/99/write-off", "w3", json!({ "reason": "x" })).await).0, "not-found");
    assert_eq!(problem(&pair.store.post("/v1/nodes/2/write-off", "w4", json!({ "reason": "x" })).await).0, "not-here");
}

#[tokio::test]
async fn sales_and_outages_are_exported_as_tables() {
    let pair = with_bread(5).await;
    let bread = json!([{ "sku": "BREAD", "quantity": 2 }]);
    let mut body = sale(1, bread, 500);
    body["rung_at"] = json!("2024-01-01T12:00:00Z");
    pair.store.send(Method::POST, "/v1/sales", None, body).await.expect(201);
    let table = pair.hub.get("/v1/exports/sales").await;
    assert_eq!(table.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(table.text(), "store,sku,at_ms,quantity\n1,BREAD,1704110400000,2\n");
    assert_eq!(pair.store.get("/v1/exports/outages").await.text(), "node,from_ms,to_ms\n");
}

#[tokio::test]
async fn a_device_reserves_and_does_not_make_rules() {
    let pair = with_bread(5).await;
    let token = pair.hub.devices.add("web shop", 1).unwrap();
    let bearer = format!("Bearer {token}");
    let send = async |method: Method, path: &str, body: Value| {
        let headers =
            [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "k")];
        call(&pair.hub.lan, method, path, &headers, body.to_string().into_bytes()).await
    };
    send(Method::POST, "/v1/reservations", wish(1)).await.expect(201);
    for (method, path) in [
        (Method::PUT, "/v1/policies"),
        (Method::POST, "/v1/consents"),
        (Method::POST, "/v1/nodes/2/write-off"),
        (Method::GET, "/v1/exports/sales"),
    ] {
        assert_eq!(problem(&send(method, path, json!({})).await).0, "forbidden", "{path}");
    }
}

#[tokio::test]
async fn those_who_follow_the_events_hear_of_promises_made_broken_and_turned_down() {
    let pair = with_bread(1).await;
    let follow = async |node: &super::pair::Node| call(&node.local, Method::GET, "/v1/events", &[], Vec::new()).await;
    let work = async {
        tokio::task::yield_now().await;
        let mut made = 0;
        for n in 0..3 {
            made +=
                u32::from(pair.hub.post("/v1/reservations", &format!("h{n}"), wish(1)).await.status.as_u16() == 201);
        }
        assert_eq!(made, 1);
        let bread = json!([{ "sku": "BREAD", "quantity": 1 }]);
        pair.store.send(Method::POST, "/v1/sales", None, sale(1, bread, 250)).await.expect(201);
        pair.hub.stop.send_replace(true);
    };
    let (stream, ()) = tokio::join!(follow(&pair.hub), work);
    for kind in ["promise.made", "promise.turned-down", "promise.shorted", "promise.compensated", "rights.moved"] {
        assert!(stream.text().contains(&format!("dev.stockroom.{kind}\"")), "{kind} is not in {}", stream.text());
    }
    let figures = pair.hub.get("/metrics").await;
    for line in [
        "stockroom_promises_shorted_total 1",
        "stockroom_promises_compensated_total 1",
        "stockroom_reservations_total{outcome=\"hard\"} 1",
    ] {
        assert!(figures.text().contains(line), "{line} is not in {}", figures.text());
    }
}

#[tokio::test]
async fn stores_are_where_their_token_says() {
    let pair = start();
    let order = json!({ "store": 1, "coordinates": { "lat": 52.520008, "lon": 13.404954 } });
    pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, order).await.expect(201);
    let store = pair.store.get("/v1/stores/1").await.expect(200);
    assert_eq!(store["coordinates"], json!({ "lat": 52.520008, "lon": 13.404954 }));
    // What is not said again stays.
    pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, json!({ "store": 1 })).await.expect(201);
    assert_eq!(pair.hub.get("/v1/stores/1").await.expect(200)["coordinates"]["lat"], 52.520008);
    for (id, lat) in [(7, 53.55), (8, 52.6)] {
        let order = json!({ "store": id, "coordinates": { "lat": lat, "lon": 13.4 } });
        pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, order).await.expect(201);
    }
    pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, json!({ "store": 3 })).await.expect(201);
    pair.hub.post("/v1/products", "p", json!({ "sku": "BREAD", "name": "Bread" })).await.expect(201);
    let near = pair.hub.get("/v1/availability?sku=BREAD&near=53.5,10.0").await.expect(200);
    let stores: Vec<_> = near["items"].as_array().unwrap().iter().map(|item| item["store"].as_u64().unwrap()).collect();
    assert_eq!(stores, [7, 8, 1, 3], "the nearest first, those that are nowhere last");
    let mut wanted = wish(1);
    wanted["near"] = json!({ "lat": 53.5, "lon": 10.0 });
    let no = pair.hub.post("/v1/reservations", "n", wanted).await.expect(200);
    let considered: Vec<_> =
        no["considered"].as_array().unwrap().iter().map(|seen| seen["store"].as_u64().unwrap()).collect();
    assert_eq!(considered, [7, 8, 1, 3]);
    assert!(no["considered"][0]["distance_km"].as_f64().unwrap() > 200.0, "{no}");
    let wrong = json!({ "store": 1, "coordinates": { "lat": 99.0, "lon": 0.0 } });
    let refused = pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, wrong).await;
    assert_eq!(problem(&refused).1.as_deref(), Some("coordinates.lat"));
}
