//! What tills follow, labels on shelves, settlement, and goods that come back after a checkout, through the API.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, Reply, call};
use super::work::stocked;

async fn put(pair: &Pair, what: &str, key: &str, body: Value) -> Reply {
    pair.hub.send(Method::PUT, &format!("/v1/till-rules/{what}"), Some(key), body).await
}

async fn prices(pair: &Pair, key: &str, prices: Value) {
    pair.hub.post("/v1/prices", key, json!({ "prices": prices })).await.expect(201);
}

fn price(sku: &str, minor: Value, from: &str) -> Value {
    json!({ "sku": sku, "book": "main", "price": minor, "currency": "EUR", "from": from })
}

async fn checkout(pair: &Pair, body: Value) -> Reply {
    pair.store.send(Method::POST, "/v1/checkout", None, body).await
}

#[tokio::test]
async fn head_office_says_what_tills_follow_and_every_store_prices_by_it() {
    let pair = stocked().await;
    let bread = json!({ "sku": "BREAD", "name": "Bread", "tax_code": "food", "department": "bakery" });
    pair.hub.send(Method::PUT, "/v1/products/BREAD", Some("b"), bread).await.expect(200);
    let tax = json!({ "code": "food", "area": "city", "rate_bp": 700, "from": "2020-01-01T00:00:00Z" });
    put(&pair, "taxes", "t", tax.clone()).await.expect(200);
    assert_eq!(put(&pair, "taxes", "t", tax).await.headers["idempotent-replay"], "true");
    let rules = json!({ "store": 1, "tax_area": "city", "cash_step": 5, "cashier_limit": 10 });
    put(&pair, "tills", "r", rules).await.expect(200);
    let gives = json!({ "buy-get": { "buy": 1, "get": 1, "off_bp": 5000 } });
    let promotion = json!({ "book": "main", "id": "pair", "name": "Second at half", "skus": ["BREAD"], "gives": gives,
        "from": "2020-01-01T00:00:00Z" });
    put(&pair, "promotions", "p", promotion).await.expect(200);
    let never: Vec<Value> = vec![json!([]); 7];
    put(&pair, "hours", "h", json!({ "department": "bakery", "week": never })).await.expect(200);
    for (what, place) in [("taxes", "rate_bp"), ("tills", "cash_step"), ("hours", "department")] {
        let list = pair.store.get(&format!("/v1/till-rules/{what}")).await.expect(200);
        assert!(!list["items"][0][place].is_null(), "{list}");
    }
    let listed = pair.store.get("/v1/till-rules/promotions").await.expect(200);
    assert_eq!((&listed["book"], &listed["items"][0]["gives"]["buy-get"]["get"]), (&json!("main"), &json!(1)));
    let body = json!({ "till": 3, "then": "quote", "lines": [{ "sku": "BREAD", "quantity": 2 }, { "sku": "MILK", "quantity": 1 }] });
    let quote = checkout(&pair, body.clone()).await.expect(200);
    assert_eq!((&quote["total"], &quote["cash_rounding"]), (&json!(375 + 129), &json!(1)));
    assert_eq!(quote["lines"][0]["reductions"][0]["name"], "Second at half");
    assert_eq!((&quote["lines"][0]["tax"]["rate_bp"], &quote["lines"][0]["stops"]), (&json!(700), &json!(["hours"])));
    put(&pair, "hours", "h2", json!({ "department": "bakery", "week": never, "ended": true })).await.expect(200);
    assert_eq!(checkout(&pair, body).await.expect(200)["lines"][0]["stops"], json!([]));
}

#[tokio::test]
async fn rules_without_sense_are_refused_by_name() {
    let pair = stocked().await;
    let cases = [
        ("taxes", json!({ "code": "", "rate_bp": 700 }), "code"),
        ("taxes", json!({ "code": "x" }), "rate_bp"),
        ("taxes", json!({ "code": "x", "rate_bp": 700, "rounding": "sideways" }), "rounding"),
        ("tills", json!({ "floor_limit": -1 }), "floor_limit"),
        ("tills", json!({ "colour": 1 }), "colour"),
        ("tills", json!({ "store": 9 }), "store"),
        ("hours", json!({ "department": "x", "week": [] }), "week"),
        ("promotions", json!({ "book": "main", "id": "x", "name": "", "gives": { "off": 5 } }), "name"),
        ("promotions", json!({ "book": "main", "id": "x", "name": "X", "gives": { "off": 0 } }), "gives"),
        ("promotions", json!({ "book": "main", "id": "x", "name": "X", "gives": { "free": 1 } }), "gives"),
    ];
    for (at, (what, body, field)) in cases.into_iter().enumerate() {
        let reply = put(&pair, what, &format!("bad-{at}"), body).await;
        assert_eq!(reply.status.as_u16(), 422, "{}", reply.text());
        let named = reply.json()["field"].as_str().unwrap_or_default().to_owned();
        assert!(named.starts_with(field), "{field}: {}", reply.text());
    }
    let here = pair.store.send(Method::PUT, "/v1/till-rules/tills", Some("k"), json!({})).await.expect(409);
    assert_eq!(here["type"], "/problems/not-here");
    let bearer = format!("Bearer {}", pair.hub.devices.add("till", 0).unwrap());
    let lan = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let outside = call(&pair.hub.lan, Method::PUT, "/v1/till-rules/taxes", &lan, b"{}".to_vec()).await;
    assert_eq!(outside.status.as_u16(), 403);
}

#[tokio::test]
async fn a_price_change_makes_label_tasks_until_somebody_put_the_label_up() {
    let pair = stocked().await;
    let tasks = async |node: &super::pair::Node, query: &str| node.get(&format!("/v1/tasks{query}")).await.expect(200);
    assert_eq!(tasks(&pair.store, "").await["labels"], json!([]), "goods came with their first label");
    prices(&pair, "p", json!([price("BREAD", json!(199), "2021-01-01T00:00:00Z")])).await;
    let far = "2030-01-01T00:00:00Z";
    prices(&pair, "q", json!([price("MILK", json!(139), far)])).await;
    for (node, query) in [(&pair.store, ""), (&pair.hub, "?store=1")] {
        let list = tasks(node, query).await;
        assert_eq!(list["labels"].as_array().unwrap().len(), 1, "nobody puts a label up years ahead: {list}");
        let task = &list["labels"][0];
        assert_eq!((&task["sku"], &task["shows"], &task["price"]), (&json!("BREAD"), &json!(250), &json!(199)));
        assert_eq!((&task["due"], &task["late"], &list["labels_late"]), (&json!(true), &json!(true), &json!(1)));
    }
    let sheet = pair.store.get("/v1/labels/sheet").await;
    assert_eq!(sheet.status.as_u16(), 200);
    for words in ["Bread", "1.99 EUR", "each"] {
        assert!(sheet.text().contains(words), "{words}: {}", sheet.text());
    }
    let printed = pair.store.post("/v1/labels/print", "x", json!({})).await.expect(200);
    assert_eq!((&printed["sheets"], &printed["state"]), (&json!(1), &json!("queued")));
    let done = |minor: i64| json!({ "staff": "ann", "labels": [{ "sku": "BREAD", "price": minor }] });
    let wrong = pair.store.post("/v1/labels/done", "d1", done(250)).await.expect(422);
    assert!(wrong["field"] == "labels[0].price" && wrong["detail"].as_str().unwrap().contains("199"), "{wrong}");
    assert_eq!(pair.store.post("/v1/labels/done", "d2", done(199)).await.expect(201)["count"], 1);
    assert_eq!(pair.store.post("/v1/labels/done", "d2", done(199)).await.expect(200)["count"], 1);
    assert_eq!(pair.store.post("/v1/labels/done", "d3", done(199)).await.expect(422)["field"], "labels[0].sku");
    assert_eq!(tasks(&pair.store, "").await["labels"], json!([]));
    assert_eq!(tasks(&pair.hub, "").await["labels_late"], json!(0), "the hub hears of it");
    assert_eq!(pair.store.post("/v1/labels/print", "y", json!({})).await.status.as_u16(), 409);
    assert_eq!(pair.hub.post("/v1/labels/done", "h", done(199)).await.expect(409)["type"], "/problems/not-here");
}

#[tokio::test]
async fn goods_of_owners_are_settled_by_day_and_cards_are_matched_with_the_acquirers_file() {
    let pair = stocked().await;
    let milk = json!({ "sku": "MILK", "name": "Milk", "owner": "dairy" });
    pair.hub.send(Method::PUT, "/v1/products/MILK", Some("m"), milk).await.expect(200);
    let lines = json!([{ "sku": "BREAD", "quantity": 1 }, { "sku": "MILK", "quantity": 2 }]);
    let card = |n: u64| json!({ "till": 3, "till_seq": n, "then": "pay", "cashier": "ann", "lines": lines, "terminal": { "name": "lane-1" } });
    let first = checkout(&pair, card(1)).await.expect(201);
    let second = checkout(&pair, card(2)).await.expect(201);
    let slip = json!({ "till": 4, "till_seq": 1, "then": "slip", "owner": "fish", "lines": [{ "sku": "BREAD", "quantity": 2 }] });
    checkout(&pair, slip).await.expect(201);
    let pay = json!({ "till": 3, "staff": "ann", "till_seq": 3, "tenders": [{ "kind": "cash", "amount": 500 }] });
    pair.store.post("/v1/baskets/4-1/pay", "s", pay).await.expect(201);
    let back = json!({ "till": 3, "till_seq": 4, "then": "pay", "approver": "mia", "lines": [{ "sku": "MILK", "quantity": -1 }],
        "tenders": [{ "kind": "cash", "amount": -129 }] });
    checkout(&pair, back).await.expect(201);
    for (node, query) in [(&pair.store, ""), (&pair.hub, "&store=1")] {
        let answer = node.get(&format!("/v1/settlement?day=1{query}")).await.expect(200);
        let sums = answer["owners"].as_array().unwrap().iter().map(|it| {
            (it["owner"].as_str().unwrap(), it["sales"].as_i64(), it["returns"].as_i64(), it["due"].as_i64())
        });
        let wanted = [
            ("", Some(500), Some(0), Some(500)),
            ("dairy", Some(516), Some(129), Some(387)),
            ("fish", Some(500), Some(0), Some(500)),
        ];
        assert_eq!((sums.collect::<Vec<_>>(), &answer["closed"]), (wanted.to_vec(), &json!(false)));
    }
    assert_eq!(pair.store.get("/v1/settlement?day=9").await.status.as_u16(), 404);
    let reference = |sale: &Value| sale["tenders"][0]["reference"].as_str().unwrap().to_owned();
    let file = format!(
        "reference,amount,currency,time\n{},508,EUR,2025-12-31T10:00:00Z\nstrange,77,EUR,2025-12-31T10:00:00Z\n",
        reference(&first)
    );
    let csv = [("content-type", "text/csv")];
    let path = "/v1/settlement/match?day=1&store=1";
    let found = call(&pair.hub.local, Method::POST, path, &csv, file.into_bytes()).await.expect(200);
    assert_eq!((&found["matched"], &found["matched_amount"]), (&json!(1), &json!(508)));
    assert_eq!(
        (&found["missing"][0]["reference"], &found["missing"][0]["receipt"]),
        (&json!(reference(&second)), &second["receipt"])
    );
    assert_eq!((&found["unknown"][0]["reference"], &found["differing"]), (&json!("strange"), &json!([])));
    let broken =
        call(&pair.hub.local, Method::POST, path, &csv, b"reference,amount,currency,time\na,b,c,d\n".to_vec()).await;
    assert_eq!(broken.expect(422)["type"], "/problems/import-refused");
}

#[tokio::test]
async fn goods_that_come_back_give_back_what_was_paid_for_each_piece() {
    let pair = stocked().await;
    let gives = json!({ "bundle": { "units": 3, "price": 500 } });
    let promotion = json!({ "book": "main", "id": "three", "name": "Three for five", "skus": ["BREAD"], "gives": gives,
        "from": "2020-01-01T00:00:00Z" });
    put(&pair, "promotions", "p", promotion).await.expect(200);
    let body = json!({ "till": 3, "till_seq": 1, "then": "pay", "cashier": "ann", "terminal": { "name": "lane-1" },
        "lines": [{ "sku": "BREAD", "quantity": 3 }, { "sku": "MILK", "quantity": 1 }],
        "tenders": [{ "kind": "voucher", "amount": 100, "reference": "v" }] });
    let sold = checkout(&pair, body).await.expect(201);
    assert_eq!((&sold["total"], &sold["lines"][0]["amount"]), (&json!(629), &json!(500)));
    let one = |key: &'static str, quantity: i64| {
        let body = json!({ "receipt": "1-3-1-1", "cash": true, "staff": "ann", "approver": "mia",
            "lines": [{ "sku": "BREAD", "quantity": quantity }] });
        pair.store.post("/v1/returns", key, body)
    };
    let first = one("a", 1).await.expect(201);
    let second = one("b", 2).await.expect(201);
    let refund = |answer: &Value| answer["refund"].as_i64().unwrap();
    let voucher = json!({ "kind": "voucher", "amount": 26, "reference": "v" });
    assert_eq!((&first["back_to"][0], &first["back_to"][1]["kind"]), (&voucher, &json!("card")));
    assert_eq!(first["back_to"][1]["amount"], 140);
    assert_eq!(refund(&first) + refund(&second), 500, "{first} {second}");
    assert_eq!(refund(&first), 166, "a third, rounded down: parts never cost more than the whole");
    assert_eq!(one("c", 1).await.status.as_u16() / 100, 4, "each piece comes back once");
}
