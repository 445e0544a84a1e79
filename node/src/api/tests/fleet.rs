//! What head office looks at: how stores stand, who has the newest prices, what is at risk, and the pages that show it.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::Pair;
use super::work::stocked;

async fn fleet(pair: &Pair, query: &str) -> Value {
    pair.hub.get(&format!("/v1/fleet{query}")).await.expect(200)
}

#[tokio::test]
async fn a_store_that_is_cut_off_is_not_green_and_its_prices_are_late() {
    let pair = stocked().await;
    let place = json!({ "store": 1, "coordinates": { "lat": 52.5, "lon": 13.4 } });
    pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, place).await.expect(201);
    let goods = json!({ "document": "D-1", "lines": [{ "sku": "MILK", "quantity": 3 }] });
    pair.store.post("/v1/goods-receipts", "goods", goods).await.expect(201);
    let heard = async {
        loop {
            let seen = fleet(&pair, "?map=true").await;
            if seen["items"][0]["known_until"].is_string() {
                break seen;
            }
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, heard).await.expect("the hub hears of the goods");
    assert_eq!((&seen["totals"]["stores"], &seen["found"]), (&json!(1), &json!(1)), "{seen}");
    assert_eq!(seen["map"][0]["at"]["lat"], 52.5, "{seen}");
    assert_eq!(seen["items"][0]["version"], "test", "{seen}");
    let home = pair.hub.get("/v1/stores/1/home").await.expect(200);
    assert_eq!(home["nodes"][0]["version"], "test", "{home}");
    let rollout = pair.hub.get("/v1/rollout?book=main").await.expect(200);
    assert_eq!((&rollout["book"], &rollout["books"][0]["stores"]), (&json!("main"), &json!(1)), "{rollout}");

    pair.cut.send(true).await.unwrap();
    let price = json!({ "prices": [{ "sku": "MILK", "book": "main", "price": 139, "currency": "EUR" }] });
    pair.hub.post("/v1/prices", "later", price).await.expect(201);
    let seen = fleet(&pair, "?state=trouble").await;
    assert_eq!(seen["items"][0]["state"], "cut-off", "{seen}");
    assert!(seen["items"][0]["waiting"].as_u64().unwrap() > 0, "{seen}");
    let rollout = pair.hub.get("/v1/rollout?book=main").await.expect(200);
    assert_eq!((&rollout["prices_newest"], &rollout["late"][0]["store"]), (&json!(0), &json!(1)), "{rollout}");
    assert!(rollout["late"][0]["prices_behind"].as_u64().unwrap() > 0, "{rollout}");
    assert_eq!(fleet(&pair, "?search=nowhere").await["found"], 0);
    pair.hub.get("/v1/fleet?state=blue").await.expect(422);
}

#[tokio::test]
async fn a_paused_store_keeps_its_hours_and_takes_no_order() {
    let pair = stocked().await;
    let week: Vec<Value> = vec![json!([{ "from": "08:00", "until": "20:00" }]); 7];
    let service = json!({ "store": 1, "week": week, "parts_per_day": 9 });
    pair.hub.send(Method::PUT, "/v1/order-rules/service", Some("s"), service).await.expect(200);
    let pause = |paused: bool| json!({ "stores": [1], "paused": paused });
    pair.hub.post("/v1/order-rules/pause", "p", pause(true)).await.expect(200);
    let held = pair.hub.get("/v1/order-rules/service").await.expect(200);
    assert_eq!(
        (&held["items"][0]["parts_per_day"], &held["items"][0]["week"][0][0]["from"]),
        (&json!(0), &json!("08:00"))
    );
    let risk = pair.hub.get("/v1/risk").await.expect(200);
    assert_eq!((&risk["stores"][0]["paused"], &risk["stores"][0]["value"]), (&json!(true), &json!(0)), "{risk}");
    pair.hub.post("/v1/order-rules/pause", "r", pause(false)).await.expect(200);
    assert_eq!(pair.hub.get("/v1/order-rules/service").await.json()["items"][0]["parts_per_day"], Value::Null);
    pair.hub.post("/v1/order-rules/pause", "q", json!({ "stores": [9], "paused": true })).await.expect(422);
}

#[tokio::test]
async fn every_page_of_the_hub_can_be_read_and_none_is_at_a_store() {
    let pair = stocked().await;
    for path in PAGES {
        let page = pair.hub.get(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let text = page.text();
        assert!(text.contains("<h1>") && text.len() < 100_000, "{path} has {} bytes", text.len());
        assert_eq!(pair.store.get(path).await.status, 404, "{path}");
    }
    let found = pair.hub.get("/chain/stock?find=appl").await.text();
    assert!(found.contains("Apples") && !found.contains("Bread"), "{found}");
}

const PAGES: [&str; 10] = [
    "/fleet",
    "/fleet/1?lang=zh-CN",
    "/chain/orders",
    "/chain/rights?sku=MILK&store=1",
    "/chain/stock?sku=MILK",
    "/chain/prices?find=milk",
    "/chain/risk",
    "/enrol",
    "/security",
    "/fleet?state=trouble&lang=zh-CN",
];

const PATIENCE: Duration = Duration::from_secs(20);
