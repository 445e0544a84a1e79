//! Goods through the API: what comes back, what goes to another store, what expires, what is counted.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, Reply};
use super::work::stocked;

#[tokio::test]
async fn goods_that_come_back_are_on_hand_only_if_they_can_be_sold_again() {
    let pair = delivered().await;
    let back = |disposition: &str| json!([{ "sku": "BREAD", "quantity": -1, "disposition": disposition }]);
    let resold = sell(&pair, 1, back("resale"), -250).await.expect(201);
    assert_eq!(resold["lines"][0]["disposition"], "resale");
    sell(&pair, 2, back("quarantine"), -250).await.expect(201);
    sell(&pair, 3, back("scrap"), -250).await.expect(201);
    let figure = pair.store.get("/v1/stock/BREAD").await.expect(200);
    assert_eq!((&figure["on_hand"], &figure["quarantined"], &figure["scrapped"]), (&json!(11), &json!(1), &json!(1)));
    let sold = sell(&pair, 4, json!([{ "sku": "BREAD", "quantity": 1, "disposition": "scrap" }]), 250).await;
    assert_eq!(sold.expect(422)["field"], "lines[0].disposition");
    let decide = async |key: &str, quantity: i64, to: &str| {
        let body = json!({ "sku": "BREAD", "quantity": quantity, "to": to, "reason": "sealed", "staff": "joe" });
        pair.store.post("/v1/quarantine", key, body).await
    };
    assert_eq!(decide("q1", 1, "quarantine").await.expect(422)["field"], "to");
    let many = decide("q2", 2, "scrap").await.expect(409);
    assert_eq!(many["detail"], "2 each of BREAD cannot leave quarantine: 1 are there");
    let decided = decide("q3", 1, "resale").await;
    assert_eq!((&decided.expect(201)["to"], &decided.json()["quantity"]), (&json!("resale"), &json!(1)));
    assert_eq!(decide("q3", 1, "resale").await.expect(200), decided.json());
    let history = pair.store.get("/v1/stock/BREAD/history").await.expect(200);
    let told: Vec<_> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["what"].as_str().unwrap(), entry["quarantined"].as_i64(), entry["running"].as_i64()))
        .collect();
    assert_eq!(
        told,
        [
            ("1 taken back into quarantine on receipt 1-3-1-2, till 3 no. 2, by ann", Some(1), None),
            ("1 taken back and thrown away on receipt 1-3-1-3, till 3 no. 3, by ann", None, None),
            ("1 out of quarantine: sealed, by joe", Some(-1), None),
            ("10 received under D-1, by joe", None, Some(10)),
            ("1 taken back on receipt 1-3-1-1, till 3 no. 1, by ann", None, Some(11)),
            ("1 back on the shelf out of quarantine: sealed, by joe", None, Some(12)),
        ]
    );
    assert_eq!((&history["on_hand"], &history["quarantined"]), (&json!(12), &json!(0)));
}

#[tokio::test]
async fn a_correction_has_a_standard_reason_or_a_text_of_its_own() {
    let pair = delivered().await;
    let adjust = async |key: &str, delta: i64, reason: &str| {
        let body = json!({ "sku": "BREAD", "delta": delta, "reason": reason, "lot": "B1", "staff": "joe" });
        pair.store.post("/v1/adjustments", key, body).await
    };
    assert_eq!(adjust("a1", -2, "expired").await.expect(201)["lot"], "B1");
    assert_eq!(adjust("a2", 1, "found").await.expect(201)["reason"], "found");
    adjust("a3", -1, "the dog ate it").await.expect(201);
    let wrong = adjust("a4", 1, "damage").await.expect(422);
    assert_eq!(
        (&wrong["field"], pair.store.get("/v1/stock/BREAD").await.json()["on_hand"].as_i64()),
        (&json!("delta"), Some(8))
    );
}

#[tokio::test]
async fn a_transfer_is_asked_for_shipped_and_received_with_a_difference() {
    let pair = delivered().await;
    enrol_second(&pair).await;
    let ask = json!({ "from": 2, "staff": "joe", "reason": "promotion", "lines": [{ "sku": "MILK", "quantity": 6 }] });
    let asked = pair.store.post("/v1/transfers", "t1", ask.clone()).await.expect(201);
    assert_eq!((&asked["state"], &asked["from"], &asked["to"]), (&json!("asked"), &json!(2), &json!(1)));
    assert_eq!(pair.store.post("/v1/transfers", "t1", ask).await.expect(200), asked);
    let id = asked["id"].as_str().unwrap();
    let ship = pair.store.post(&format!("/v1/transfers/{id}/ship"), "s0", json!({})).await.expect(409);
    assert!(ship["detail"].as_str().unwrap().contains("is asked by this store"), "{ship}");
    // The other store's log is not seen here: the goods are taken down by hand.
    let receive =
        async |key: &str, body: Value| pair.store.post(&format!("/v1/transfers/{id}/receive"), key, body).await;
    assert_eq!(receive("r0", json!({})).await.expect(422)["field"], "lines");
    let came = json!({ "staff": "joe", "lines": [{ "code": "96385074", "quantity": 5, "lot": "M7", "expiry": "2030-01-31" }] });
    let received = receive("r1", came).await.expect(201);
    assert_eq!((&received["state"], &received["lines"][0]["came"]), (&json!("received"), &json!(5)));
    assert_eq!(received["lines"][0].get("sent"), None, "nobody here knows what was sent");
    assert_eq!(receive("r2", json!({})).await.expect(409)["type"], "/problems/conflict");
    assert_eq!(pair.store.get("/v1/stock/MILK").await.expect(200)["on_hand"], 5);
    let at_hub = pair.hub.get(&format!("/v1/transfers/{id}")).await.expect(200);
    let line = &at_hub["lines"][0];
    assert_eq!((&at_hub["state"], &line["asked"], &line["came"]), (&json!("received"), &json!(6), &json!(5)));
    assert_eq!(at_hub["destination"]["store"], 1);
}

#[tokio::test]
async fn goods_in_transit_are_in_no_book_and_can_be_listed() {
    let pair = delivered().await;
    enrol_second(&pair).await;
    let push = |quantity: i64| {
        json!({ "to": 2, "staff": "kim", "due": "2020-01-01T00:00:00Z",
        "lines": [{ "sku": "BREAD", "quantity": quantity, "lot": "B1" }] })
    };
    let many = pair.store.post("/v1/transfers", "p0", push(11)).await.expect(409);
    assert!(many["detail"].as_str().unwrap().starts_with("11 each of BREAD cannot leave: 10 are on hand"), "{many}");
    let shipped = pair.store.post("/v1/transfers", "p1", push(4)).await.expect(201);
    assert_eq!((&shipped["state"], &shipped["lines"][0]["in_transit"]), (&json!("in-transit"), &json!(4)));
    assert_eq!(pair.store.get("/v1/stock/BREAD").await.expect(200)["on_hand"], 6);
    pair.store
        .post("/v1/transfers", "p2", json!({ "from": 2, "lines": [{ "sku": "MILK", "quantity": 1 }] }))
        .await
        .expect(201);
    let listed = async |query: &str| {
        let page = pair.hub.get(&format!("/v1/transfers{query}")).await.expect(200);
        page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await.len(), 2);
    assert_eq!(listed("?state=in-transit").await, std::slice::from_ref(&shipped["id"]));
    assert_eq!(listed("?overdue=true").await, std::slice::from_ref(&shipped["id"]), "it was due long ago");
    assert_eq!((listed("?store=2&limit=1").await.len(), listed("?store=3").await.len()), (1, 0));
    assert_eq!(listed("?differing=true").await, [] as [Value; 0]);
    let first = pair.hub.get("/v1/transfers?limit=1").await.expect(200);
    let rest =
        pair.hub.get(&format!("/v1/transfers?limit=1&after={}", first["next"].as_str().unwrap())).await.expect(200);
    assert_ne!(first["items"][0]["id"], rest["items"][0]["id"]);
    assert_eq!(pair.store.get("/v1/transfers?state=lost").await.expect(422)["field"], "state");
    pair.store.get("/v1/transfers/2-1").await.expect(404);
    assert_eq!(pair.store.get("/v1/transfers/2").await.expect(422)["field"], "id");
    pair.store.post("/v1/transfers/2-1/ship", "p3", json!({})).await.expect(404);
    let both = json!({ "from": 2, "to": 2, "lines": [] });
    assert_eq!(pair.store.post("/v1/transfers", "p4", both).await.expect(422)["field"], "to");
    let nowhere = json!({ "to": 9, "lines": [{ "sku": "BREAD", "quantity": 1 }] });
    assert_eq!(
        pair.store.post("/v1/transfers", "p5", nowhere).await.expect(422)["type"],
        "/problems/unknown-reference"
    );
    pair.hub
        .post("/v1/transfers", "p6", json!({ "to": 1, "lines": [{ "sku": "BREAD", "quantity": 1 }] }))
        .await
        .expect(409);
}

#[tokio::test]
async fn lots_are_shown_in_the_order_in_which_they_expire() {
    let pair = stocked().await;
    let lines = json!([
        { "sku": "BREAD", "quantity": 4, "lot": "LATE", "expiry": "2099-01-31" },
        { "sku": "BREAD", "quantity": 3, "lot": "GONE", "expiry": "2020-01-31" },
        { "sku": "MILK", "quantity": 2 }]);
    pair.store.post("/v1/goods-receipts", "g", json!({ "lines": lines })).await.expect(201);
    sell(&pair, 1, json!([{ "sku": "BREAD", "quantity": 1 }]), 250).await.expect(201);
    let shown = pair.store.get("/v1/stock/BREAD/lots").await.expect(200);
    assert_eq!((&shown["on_hand"], &shown["unassigned"]), (&json!(6), &json!(0)));
    let told =
        |lot: &Value| (lot["lot"].as_str().unwrap().to_owned(), lot["quantity"].as_i64(), lot["expired"].as_bool());
    let lots: Vec<_> = shown["lots"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(lots, [("GONE".into(), Some(2), Some(true)), ("LATE".into(), Some(4), Some(false))]);
    let expiring = pair.store.get("/v1/expiring?within_days=30").await.expect(200);
    let items = expiring["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["sku"], &items[0]["expiry"]), (1, &json!("BREAD"), &json!("2020-01-31")));
    assert!(items[0]["days_left"].as_i64().unwrap() < 0);
    let all = pair.hub.get("/v1/expiring?store=1&within_days=40000").await.expect(200);
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_count_sheet_says_how_far_it_is_and_what_to_count_again() {
    let pair = delivered().await;
    let open = json!({ "session": 7, "skus": ["BREAD", "MILK", "APPLE"], "staff": "eve" });
    let opened = pair.store.post("/v1/counts", "c1", open.clone()).await.expect(201);
    assert_eq!((&opened["session"], opened["lines"].as_array().unwrap().len()), (&json!(7), 3));
    assert_eq!(pair.store.post("/v1/counts", "c1", open.clone()).await.expect(200), opened);
    assert_eq!(
        pair.store.post("/v1/counts", "c2", open).await.expect(409)["detail"],
        "count session 7 is open already"
    );
    let scan = async |key: &str, sku: &str, quantity: i64, staff: &str, settles: bool| {
        let body = json!({ "zone": "shelf", "sku": sku, "quantity": quantity, "staff": staff, "settles": settles });
        pair.store.post("/v1/counts/7/scans", key, body).await
    };
    scan("1", "BREAD", 9, "joe", false).await.expect(201);
    scan("2", "BREAD", 8, "kim", false).await.expect(201);
    scan("3", "APPLE", 4_000, "kim", false).await.expect(201);
    let wrong = json!({ "sku": "APPLE", "unit": "each", "quantity": 3 });
    let wrong = pair.store.post("/v1/counts/7/scans", "4", wrong).await.expect(422);
    assert_eq!(
        (&wrong["field"], &wrong["detail"]),
        (&json!("unit"), &json!("unit: APPLE is counted in gram, not in each"))
    );
    let shown = pair.store.get("/v1/counts/7").await.expect(200);
    let progress = json!({ "sheet": 3, "counted": 1, "uncounted": 1, "recount": 1, "off_sheet": 0 });
    assert_eq!((&shown["progress"], &shown["recount"]), (&progress, &json!(["BREAD"])));
    let bread = &shown["lines"][0];
    assert_eq!((&bread["status"], &bread["book"]), (&json!("recount"), &json!(10)));
    assert!(bread["recount"].as_str().unwrap().starts_with("counters found 9 and 8 in zone shelf"), "{bread}");
    let refused = pair.store.post("/v1/counts/7/close", "x1", json!({})).await.expect(409);
    assert!(refused["detail"].as_str().unwrap().contains("counters of BREAD found 9 and 8"), "{refused}");
    assert_eq!(scan("5", "BREAD", 9, "eve", true).await.expect(201)["settles"], true);
    let closed = pair.store.post("/v1/counts/7/close", "x2", json!({ "uncounted": "zero" })).await.expect(201);
    let lines: Vec<_> = closed["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["sku"].as_str(), line["quantity"].as_i64()))
        .collect();
    assert_eq!(lines, [(Some("APPLE"), Some(4_000)), (Some("BREAD"), Some(9)), (Some("MILK"), Some(0))]);
    assert_eq!(pair.store.get("/v1/counts/7").await.expect(200)["status"], "closed");
    assert_eq!(pair.store.get("/v1/stock/BREAD").await.expect(200)["on_hand"], 9);
}

#[tokio::test]
async fn a_blind_count_hides_the_book_and_a_sheet_can_be_made_of_it() {
    let pair = delivered().await;
    let open = json!({ "in_book": true, "blind": true });
    let opened = pair.store.post("/v1/counts", "c1", open).await.expect(201);
    let skus: Vec<_> = opened["lines"].as_array().unwrap().iter().map(|line| line["sku"].clone()).collect();
    assert_eq!(skus, ["BREAD"], "only bread was ever delivered");
    let session = opened["session"].as_u64().unwrap();
    let shown = pair.store.get(&format!("/v1/counts/{session}")).await.expect(200);
    assert_eq!((&shown["blind"], shown["lines"][0].get("book")), (&json!(true), None));
    let dairy = json!({ "sku": "MILK", "name": "Milk", "department": "dairy" });
    pair.hub.send(Method::PUT, "/v1/products/MILK", Some("d"), dairy).await.expect(200);
    let opened = pair.store.post("/v1/counts", "c2", json!({ "department": "dairy" })).await.expect(201);
    assert_eq!((&opened["department"], &opened["lines"][0]["sku"]), (&json!("dairy"), &json!("MILK")));
    assert_eq!(
        pair.store.post("/v1/counts", "c3", json!({ "department": "toys" })).await.expect(422)["field"],
        "department"
    );
    assert_eq!(pair.store.post("/v1/counts", "c4", json!({})).await.expect(422)["field"], "skus");
    pair.store.get("/v1/counts/4711").await.expect(404);
}

/// The stocked pair with ten loaves at the store.
async fn delivered() -> Pair {
    let pair = stocked().await;
    let body = json!({ "document": "D-1", "staff": "joe", "lines": [{ "sku": "BREAD", "quantity": 10 }] });
    pair.store.post("/v1/goods-receipts", "delivery", body).await.expect(201);
    pair
}

/// A second store that is known by its record only.
async fn enrol_second(pair: &Pair) {
    let order = json!({ "store": 2, "name": "Two", "currency": "EUR", "valid_s": 3600 });
    pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, order).await.expect(201);
}

async fn sell(pair: &Pair, till_seq: u64, lines: Value, total: i64) -> Reply {
    let body = json!({ "till": 3, "till_seq": till_seq, "cashier": "ann", "approver": "eve", "lines": lines,
        "tenders": [{ "kind": "cash", "amount": total }] });
    pair.store.send(Method::POST, "/v1/sales", None, body).await
}
