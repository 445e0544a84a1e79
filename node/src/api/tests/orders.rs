//! Orders through the API when all goes well, and when customers, shelves and links have their own will.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Node, Pair, Reply, call};
use super::work::{import, stocked};
use crate::api::Api;
use crate::api::orders::notices::reminders;
use crate::api::values::now_ms;

/// Goods on the shelves of store 1 that the hub may promise.
pub async fn market() -> Pair {
    let pair = stocked().await;
    let rule = json!({ "allocation": "hub-only", "lead_min": 0 });
    pair.hub.send(Method::PUT, "/v1/policies", Some("usual"), rule).await.expect(200);
    let lines = json!({ "lines": [
        { "sku": "BREAD", "quantity": 10 }, { "sku": "MILK", "quantity": 12 }, { "sku": "APPLE", "quantity": 5_000 },
    ] });
    pair.store.post("/v1/goods-receipts", "goods", lines).await.expect(201);
    pair
}

/// A pickup order of bread at store 1.
pub fn bread(quantity: i64) -> Value {
    json!({
        "channel": "pickup", "stores": [1], "source": "app", "reference": "A-1",
        "contact": { "name": "Li Wei", "phone": "+86 138 0013 8000", "address": "Nanjing Road 1" },
        "payment": { "captured": quantity * 250, "reference": "pay-1" },
        "lines": [{ "sku": "BREAD", "quantity": quantity, "preference": "partial" }],
    })
}

/// The number of the order that was placed, and its code.
pub async fn placed(pair: &Pair, key: &str, body: Value) -> (String, String) {
    let made = pair.hub.post("/v1/orders", key, body).await.expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("order"), text("code"))
}

/// Does something with a fulfillment at the store.
pub async fn act(pair: &Pair, order: &str, action: &str, body: Value) -> Reply {
    let key = format!("{order} {action} {body}");
    let path = format!("/v1/fulfillments/{order}/{action}");
    pair.store.post(&path, &stockroom_crdt::ids::hex(&stockroom_crdt::ids::Digest::of(&[key.as_bytes()]).0), body).await
}

/// Accepted, picked and ready.
pub async fn make_ready(pair: &Pair, order: &str) {
    for action in ["accept", "pick", "ready"] {
        act(pair, order, action, json!({ "staff": "anna" })).await.expect(200);
    }
}

async fn order_at_hub(pair: &Pair, order: &str) -> Value {
    pair.hub.get(&format!("/v1/orders/{order}")).await.expect(200)
}

#[tokio::test]
async fn an_order_is_placed_picked_and_handed_over() {
    let pair = market().await;
    let made = pair.hub.post("/v1/orders", "o1", bread(3)).await.expect(201);
    assert_eq!((&made["outcome"], &made["state"]), (&json!("placed"), &json!("offered")), "{made}");
    assert_eq!(made["plan"]["parts"][0]["goods"], json!([{ "sku": "BREAD", "quantity": 3 }]));
    assert_eq!(made["plan"]["candidates"][0]["verdict"], "chosen");
    assert!(made["why"].as_str().unwrap().contains("store 1: chosen"), "{made}");
    let again = pair.hub.post("/v1/orders", "o1", bread(3)).await;
    let retried = again.expect(200);
    assert_eq!((&retried["order"], &retried["code"]), (&made["order"], &made["code"]), "the code comes again");
    assert_eq!(again.headers["idempotent-replay"], "true");
    let (order, code) = (made["order"].as_str().unwrap(), made["code"].as_str().unwrap());

    let queue = pair.store.get("/v1/fulfillments").await.expect(200);
    let first = &queue["items"][0];
    assert_eq!((&first["order"], &first["state"], &first["store"]), (&json!(order), &json!("offered"), &json!(1)));
    assert!(first["due_in_s"].as_i64().unwrap() > 7_000 && first["accept_in_s"].as_i64().unwrap() > 800, "{first}");
    assert_eq!((&first["lines"][0]["line"], &first["lines"][0]["name"]), (&json!(1), &json!("Bread")));
    assert_eq!(first["has_contact"], false, "a store needs no address to hand over at its counter");
    let listed = pair.store.get("/v1/pick-lists").await.expect(200);
    assert_eq!(
        (&listed["totes"][0]["order"], &listed["departments"][0]["lines"][0]["quantity"]),
        (&json!(order), &json!(3))
    );

    act(&pair, order, "accept", json!({ "staff": "anna" })).await.expect(200);
    act(&pair, order, "pick", json!({ "staff": "anna" })).await.expect(200);
    act(&pair, order, "pack", json!({ "staff": "anna", "note": "2" })).await.expect(200);
    act(&pair, order, "stage", json!({ "staff": "anna", "note": "B2" })).await.expect(200);
    let ready =
        act(&pair, order, "ready", json!({ "staff": "anna", "note": "B7" })).await.expect(200)["fulfillment"].clone();
    assert_eq!((&ready["state"], &ready["bay"], &ready["bags"]), (&json!("ready"), &json!("B7"), &json!("2")));
    assert!(ready["hold_until"].is_string(), "{ready}");
    let at_hub = pair.hub.get(&format!("/v1/fulfillments/{order}?store=1")).await.expect(200);
    assert_eq!(at_hub["state"], "ready");

    let found = pair.store.get("/v1/fulfillments?phone=8000").await.expect(200);
    assert_eq!(found["items"][0]["order"], order);
    assert_eq!(pair.store.get("/v1/fulfillments?phone=8001").await.expect(200)["items"], json!([]));
    let end = &order[order.len() - 3..];
    assert_eq!(pair.store.get(&format!("/v1/fulfillments?number={end}")).await.expect(200)["items"][0]["order"], order);

    let arrived = pair.hub.post(&format!("/v1/orders/{order}/arrived"), "here", json!({ "note": "P3" })).await;
    arrived.expect(200);
    let seen = pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200);
    assert!(seen["arrived_at"].is_string() && seen["arrived_where"] == "P3", "{seen}");
    let tracked = pair.hub.get(&format!("/v1/orders/{order}/tracking")).await.expect(200);
    assert_eq!((&tracked["state"], &tracked["parts"][0]["store_name"]), (&json!("ready"), &json!("Main Street")));
    assert!(!tracked.to_string().contains("anna"), "no names of staff: {tracked}");

    let handed = act(&pair, order, "hand-over", json!({ "code": code, "staff": "ben", "device": 4 })).await.expect(200);
    assert_eq!((&handed["did"], &handed["fulfillment"]["state"]), (&json!("hand-over"), &json!("handed-over")));
    let whole = order_at_hub(&pair, order).await;
    assert_eq!(
        (&whole["state"], &whole["stability"], &whole["charge"]),
        (&json!("completed"), &json!("stable"), &json!(750))
    );
    let line = &whole["lines"][0];
    assert_eq!((&line["ordered"], &line["handed"], &line["open"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!((&whole["compensations"], &whole["payment"]["captured"]), (&json!([]), &json!(750)));
    assert_eq!(whole["knowledge"][0]["store"], 1);
    assert_eq!(pair.hub.get("/v1/stock/BREAD?store=1").await.expect(200)["on_hand"], 7);
    assert_eq!(pair.store.get("/v1/fulfillments").await.expect(200)["items"], json!([]));
    assert_eq!(pair.store.get("/v1/fulfillments?all=true").await.expect(200)["items"][0]["state"], "handed-over");
    for node in [&pair.hub, &pair.store] {
        let everything = node.get("/v1/fulfillments?store=1&all=true").await.text() + &whole.to_string();
        assert!(!everything.contains("Li Wei") && !everything.contains("Nanjing"), "{everything}");
    }
}

#[tokio::test]
async fn orders_are_listed_by_state_store_and_reference_in_pages() {
    let pair = market().await;
    for n in 0..3 {
        let mut body = bread(1);
        body["reference"] = json!(format!("A-{n}"));
        placed(&pair, &format!("o{n}"), body).await;
    }
    let open = pair.hub.get("/v1/orders?open=true&limit=2").await.expect(200);
    let rest =
        pair.hub.get(&format!("/v1/orders?open=true&after={}", open["next"].as_str().unwrap())).await.expect(200);
    let count = |list: &Value| list["items"].as_array().unwrap().len();
    assert_eq!((count(&open), count(&rest)), (2, 1), "{open}\n{rest}");
    let all = pair.hub.get("/v1/orders?limit=2").await.expect(200);
    let more = pair.hub.get(&format!("/v1/orders?after={}", all["next"].as_str().unwrap())).await.expect(200);
    assert_eq!((count(&all), count(&more)), (2, 1));
    let one = pair.hub.get("/v1/orders?reference=A-1&store=1&state=offered").await.expect(200);
    assert_eq!((count(&one), &one["items"][0]["reference"]), (1, &json!("A-1")));
    assert_eq!(count(&pair.hub.get("/v1/orders?state=completed").await.expect(200)), 0);
    let queue = pair.store.get("/v1/fulfillments?limit=2").await.expect(200);
    let next = queue["next"].as_str().unwrap();
    assert_eq!(count(&pair.store.get(&format!("/v1/fulfillments?after={next}")).await.expect(200)), 1);
}

#[tokio::test]
async fn a_cancel_is_decided_where_the_goods_are_and_paid_back_once() {
    let pair = market().await;
    let (order, _) = placed(&pair, "o", bread(2)).await;
    make_ready(&pair, &order).await;
    let path = format!("/v1/orders/{order}");
    let asked = pair.hub.post(&format!("{path}/cancel"), "c", json!({ "note": "changed mind" })).await.expect(200);
    assert_eq!(asked["did"], "cancel");
    let whole = order_at_hub(&pair, &order).await;
    assert_eq!((&whole["state"], &whole["stability"]), (&json!("cancelled"), &json!("stable")), "{whole}");
    let why = whole["reasons"][0]["why"].as_str().unwrap();
    assert!(why.contains("store 1, which held it, confirmed the cancel at 20"), "{why}");
    assert_eq!(whole["reasons"][0]["entries"][0]["store"], 1);
    let due = &whole["compensations"][0];
    assert_eq!(
        (&due["rule"], &due["kind"], &due["amount"], &due["state"]),
        (&json!("cancelled"), &json!("refund"), &json!(500), &json!("due"))
    );
    let held = pair.store.get(&format!("/v1/fulfillments/{order}")).await.expect(200);
    assert_eq!(held["to_put_back"], true);
    act(&pair, &order, "put-back", json!({ "staff": "anna" })).await.expect(200);
    let redress = format!("{path}/compensations/{}", due["id"].as_str().unwrap());
    let short = pair.hub.post(&redress, "r0", json!({ "amount": 499 })).await;
    assert_eq!(short.expect(422)["field"], "amount");
    let given = pair.hub.post(&redress, "r1", json!({ "reference": "re-1", "staff": "bank" })).await.expect(200);
    assert_eq!((&given["compensations"][0]["state"], &given["open"]), (&json!("done"), &json!(false)));
    let twice = pair.hub.post(&redress, "r2", json!({})).await;
    assert_eq!(twice.expect(409)["type"], "/problems/conflict");
    assert_eq!(pair.hub.get("/v1/orders?open=true").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn picking_by_scan_counts_up_confirms_and_refuses_what_is_not_on_the_list() {
    let pair = market().await;
    let mut body = bread(2);
    body["lines"] = json!([
        { "sku": "BREAD", "quantity": 2 }, { "sku": "APPLE", "quantity": 1_000, "tolerance_percent": 10 },
    ]);
    let (order, code) = placed(&pair, "o", body).await;
    act(&pair, &order, "accept", json!({})).await.expect(200);
    let scan = async |key: &str, code: &str, more: Value| {
        let mut body = json!({ "scan": code, "staff": "anna" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        pair.store.post(&format!("/v1/fulfillments/{order}/pick"), key, body).await
    };
    let first = scan("s1", BREAD, json!({})).await.expect(200);
    assert_eq!(
        (&first["did"], &first["scanned"]["counted"], &first["scanned"]["wanted"]),
        (&json!("counted"), &json!(1), &json!(2))
    );
    assert_eq!(first["fulfillment"]["state"], "picking");
    let same = scan("s1", BREAD, json!({})).await.expect(200);
    assert_eq!(same["scanned"]["counted"], 1, "the same scan twice is one");
    let milk = scan("s2", MILK, json!({})).await;
    let detail = milk.expect(422)["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("it is Milk (MILK), which is not on this list") && detail.contains("2 of Bread"),
        "{detail}"
    );
    assert_eq!(scan("s3", "0000000001311", json!({})).await.expect(422)["type"], "/problems/unknown-reference");
    assert_eq!(scan("s4", BREAD, json!({ "quantity": 5 })).await.expect(422)["field"], "scan");
    let second = scan("s5", BREAD, json!({})).await.expect(200);
    assert_eq!((&second["did"], &second["scanned"]["done"]), (&json!("pick"), &json!(true)));
    assert_eq!(scan("s5", BREAD, json!({})).await.expect(200)["scanned"]["counted"], 2);
    assert!(
        scan("s6", BREAD, json!({})).await.expect(422)["detail"]
            .as_str()
            .unwrap()
            .contains("everything that is wanted")
    );
    let lines = json!({ "staff": "anna", "lines": [{ "sku": "APPLE", "quantity": 950 }] });
    let weighed = act(&pair, &order, "pick", lines).await.expect(200);
    assert_eq!(
        (&weighed["fulfillment"]["state"], &weighed["fulfillment"]["lines"][1]["picked"]),
        (&json!("picked"), &json!(950))
    );
    let heavy = act(&pair, &order, "pick", json!({ "lines": [{ "line": 2, "quantity": 1_101 }] })).await;
    assert_eq!(heavy.expect(422)["field"], "lines[0].quantity");
    act(&pair, &order, "ready", json!({})).await.expect(200);
    act(&pair, &order, "hand-over", json!({ "code": code })).await.expect(200);
    let whole = order_at_hub(&pair, &order).await;
    // Two loaves at 2.50 and 950 g at 3.99 a kilogram.
    assert_eq!((&whole["state"], &whole["charge"]), (&json!("completed"), &json!(500 + 379)), "{whole}");
}

#[tokio::test]
async fn what_is_not_found_is_substituted_or_paid_back() {
    let pair = market().await;
    import(
        &pair,
        "?book=main&from=2020-01-01T00:00:00Z",
        "rolls",
        "sku,name,unit,barcodes,item_number,price,currency\nROLL,Rolls,each,,,200,EUR\n",
    )
    .await
    .expect(201);
    // What a store takes instead it promises itself.
    let rule = json!({ "sku": "ROLL", "allocation": "proportional", "lead_min": 0 });
    pair.hub.send(Method::PUT, "/v1/policies", Some("rolls"), rule).await.expect(200);
    pair.store
        .post("/v1/goods-receipts", "rolls", json!({ "lines": [{ "sku": "ROLL", "quantity": 9 }] }))
        .await
        .expect(201);
    let mut body = bread(2);
    body["payment"]["captured"] = json!(758);
    body["lines"] = json!([
        { "sku": "BREAD", "quantity": 2, "preference": "substitute" }, { "sku": "MILK", "quantity": 2, "preference": "partial" },
    ]);
    let (order, code) = placed(&pair, "o", body).await;
    act(&pair, &order, "accept", json!({})).await.expect(200);
    let silent = act(&pair, &order, "pick", json!({ "staff": "a", "lines": [{ "sku": "MILK", "quantity": 1 }] })).await;
    assert_eq!(silent.expect(422)["field"], "lines[0].reason");
    let lines = json!({ "staff": "anna", "lines": [
        { "sku": "MILK", "quantity": 1, "reason": "not-found" },
        { "line": 1, "quantity": 2, "substitute": { "sku": "ROLL" } },
    ] });
    let picked = act(&pair, &order, "pick", lines).await.expect(200)["fulfillment"].clone();
    assert_eq!(
        (&picked["state"], &picked["lines"][0]["substitute"]["unit_price"]),
        (&json!("picked"), &json!(200)),
        "{picked}"
    );
    assert_eq!((&picked["lines"][1]["short"], &picked["lines"][1]["reason"]), (&json!(1), &json!("not-found")));
    act(&pair, &order, "ready", json!({})).await.expect(200);
    act(&pair, &order, "hand-over", json!({ "code": code })).await.expect(200);
    let whole = order_at_hub(&pair, &order).await;
    let due: Vec<_> = whole["compensations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|due| (due["rule"].as_str().unwrap(), due["amount"].as_i64().unwrap()))
        .collect();
    assert_eq!(due, [("difference", 100), ("short", 129)], "{whole}");
    assert_eq!(pair.store.get("/v1/stock/MILK").await.expect(200)["on_hand"], 0, "the shelf is empty, the picker said");
    assert_eq!(pair.store.get("/v1/stock/ROLL").await.expect(200)["on_hand"], 7);
}

#[tokio::test]
async fn a_store_that_never_heard_of_the_order_hands_it_over_for_a_pass() {
    let pair = market().await;
    pair.cut.send(true).await.unwrap();
    let (order, _) = placed(&pair, "o", bread(2)).await;
    let pass =
        pair.hub.post(&format!("/v1/orders/{order}/pass"), "p", json!({ "delegate": "sister" })).await.expect(201);
    assert!(pass["qr_svg"].as_str().unwrap().contains("<svg") && pass["qr_text"].as_str().unwrap().starts_with("SR:"));
    let unknown = pair.store.get(&format!("/v1/fulfillments/{order}")).await;
    unknown.expect(404);
    let shown = pair.store.post("/v1/passes/verify", "v", json!({ "pass": pass["qr_text"] })).await.expect(200);
    assert_eq!(
        (&shown["order"], &shown["delegate"], &shown["lines"][0]["quantity"]),
        (&json!(order), &json!("sister"), &json!(2))
    );
    assert_eq!((&shown["fulfillment"]["by_pass"], &shown["fulfillment"]["state"]), (&json!(true), &json!("offered")));
    let handed = act(&pair, &order, "hand-over", json!({ "pass": pass["pass"], "staff": "ben" })).await.expect(200);
    assert_eq!(handed["fulfillment"]["state"], "handed-over");
    let again = act(&pair, &order, "hand-over", json!({ "pass": pass["qr_text"], "staff": "eve" })).await;
    let problem = again.expect(409);
    assert_eq!((&problem["type"], &problem["store"]), (&json!("/problems/handed-over"), &json!(1)));
    pair.cut.send(false).await.unwrap();
    pair.store.get("/v1/status").await.expect(200);
    pair.store
        .post("/v1/adjustments", "tick", json!({ "sku": "MILK", "delta": 1, "reason": "found" }))
        .await
        .expect(201);
    let whole = order_at_hub(&pair, &order).await;
    assert_eq!((&whole["state"], &whole["compensations"]), (&json!("completed"), &json!([])), "{whole}");
}

#[tokio::test]
async fn a_delivery_leaves_with_its_address_and_comes_to_an_end() {
    let pair = market().await;
    let mut body = bread(1);
    (body["channel"], body["currency"]) = (json!("delivery"), json!("EUR"));
    body["place"] = json!({ "lat": 31.23, "lon": 121.47 });
    body["lines"][0]["unit_price"] = json!(250);
    let (order, _) = placed(&pair, "o", body).await;
    let read = format!("/v1/fulfillments/{order}/contact");
    assert_eq!(pair.store.get(&read).await.expect(422)["field"], "staff");
    for node in [&pair.hub, &pair.store] {
        let contact = node.get(&format!("{read}?staff=rider&reason=door")).await.expect(200);
        assert_eq!((&contact["name"], &contact["address"]), (&json!("Li Wei"), &json!("Nanjing Road 1")));
    }
    for action in ["accept", "pick", "pack", "ready"] {
        act(&pair, &order, action, json!({ "staff": "anna" })).await.expect(200);
    }
    act(&pair, &order, "dispatch", json!({ "staff": "anna", "note": "rider-7" })).await.expect(200);
    let tracked = pair.hub.get(&format!("/v1/orders/{order}/tracking")).await.expect(200);
    assert_eq!(tracked["state"], "on-its-way");
    let path = format!("/v1/fulfillments/{order}/deliver");
    let early = pair.hub.post(&path, "d0", json!({ "note": "photo-1" })).await;
    assert_eq!(early.expect(422)["field"], "store", "a hub has no store of its own");
    pair.hub.post(&path, "d1", json!({ "note": "photo-1", "store": 1 })).await.expect(200);
    assert_eq!(order_at_hub(&pair, &order).await["state"], "completed");
    assert_eq!(pair.store.get("/v1/stock/BREAD").await.expect(200)["on_hand"], 9);
}

#[tokio::test]
async fn age_is_checked_before_goods_that_need_it_are_handed_over() {
    let pair = market().await;
    pair.hub.post("/v1/products", "w", json!({ "sku": "WINE", "name": "Wine", "age_min": 18 })).await.expect(201);
    pair.store
        .post("/v1/goods-receipts", "w", json!({ "lines": [{ "sku": "WINE", "quantity": 5 }] }))
        .await
        .expect(201);
    let mut body = bread(1);
    body["lines"] = json!([{ "sku": "BREAD", "quantity": 1 }, { "sku": "WINE", "quantity": 1, "unit_price": 900 }]);
    body["payment"]["captured"] = json!(1_150);
    let (old, old_code) = placed(&pair, "old", body.clone()).await;
    let (young, young_code) = placed(&pair, "young", body).await;
    for order in [&old, &young] {
        make_ready(&pair, order).await;
    }
    let refused = act(&pair, &old, "hand-over", json!({ "code": old_code })).await;
    assert_eq!(refused.expect(409)["type"], "/problems/sale-stopped");
    assert_eq!(act(&pair, &old, "check-age", json!({ "document": "id-card" })).await.expect(422)["field"], "passed");
    let checked = act(&pair, &old, "check-age", json!({ "document": "id-card", "passed": true, "staff": "ben" }))
        .await
        .expect(200);
    assert_eq!(checked["fulfillment"]["age_checked"], true);
    act(&pair, &old, "hand-over", json!({ "code": old_code })).await.expect(200);
    let declined =
        act(&pair, &young, "check-age", json!({ "document": "id-card", "passed": false, "staff": "ben" })).await;
    assert_eq!(declined.expect(200)["did"], "decline");
    act(&pair, &young, "hand-over", json!({ "code": young_code })).await.expect(200);
    let whole = order_at_hub(&pair, &young).await;
    assert_eq!((&whole["state"], &whole["lines"][1]["handed"]), (&json!("partly-completed"), &json!(0)), "{whole}");
    let due = &whole["compensations"][0];
    assert_eq!((&due["rule"], &due["amount"]), (&json!("declined"), &json!(900)));
}

#[tokio::test]
async fn several_orders_are_picked_at_once_into_numbered_totes() {
    let pair = market().await;
    let (one, _) = placed(&pair, "1", bread(2)).await;
    let mut body = bread(1);
    body["lines"] = json!([{ "sku": "MILK", "quantity": 3 }, { "sku": "BREAD", "quantity": 1 }]);
    let (two, _) = placed(&pair, "2", body).await;
    let list = pair.store.get(&format!("/v1/pick-lists?orders={one},{two}")).await.expect(200);
    assert_eq!((&list["totes"][0]["order"], &list["totes"][1]["order"]), (&json!(one), &json!(two)));
    let lines = list["departments"][0]["lines"].as_array().unwrap();
    let skus: Vec<_> = lines.iter().map(|line| line["sku"].as_str().unwrap()).collect();
    assert_eq!(skus, ["BREAD", "MILK"]);
    assert_eq!(
        (&lines[0]["quantity"], &lines[0]["into"][1]["tote"], &lines[0]["into"][1]["line"]),
        (&json!(3), &json!(2), &json!(2))
    );
    assert!(list["notes"].to_string().contains("cold"), "{list}");
    pair.hub.post(&format!("/v1/orders/{two}/hold"), "h", json!({ "note": "address" })).await.expect(200);
    let held = pair.store.get(&format!("/v1/pick-lists?orders={one},{two}")).await;
    assert!(held.expect(409)["detail"].as_str().unwrap().contains("on hold: address"), "{}", held.text());
    let stopped = act(&pair, &two, "pick", json!({ "staff": "anna" })).await;
    assert!(stopped.expect(409)["detail"].as_str().unwrap().contains("on hold"), "{}", stopped.text());
    let rest = pair.store.get("/v1/pick-lists").await.expect(200);
    assert_eq!(rest["totes"].as_array().unwrap().len(), 1, "what is on hold is left out");
    pair.hub.post(&format!("/v1/orders/{two}/resume"), "r", json!({})).await.expect(200);
    act(&pair, &two, "pick", json!({ "staff": "anna" })).await.expect(200);
}

#[tokio::test]
async fn rules_of_orders_are_set_at_the_hub_and_read_everywhere() {
    let pair = market().await;
    let put = async |node: &Node, path: &str, key: &str, body: Value| {
        node.send(Method::PUT, &format!("/v1/order-rules/{path}"), Some(key), body).await
    };
    let routing = put(&pair.hub, "routing", "r", json!({ "parts_max": 2, "boundary": "never" })).await.expect(200);
    assert_eq!((&routing["parts_max"], &routing["sets"][0]["name"]), (&json!(2), &json!("near")), "{routing}");
    let limits = put(
        &pair.hub,
        "limits",
        "l",
        json!({ "store": 1, "code_tries": 3, "accept_within_s": 600, "accept_warn_s": 300 }),
    )
    .await
    .expect(200);
    assert_eq!((&limits["code_tries"], &limits["hold_s"]), (&json!(3), &json!(604_800)));
    let week = json!([[{ "from": "08:00", "until": "26:00" }], [], [], [], [], [], []]);
    let service = json!({ "store": 1, "week": week, "closed_days": ["2030-12-25"], "parts_per_day": 40 });
    put(&pair.hub, "service", "s", service.clone()).await.expect(200);
    assert_eq!(pair.store.get("/v1/order-rules/service").await.expect(200)["items"][0], service);
    assert_eq!(pair.store.get("/v1/order-rules/limits").await.expect(200)["items"][0]["accept_within_s"], 600);
    assert_eq!(pair.store.get("/v1/order-rules/routing").await.expect(200)["items"][0]["boundary"], "never");
    let wrong = [
        ("routing", json!({ "parts_max": 9 }), "parts_max"),
        ("limits", json!({ "accept_warn_s": 9_000 }), "accept_warn_s"),
        ("limits", json!({ "store": 9 }), "store"),
        (
            "service",
            json!({ "store": 1, "week": [[{ "from": "8", "until": "20:00" }], [], [], [], [], [], []] }),
            "week[0][0].from",
        ),
    ];
    for (at, (path, body, field)) in wrong.into_iter().enumerate() {
        let reply = put(&pair.hub, path, &format!("wrong{at}"), body).await;
        assert_eq!(reply.expect(422)["field"], field, "{}", reply.text());
    }
    assert_eq!(put(&pair.store, "routing", "x", json!({})).await.expect(409)["type"], "/problems/not-here");
    let token = pair.hub.devices.add("till", 1).unwrap();
    let bearer = format!("Bearer {token}");
    let over_lan =
        call(&pair.hub.lan, Method::PUT, "/v1/order-rules/routing", &[("authorization", bearer.as_str())], Vec::new())
            .await;
    assert_eq!(over_lan.expect(403)["type"], "/problems/forbidden");
}

#[tokio::test]
async fn customers_are_told_once_what_happens_and_no_event_names_them() {
    let pair = market().await;
    let follow = async |node: &Node| call(&node.local, Method::GET, "/v1/events", &[], Vec::new()).await;
    let work = async {
        tokio::task::yield_now().await;
        let (order, code) = placed(&pair, "o", bread(2)).await;
        act(&pair, &order, "accept", json!({ "staff": "anna" })).await.expect(200);
        let lines = json!({ "staff": "anna", "lines": [{ "line": 1, "quantity": 1, "reason": "not-found" }] });
        act(&pair, &order, "pick", lines).await.expect(200);
        act(&pair, &order, "ready", json!({})).await.expect(200);
        act(&pair, &order, "hand-over", json!({ "code": code })).await.expect(200);
        let mut milk = bread(1);
        milk["lines"] = json!([{ "sku": "MILK", "quantity": 1 }]);
        let (other, _) = placed(&pair, "o2", milk).await;
        pair.hub.post(&format!("/v1/orders/{other}/cancel"), "c", json!({})).await.expect(200);
        pair.hub.stop.send_replace(true);
        pair.store.stop.send_replace(true);
    };
    let (at_hub, at_store, ()) = tokio::join!(follow(&pair.hub), follow(&pair.store), work);
    let count = |text: &str, kind: &str| text.matches(&format!("\"type\":\"dev.stockroom.{kind}\"")).count();
    for (kind, times) in [
        ("order.placed", 2),
        ("notification.received", 2),
        ("notification.accepted", 1),
        ("notification.shortage", 1),
        ("notification.ready", 1),
        ("notification.handed-over", 1),
        ("notification.cancelled", 1),
        ("fulfillment.handed-over", 1),
        ("order.cancel-asked", 1),
    ] {
        assert_eq!(count(&at_hub.text(), kind), times, "{kind} in {}", at_hub.text());
    }
    assert!(count(&at_hub.text(), "notification.refund-due") >= 1, "{}", at_hub.text());
    assert_eq!(count(&at_store.text(), "notification.ready"), 0, "the home tells, nobody else does");
    assert_eq!(count(&at_store.text(), "fulfillment.ready"), 1);
    for text in [at_hub.text(), at_store.text()] {
        for secret in ["Li Wei", "Nanjing", "8000", "anna"] {
            assert!(!text.contains(secret), "{secret} stands in {text}");
        }
    }
}

#[tokio::test]
async fn customers_whose_goods_wait_are_reminded_when_the_limits_say() {
    let pair = market().await;
    let (order, code) = placed(&pair, "o", bread(1)).await;
    make_ready(&pair, &order).await;
    let (handle, info, config) = pair.hub.parts.clone();
    let (_stop, stopping) = tokio::sync::watch::channel(false);
    let api = Api::new(handle, info, config, stopping);
    let now = now_ms();
    let due = |days: u64| reminders(&api, now, now + days * 86_400_000 + 60_000).unwrap();
    assert_eq!(due(0), []);
    let told = due(4);
    let ids: Vec<_> = told.iter().map(|notice| notice.data["reminder_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [format!("{order}-1-1"), format!("{order}-1-2")], "after a day and after three");
    assert_eq!((told[0].kind, &told[0].data["store_name"]), ("notification.reminder", &json!("Main Street")));
    assert!(told[0].data["hold_until"].is_string(), "{:?}", told[0]);
    act(&pair, &order, "hand-over", json!({ "code": code })).await.expect(200);
    assert_eq!(due(4), [], "who has the goods is not reminded");
}

#[tokio::test]
async fn each_reading_of_a_contact_is_told_without_what_was_read() {
    let pair = market().await;
    let mut body = bread(1);
    (body["channel"], body["currency"]) = (json!("delivery"), json!("EUR"));
    body["lines"][0]["unit_price"] = json!(250);
    let (order, _) = placed(&pair, "o", body).await;
    let follow = call(&pair.store.local, Method::GET, "/v1/events", &[], Vec::new());
    let work = async {
        tokio::task::yield_now().await;
        let path = format!("/v1/fulfillments/{order}/contact?staff=rider-7");
        assert_eq!(pair.store.get(&path).await.expect(200)["name"], "Li Wei");
        pair.store.stop.send_replace(true);
    };
    let (stream, ()) = tokio::join!(follow, work);
    let text = stream.text();
    assert!(text.contains("dev.stockroom.order.contact-read\"") && text.contains("rider-7"), "{text}");
    assert!(!text.contains("Li Wei") && !text.contains("Nanjing"), "{text}");
}

/// Barcodes of the stock.
const BREAD: &str = "4006381333931";
const MILK: &str = "96385074";
