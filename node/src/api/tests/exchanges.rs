//! Exchanges and cash refunds through the API, and the drawer that has to agree.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::Pair;
use super::work::{sale, stocked};

/// Three loaves were sold at the store for 750.
async fn sold() -> Pair {
    let pair = stocked().await;
    let goods = json!({ "lines": [{ "sku": "BREAD", "quantity": 10 }, { "sku": "MILK", "quantity": 12 }] });
    pair.store.post("/v1/goods-receipts", "goods", goods).await.expect(201);
    let lines = json!([{ "sku": "BREAD", "quantity": 3 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(1, lines, 750)).await.expect(201);
    pair
}

/// One loaf for so many bottles of milk at 129.
fn for_milk(bottles: i64, on_top: i64) -> Value {
    json!({
        "returned": { "receipt": "1-3-1-1", "staff": "ben", "lines": [{ "sku": "BREAD", "quantity": 1 }] },
        "sale": {
            "till": 3, "till_seq": 2, "cashier": "ben", "lines": [{ "sku": "MILK", "quantity": bottles }],
            "tenders": [{ "kind": "card", "amount": on_top }],
        },
    })
}

async fn today(pair: &Pair) -> Value {
    let days = pair.store.get("/v1/days").await.expect(200);
    days["items"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn an_exchange_takes_goods_back_and_sells_others_once() {
    let pair = sold().await;
    let wrong = pair.store.post("/v1/exchanges", "x0", for_milk(3, 387)).await.expect(422);
    assert_eq!(wrong["field"], "sale.tenders", "{wrong}");
    assert!(wrong["detail"].as_str().unwrap().contains("137 are due"), "{wrong}");
    let mut ghost = for_milk(3, 137);
    ghost["returned"]["lines"][0]["quantity"] = json!(4);
    pair.store.post("/v1/exchanges", "x1", ghost).await.expect(409);
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["last_till_seq"], 1, "no half of it was written");

    let made = pair.store.post("/v1/exchanges", "x2", for_milk(3, 137)).await.expect(201);
    assert_eq!((&made["difference"], &made["returned"]["paid"]), (&json!(137), &json!(250)), "{made}");
    assert_eq!((&made["sale"]["total"], &made["sale"]["tenders"][1]["amount"]), (&json!(387), &json!(250)));
    assert_eq!(made["reference"], made["returned"]["id"]);
    assert_eq!(made["sale"]["tenders"][1]["reference"], made["reference"]);
    let again = pair.store.post("/v1/exchanges", "x2", for_milk(3, 137)).await;
    assert_eq!((again.expect(200), &again.headers["idempotent-replay"]), (made, &"true".parse().unwrap()));
    let other = pair.store.post("/v1/exchanges", "x2", for_milk(2, 8)).await.expect(422);
    assert_eq!(other["type"], "/problems/key-reused");
    for (sku, left) in [("BREAD", 8), ("MILK", 9)] {
        assert_eq!(pair.hub.get(&format!("/v1/stock/{sku}?store=1")).await.expect(200)["on_hand"], left, "{sku}");
    }
    let day = today(&pair).await;
    assert_eq!((&day["total"], &day["receipts"]), (&json!(887), &json!(2)), "{day}");
    assert_eq!((&day["tenders"]["cash"], &day["tenders"]["card"]), (&json!(750), &json!(137)), "no cash moved: {day}");
    assert_eq!(pair.hub.post("/v1/exchanges", "h", for_milk(3, 137)).await.json()["type"], "/problems/not-here");
}

#[tokio::test]
async fn a_receipt_whose_goods_came_back_is_not_voided_as_well() {
    let pair = sold().await;
    let back = json!({ "receipt": "1-3-1-1", "cash": true, "lines": [{ "sku": "BREAD", "quantity": 2 }] });
    pair.store.post("/v1/returns", "r", back).await.expect(201);
    let void = json!({ "till": 3, "till_seq": 9, "approver": "eve" });
    let refused = pair.store.send(Method::POST, "/v1/receipts/1-3-1-1/void", None, void).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("came back"), "{refused}");
}

#[tokio::test]
async fn a_day_that_is_closed_after_a_cash_refund_agrees_with_the_drawer() {
    let pair = sold().await;
    let back = json!({ "receipt": "1-3-1-1", "cash": true, "lines": [{ "sku": "BREAD", "quantity": 2 }] });
    pair.store.post("/v1/returns", "r", back.clone()).await.expect(201);
    pair.store.post("/v1/returns", "r", back).await.expect(200);
    let closed = pair.store.post("/v1/days/close", "c", json!({ "staff": "eve" })).await.expect(201);
    assert_eq!((&closed["tenders"]["cash"], &closed["total"]), (&json!(250), &json!(250)), "{closed}");
    assert_eq!((&closed["refunds"], &closed["refunded"]), (&json!(1), &json!(500)), "{closed}");
    let mut as_listed = pair.hub.get("/v1/days?store=1").await.expect(200)["items"][0].take();
    as_listed["open_shifts"] = json!([]);
    assert_eq!(as_listed, closed);
}
