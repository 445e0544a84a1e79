//! Returns through the API of the store that sold, and what is refused.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::Pair;
use super::work::{sale, stocked};

/// Three loaves were sold at the store; gives the receipt's number.
async fn sold() -> (Pair, String) {
    let pair = stocked().await;
    let receipt = json!({ "lines": [{ "sku": "BREAD", "quantity": 10 }] });
    pair.store.post("/v1/goods-receipts", "goods", receipt).await.expect(201);
    let lines = json!([{ "sku": "BREAD", "quantity": 3 }]);
    let sold = pair.store.send(Method::POST, "/v1/sales", None, sale(1, lines, 750)).await.expect(201);
    let receipt = sold["receipt"].as_str().unwrap().to_owned();
    (pair, receipt)
}

fn back(receipt: &str, quantity: i64, disposition: &str) -> Value {
    let line = json!({ "sku": "BREAD", "quantity": quantity, "disposition": disposition });
    json!({ "receipt": receipt, "cash": true, "staff": "ben", "reason": "stale", "lines": [line] })
}

#[tokio::test]
async fn goods_come_back_once_and_the_figure_says_why() {
    let (pair, receipt) = sold().await;
    let made = pair.store.post("/v1/returns", "r1", back(&receipt, 2, "resale")).await;
    let body = made.expect(201);
    assert_eq!((&body["state"], &body["refund"], &body["paid"]), (&json!("paid"), &json!(500), &json!(500)), "{body}");
    assert_eq!((&body["lines"][0]["line"], &body["lines"][0]["granted"]), (&json!(1), &json!(2)));
    let again = pair.store.post("/v1/returns", "r1", back(&receipt, 2, "resale")).await;
    assert_eq!((again.expect(200), &again.headers["idempotent-replay"]), (body.clone(), &"true".parse().unwrap()));
    let path = format!("/v1/returns/{}", body["id"].as_str().unwrap());
    for node in [&pair.store, &pair.hub] {
        assert_eq!(node.get(&path).await.expect(200), body);
        assert_eq!(node.get("/v1/stock/BREAD?store=1").await.expect(200)["on_hand"], 9);
    }
    let history = pair.store.get("/v1/stock/BREAD/history").await.text();
    assert!(history.contains("2 brought back by a customer"), "{history}");
    let too_many = pair.store.post("/v1/returns", "r2", back(&receipt, 2, "scrap")).await.expect(409);
    assert!(too_many["detail"].as_str().unwrap().contains("1 of line 1 may still come back"), "{too_many}");
    pair.store.post("/v1/returns", "r3", back(&receipt, 1, "scrap")).await.expect(201);
    assert_eq!(pair.hub.get("/v1/stock/BREAD?store=1").await.expect(200)["on_hand"], 9);
    let paid = pair.store.post(&format!("{path}/paid"), "p", json!({})).await.expect(409);
    assert!(paid["detail"].as_str().unwrap().contains("were paid"), "{paid}");
}

#[tokio::test]
async fn a_receipt_is_signed_where_it_was_sold_and_bad_returns_are_refused() {
    let (pair, receipt) = sold().await;
    let path = format!("/v1/receipts/{receipt}/qr");
    let code = pair.store.get(&path).await.expect(200);
    assert_eq!(code["receipt"], receipt.as_str());
    assert!((100..400).contains(&code["signed"].as_str().unwrap().len()), "{code}");
    assert_eq!(pair.hub.get(&path).await.json()["type"], "/problems/not-here");
    assert_eq!(pair.store.get("/v1/receipts/1-9-1-1/qr").await.status.as_u16(), 404);
    assert_eq!(pair.store.get("/v1/returns/1-0000000001").await.status.as_u16(), 404);
    let line = json!([{ "sku": "BREAD", "quantity": 1, "amount": 200 }]);
    let bare = json!({ "cash": true, "lines": line });
    let mut both = back(&receipt, 1, "resale");
    both["order"] = json!("1-0000000001");
    let mut wrong = back(&receipt, 1, "resale");
    wrong["lines"][0]["line"] = json!(0);
    let mut dear = back(&receipt, 1, "resale");
    dear["lines"][0]["amount"] = json!(300);
    let bodies = [
        (bare.clone(), "invalid-field", "approver"),
        (both, "invalid-field", "order"),
        (wrong, "invalid-field", "lines[0].line"),
        (dear, "invalid-field", "lines[0].amount"),
        (back("1-9-1-1", 1, "resale"), "unknown-reference", "receipt"),
        (back("9-9-1-1", 1, "resale"), "unknown-reference", "receipt"),
    ];
    for (at, (body, kind, field)) in bodies.into_iter().enumerate() {
        let refused = pair.store.post("/v1/returns", &format!("bad-{at}"), body).await.json();
        assert_eq!(
            (&refused["type"], &refused["field"]),
            (&json!(format!("/problems/{kind}")), &json!(field)),
            "{refused}"
        );
    }
    let mut approved = bare;
    approved["approver"] = json!("mia");
    let taken = pair.store.post("/v1/returns", "m", approved).await.expect(201);
    assert_eq!((&taken["state"], &taken["paid"], &taken["approver"]), (&json!("paid"), &json!(200), &json!("mia")));
    assert_eq!(
        pair.hub.post("/v1/returns", "h", back(&receipt, 1, "resale")).await.json()["type"],
        "/problems/not-here"
    );
}
