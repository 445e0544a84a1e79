//! A day's work through the API: every endpoint when all goes well.

use axum::http::Method;
use serde_json::{Value, json};
use stockroom_crdt::gtin::Gtin;

use super::pair::{Pair, Reply, call, start};

/// Bread by the piece, apples by weight, milk with a case of twelve; prices in the store's book.
pub async fn stocked() -> Pair {
    let pair = start();
    let csv = "sku,name,unit,barcodes,item_number,price,currency\n\
               BREAD,Bread,each,4006381333931,,250,EUR\n\
               APPLE,Apples,gram,,12345,399,EUR\n\
               MILK,Milk,each,96385074;10012345678902*12,,129,EUR\n";
    let reply = import(&pair, "?book=main&from=2020-01-01T00:00:00Z", "stock", csv).await;
    assert_eq!(reply.expect(201)["products"], 3);
    pair
}

pub async fn import(pair: &Pair, query: &str, key: &str, csv: &str) -> Reply {
    let headers = [("content-type", "text/csv; charset=utf-8"), ("idempotency-key", key)];
    let path = format!("/v1/products/import{query}");
    call(&pair.hub.local, Method::POST, &path, &headers, csv.into()).await
}

pub fn sale(till_seq: u64, lines: Value, total: i64) -> Value {
    json!({ "till": 3, "till_seq": till_seq, "cashier": "ann", "lines": lines,
        "tenders": [{ "kind": "cash", "amount": total }] })
}

#[tokio::test]
async fn products_are_written_at_the_hub_and_read_at_the_store() {
    let pair = stocked().await;
    let body = json!({ "sku": "EGGS", "name": "Eggs", "barcodes": [{ "gtin": "036000291452", "pack": 6 }], "excluded": ["pickup"], "age_min": 0 });
    let created = pair.hub.post("/v1/products", "eggs", body.clone()).await;
    assert_eq!(created.expect(201)["sku"], "EGGS");
    let again = pair.hub.post("/v1/products", "eggs", body.clone()).await;
    assert_eq!(again.expect(200), created.json());
    assert_eq!(again.headers["idempotent-replay"], "true");
    let held = pair.store.get("/v1/products/EGGS").await.expect(200);
    assert_eq!((held["barcodes"][0]["pack"].as_u64(), &held["excluded"]), (Some(6), &json!(["pickup"])));
    let renamed = json!({ "sku": "EGGS", "name": "Six eggs" });
    pair.hub.send(Method::PUT, "/v1/products/EGGS", Some("rename"), renamed).await.expect(200);
    assert_eq!(pair.store.get("/v1/products/EGGS").await.json()["name"], "Six eggs");
    let first = pair.store.get("/v1/products?limit=2").await.expect(200);
    let skus = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|p| p["sku"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((skus(&first), first["next"].as_str()), (vec!["APPLE".into(), "BREAD".into()], Some("BREAD")));
    let rest = pair.store.get("/v1/products?after=BREAD").await.expect(200);
    assert_eq!((skus(&rest), &rest["next"]), (vec!["EGGS".into(), "MILK".into()], &Value::Null));
}

#[tokio::test]
async fn pages_do_not_skip_skus_that_begin_like_others() {
    let pair = start();
    let csv = "sku,name\n1,a\n10,b\n100,c\n11,d\n1-1,e\n";
    import(&pair, "", "k", csv).await.expect(201);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = pair.hub.get(&format!("/v1/products?limit=1{after}")).await.expect(200);
        let Some(item) = page["items"].get(0) else { break };
        found.push(item["sku"].as_str().unwrap().to_owned());
        after = format!("&after={}", found.last().unwrap());
    }
    assert_eq!(found, ["1", "1-1", "10", "100", "11"]);
}

#[tokio::test]
async fn prices_have_a_start() {
    let pair = stocked().await;
    let prices = json!({ "prices": [
        { "sku": "BREAD", "book": "main", "price": 199, "currency": "EUR", "from": "2021-01-01T00:00:00Z" },
        { "sku": "MILK", "book": "main", "price": null, "currency": "EUR", "from": "2021-01-01T00:00:00Z" },
    ] });
    assert_eq!(pair.hub.post("/v1/prices", "p", prices).await.expect(201)["count"], 2);
    let bread = pair.store.get("/v1/prices?sku=BREAD").await.expect(200);
    assert_eq!(bread["items"][0]["price"], 199);
    assert_eq!(bread["items"][0]["schedule"].as_array().unwrap().len(), 2);
    let before = pair.store.get("/v1/prices?at=2020-06-01T00:00:00Z").await.expect(200);
    assert_eq!(
        before["items"].as_array().unwrap().iter().map(|p| p["price"].as_i64()).collect::<Vec<_>>(),
        [Some(399), Some(250), Some(129)]
    );
    assert_eq!(pair.hub.get("/v1/prices?book=main&sku=MILK").await.json()["items"][0]["price"], Value::Null);
}

#[tokio::test]
async fn a_code_means_a_piece_a_pack_a_weight_or_a_price() {
    let pair = stocked().await;
    let layouts = [(21, "weight"), (22, "price")];
    for (prefix, embedded) in layouts {
        let body = json!({ "item_digits": 5, "embedded": embedded });
        pair.hub.send(Method::PUT, &format!("/v1/templates/{prefix}"), Some("t"), body).await.expect(200);
    }
    let scan = async |code: &str| pair.store.get(&format!("/v1/scan/{code}")).await;
    assert_eq!(scan("4006381333931").await.expect(200)["unit_price"], 250);
    assert_eq!(scan("10012345678902").await.expect(200)["quantity"], 12);
    let (weighed, priced) = (in_store(211_234_500_750), in_store(221_234_500_300));
    assert_eq!(scan(&weighed).await.expect(200)["quantity"], 750);
    assert_eq!(scan(&priced).await.expect(200)["label_price"], 300);
    // 750 g at 3.99 are 2.99; the price label says 3.00 and is what the customer pays, whatever 752 g would cost.
    let lines = json!([{ "code": weighed }, { "code": priced }, { "code": "10012345678902" }, { "code": "10012345678902", "quantity": 2 }]);
    let sold =
        pair.store.send(Method::POST, "/v1/sales", None, sale(1, lines, 299 + 300 + 3 * 12 * 129)).await.expect(201);
    assert_eq!(sold["lines"][0]["quantity"], 750);
    assert_eq!((sold["lines"][1]["quantity"].as_i64(), sold["lines"][1]["amount"].as_i64()), (Some(752), Some(300)));
    assert_eq!(sold["lines"][3]["quantity"], 24);
}

#[tokio::test]
async fn a_sale_is_rung_up_once_however_often_it_is_sent() {
    let pair = stocked().await;
    let mut body = sale(
        1,
        json!([{ "sku": "BREAD", "quantity": 2 }, { "sku": "GHOST", "quantity": 1, "unit_price": 99, "tax": { "code": "A", "rate_bp": 700, "amount": 6 } }]),
        600,
    );
    (body["cash_rounding"], body["fiscal"]) = (json!(1), json!("hex:0102"));
    let first = pair.store.send(Method::POST, "/v1/sales", None, body.clone()).await;
    let sold = first.expect(201);
    assert_eq!((&sold["receipt"], &sold["business_day"], &sold["late"]), (&json!("1-3-1-1"), &json!(1), &json!(false)));
    assert_eq!((&sold["lines"][0]["unknown_sku"], &sold["lines"][1]["unknown_sku"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&sold["total"], &sold["fiscal"], &sold["lines"][1]["tax"]["rate_bp"]),
        (&json!(600), &json!("AQI="), &json!(700))
    );
    let again = pair.store.send(Method::POST, "/v1/sales", None, body.clone()).await;
    assert_eq!(again.expect(200), sold);
    assert_eq!(again.headers["idempotent-replay"], "true");
    body["cashier"] = json!("bob");
    let other = pair.store.send(Method::POST, "/v1/sales", None, body).await;
    assert_eq!(other.expect(422)["type"], "/problems/key-reused");
    assert_eq!(pair.store.get("/v1/days").await.expect(200)["items"][0]["receipts"], 1);
    let read = pair.store.get("/v1/sales/3/1").await.expect(200);
    assert_eq!((&read["receipt"], &read["voided"]), (&sold["receipt"], &json!(false)));
    let till = pair.store.get("/v1/tills/3").await.expect(200);
    assert_eq!((&till["next_till_seq"], &till["last_receipt"]), (&json!(2), &sold["receipt"]));
    assert_eq!(pair.store.get("/v1/tills/4").await.expect(200)["next_till_seq"], 1);
    // The hub has it too.
    assert_eq!(pair.hub.get("/v1/receipts/1-3-1-1").await.expect(200), read);
    assert_eq!(pair.hub.get("/v1/sales/3/1?store=1").await.expect(200), read);
}

#[tokio::test]
async fn a_code_that_nobody_knows_is_sold_with_a_flag() {
    let pair = stocked().await;
    let lines = json!([{ "code": "0000000001311", "unit_price": 100 }]);
    let sold = pair.store.send(Method::POST, "/v1/sales", None, sale(1, lines, 100)).await.expect(201);
    assert_eq!((&sold["lines"][0]["sku"], &sold["lines"][0]["unknown_sku"]), (&json!("0000000001311"), &json!(true)));
}

#[tokio::test]
async fn a_receipt_is_voided_once_and_counts_as_the_tills_number() {
    let pair = stocked().await;
    let bread = json!([{ "sku": "BREAD", "quantity": 1 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(1, bread, 250)).await.expect(201);
    let body = json!({ "till": 3, "till_seq": 2, "cashier": "ann", "approver": "eve" });
    let void = pair.store.send(Method::POST, "/v1/receipts/1-3-1-1/void", None, body.clone()).await;
    assert_eq!((&void.expect(201)["voids"], &void.json()["total"]), (&json!("1-3-1-1"), &json!(-250)));
    assert_eq!(pair.store.send(Method::POST, "/v1/receipts/1-3-1-1/void", None, body).await.expect(200), void.json());
    let again = json!({ "till": 3, "till_seq": 3, "approver": "eve" });
    assert_eq!(
        pair.store.send(Method::POST, "/v1/receipts/1-3-1-1/void", None, again).await.expect(409)["type"],
        "/problems/conflict"
    );
    assert_eq!(pair.store.get("/v1/receipts/1-3-1-1").await.expect(200)["voided"], true);
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["last_till_seq"], 2);
}

#[tokio::test]
async fn a_figure_explains_itself() {
    let pair = stocked().await;
    let receipt = json!({ "document": "D-1", "staff": "joe", "lines": [
        { "code": "10012345678902", "quantity": 2, "lot": "L1", "expiry": "2030-01-31" }, { "sku": "APPLE", "quantity": 5000 }] });
    let received = pair.store.post("/v1/goods-receipts", "r1", receipt.clone()).await.expect(201);
    assert_eq!(
        (&received["lines"][0]["quantity"], &received["lines"][0]["expiry"]),
        (&json!(24), &json!("2030-01-31"))
    );
    assert_eq!(pair.store.post("/v1/goods-receipts", "r1", receipt).await.expect(200), received);
    let milk = json!([{ "sku": "MILK", "quantity": 3 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(1, milk, 387)).await.expect(201);
    let broken = json!({ "sku": "MILK", "delta": -1, "reason": "broken", "staff": "joe" });
    pair.store.post("/v1/adjustments", "a1", broken).await.expect(201);
    for (zone, quantity) in [("shelf", 8), ("back", 11)] {
        let scan = json!({ "zone": zone, "sku": "MILK", "quantity": quantity, "staff": "kim" });
        assert_eq!(pair.store.post("/v1/counts/7/scans", zone, scan).await.expect(201)["unit"], "each");
    }
    let open = pair.store.get("/v1/counts/7").await.expect(200);
    assert_eq!((&open["status"], open["scans"].as_array().unwrap().len()), (&json!("open"), 2));
    let closed = pair.store.post("/v1/counts/7/close", "c", json!({ "staff": "kim" })).await.expect(201);
    assert_eq!((&closed["lines"][0]["quantity"], &closed["lines"][0]["recount"]), (&json!(19), &Value::Null));
    assert_eq!(pair.store.get("/v1/counts/7").await.expect(200)["status"], "closed");
    let milk = json!([{ "sku": "MILK", "quantity": 2 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(2, milk, 258)).await.expect(201);
    let history = pair.store.get("/v1/stock/MILK/history").await.expect(200);
    let told: Vec<_> = history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["what"].as_str().unwrap(), e["covered"].as_bool().unwrap(), e["running"].as_i64()))
        .collect();
    assert_eq!(
        told,
        [
            ("24 received under D-1, by joe", true, None),
            ("3 sold on receipt 1-3-1-1, till 3 no. 1, by ann", true, None),
            ("corrected by -1: broken, by joe", true, None),
            ("19 counted in session 7, by kim", false, Some(19)),
            ("2 sold on receipt 1-3-1-2, till 3 no. 2, by ann", false, Some(17)),
        ]
    );
    assert_eq!((&history["on_hand"], &history["age_s"]), (&json!(17), &json!(0)));
    let stock = pair.store.get("/v1/stock").await.expect(200);
    assert_eq!(
        stock["items"].as_array().unwrap().iter().map(|s| s["on_hand"].as_i64().unwrap()).collect::<Vec<_>>(),
        [5000, 17]
    );
    assert_eq!(pair.store.get("/v1/stock/BREAD").await.expect(200)["on_hand"], 0);
    let at_hub = pair.hub.get("/v1/stock/MILK?store=1").await.expect(200);
    assert_eq!(
        (&at_hub["on_hand"], &at_hub["counted"]["session"], &at_hub["connected"]),
        (&json!(17), &json!(7), &json!(true))
    );
}

#[tokio::test]
async fn days_are_opened_and_closed() {
    let pair = stocked().await;
    let opened = pair.store.post("/v1/days/open", "o", json!({ "staff": "ann" })).await.expect(201);
    assert_eq!((&opened["number"], &opened["staff"]), (&json!(1), &json!("ann")));
    assert_eq!(pair.store.post("/v1/days/open", "o2", json!({})).await.expect(409)["type"], "/problems/conflict");
    let bread = json!([{ "sku": "BREAD", "quantity": 1 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(1, bread.clone(), 250)).await.expect(201);
    let closed = pair.store.post("/v1/days/close", "c", json!({})).await.expect(201);
    assert_eq!(
        (&closed["total"], &closed["tenders"]["cash"], &closed["currency"]),
        (&json!(250), &json!(250), &json!("EUR"))
    );
    let mut late = sale(2, bread, 250);
    late["rung_at"] = json!("2024-01-01T12:00:00Z");
    let late = pair.store.send(Method::POST, "/v1/sales", None, late).await.expect(201);
    assert_eq!(
        (&late["business_day"], &late["late"], &late["rung_at"]),
        (&json!(2), &json!(true), &json!("2024-01-01T12:00:00Z"))
    );
    let days = pair.hub.get("/v1/days?store=1&limit=1").await.expect(200);
    assert_eq!((&days["items"][0]["number"], &days["items"][0]["late"]), (&json!(2), &json!(1)));
    let stores = pair.hub.get("/v1/stores").await.expect(200);
    let store = &stores["items"][0];
    assert_eq!(
        (&store["name"], &store["days"][0]["total"], &store["connected"]),
        (&json!("Main Street"), &json!(250), &json!(true))
    );
    assert!(store["age_s"].as_u64().unwrap() < 60, "{store}");
    assert_eq!(pair.hub.get("/v1/stores/1").await.expect(200)["accounts"], 1);
}

#[tokio::test]
async fn a_recall_stops_a_line_unless_somebody_approves() {
    let pair = stocked().await;
    let recall = json!({ "active": true, "reason": "glass" });
    pair.hub.send(Method::PUT, "/v1/products/BREAD/recall", Some("r"), recall).await.expect(200);
    assert_eq!(pair.store.get("/v1/scan/4006381333931").await.expect(200)["recall"]["reason"], "glass");
    let mut body = sale(1, json!([{ "sku": "BREAD", "quantity": 1 }]), 250);
    let stopped = pair.store.send(Method::POST, "/v1/sales", None, body.clone()).await.expect(409);
    assert_eq!((&stopped["type"], &stopped["field"]), (&json!("/problems/sale-stopped"), &json!("lines[0]")));
    body["approver"] = json!("eve");
    assert_eq!(
        pair.store.send(Method::POST, "/v1/sales", None, body).await.expect(201)["lines"][0]["overridden"],
        true
    );
}

#[tokio::test]
async fn the_status_and_the_figures_tell_of_both_nodes() {
    let pair = stocked().await;
    pair.store
        .send(Method::POST, "/v1/sales", None, sale(1, json!([{ "sku": "BREAD", "quantity": 1 }]), 250))
        .await
        .expect(201);
    let status = pair.store.get("/v1/status").await.expect(200);
    assert_eq!(
        (&status["role"], &status["epoch"]["reason"], &status["disk"]),
        (&json!("store"), &json!("first start"), &json!("ample"))
    );
    assert_eq!((&status["peers"][0]["relation"], &status["peers"][0]["ready"]), (&json!("parent"), &json!(true)));
    assert_eq!(status["backlog"]["entries"], 0, "{status}");
    let figures = pair.store.get("/metrics").await;
    for line in [
        "stockroom_sales_total 1",
        "stockroom_backlog_entries 0",
        "peer_ready{peer=\"1\"} 1",
        "route=\"/v1/sales\"",
        "disk_state{state=\"ample\"} 1",
    ] {
        assert!(figures.text().contains(line), "{line} is not in {}", figures.text());
    }
    assert!(figures.text().ends_with("# EOF\n"));
    assert_eq!(pair.store.get("/healthz").await.text(), "ok\n");
    assert_eq!(pair.store.get("/readyz").await.expect(200)["ready"], true);
    assert_eq!(pair.store.get("/").await.expect(200)["openapi"], "/openapi.json");
}

#[tokio::test]
async fn nodes_are_let_in_and_fenced_at_the_hub() {
    let pair = start();
    let order = json!({ "store": 8, "name": "Eight", "currency": "EUR", "valid_s": 3600 });
    let token = pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, order).await.expect(201);
    assert!(token["token"].as_str().unwrap().len() > 32);
    let order = json!({ "store": 8 });
    assert_eq!(
        pair.store.send(Method::POST, "/v1/enrolment-tokens", None, order).await.expect(409)["type"],
        "/problems/not-here"
    );
    let nodes = pair.hub.get("/v1/nodes").await.expect(200);
    assert_eq!(nodes["items"].as_array().unwrap().len(), 2);
    let lost = json!({ "reason": "lost" });
    pair.hub.send(Method::POST, "/v1/nodes/77/fence", None, lost).await.expect(404);
    let cut = pair.store.send(Method::POST, "/v1/test/isolate", None, json!({ "node": 1, "cut": true })).await;
    assert_eq!(
        (cut.expect(200)["cut"].clone(), pair.store.cuts.lock().unwrap().as_slice()),
        (json!(true), &[(Some(1), true)][..])
    );
    pair.hub.send(Method::POST, "/v1/test/isolate", None, json!({ "cut": true })).await.expect(404);
}

#[tokio::test]
async fn a_backup_is_taken_while_the_node_runs() {
    let pair = stocked().await;
    let kept = pair.store.send(Method::POST, "/v1/backup", None, json!({})).await.expect(201);
    let path = std::path::PathBuf::from(kept["path"].as_str().unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), kept["bytes"].as_u64().unwrap());
    let sent = pair.store.get("/v1/backup").await;
    assert_eq!(sent.headers["content-length"], sent.bytes.len().to_string().as_str());
    assert!(sent.bytes.len() > 1_000);
}

#[tokio::test]
async fn events_are_cloud_events_and_name_what_was_lost() {
    let pair = stocked().await;
    let follow = async |last: Option<&str>| {
        let headers: Vec<_> = last.map(|last| ("last-event-id", last)).into_iter().collect();
        call(&pair.store.local, Method::GET, "/v1/events", &headers, Vec::new()).await
    };
    let work = async {
        tokio::task::yield_now().await;
        let body = sale(1, json!([{ "sku": "BREAD", "quantity": 1 }]), 250);
        pair.store.send(Method::POST, "/v1/sales", None, body).await.expect(201);
        pair.store.stop.send_replace(true);
    };
    let (stream, resumed, ()) = tokio::join!(follow(None), follow(Some("2.999/5")), work);
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let events = |reply: &Reply| -> Vec<Value> {
        reply
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    };
    let seen = events(&stream);
    let sold = seen.iter().find(|event| event["type"] == "dev.stockroom.sale.recorded").unwrap();
    assert_eq!(
        (&sold["specversion"], &sold["subject"], &sold["data"]["total"]),
        (&json!("1.0"), &json!("receipt/1-3-1-1"), &json!(250))
    );
    assert_eq!(sold["source"], format!("stockroom/{}/2", "00".repeat(16)));
    assert_eq!(events(&resumed)[0]["type"], "dev.stockroom.events.lost");
}

fn in_store(body: u64) -> String {
    (0..10).find_map(|check| Gtin::from_number(body * 10 + check).ok()).unwrap().to_string()[1..].to_owned()
}
