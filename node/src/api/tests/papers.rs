//! Sheets in a browser and on the shop's printer, as they follow from the record.

use axum::http::Method;
use serde_json::{Value, json};

use super::orders::{act, bread, make_ready, market, placed};
use super::pair::{Node, Pair};
use super::work::sale;

/// Prints everything that waits; what stands on the paper that came out of it, without the printer's commands.
pub fn printed(pair: &Pair) -> String {
    let (_, info, config) = &pair.store.parts;
    let printer = config.printer.as_ref().unwrap();
    while printer.print_next().unwrap() {}
    let path = info.data_dir.join("paper.bin");
    let bytes = std::fs::read(&path).unwrap_or_default();
    if !bytes.is_empty() {
        std::fs::remove_file(path).unwrap();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn page(node: &Node, path: &str) -> String {
    let reply = node.get(path).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text());
    assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
    assert!(reply.headers["content-security-policy"].to_str().unwrap().contains("style-src 'unsafe-inline'"));
    reply.text()
}

#[tokio::test]
async fn an_orders_sheets_are_printed_once_and_then_as_copies() {
    let pair = market().await;
    let (order, code) = placed(&pair, "o", bread(2)).await;
    let path = format!("/v1/fulfillments/{order}");
    let print = async |key: &str, body: Value| pair.store.post(&format!("{path}/print"), key, body).await;
    let early = print("k0", json!({ "sheet": "label" })).await.expect(409);
    assert!(early["detail"].as_str().unwrap().contains("accept it first"), "{early}");
    act(&pair, &order, "accept", json!({ "staff": "anna" })).await.expect(200);

    let listed = page(&pair.store, &format!("{path}/sheets/pick-list?format=html")).await;
    assert!(listed.contains("Pick list") && listed.contains("Bread") && listed.contains("4006381333931"), "{listed}");
    let picked = print("k1", json!({ "sheet": "pick-list" })).await.expect(200);
    assert_eq!((&picked["state"], &picked["sheets"], &picked["waiting"]), (&json!("queued"), &json!(1), &json!(1)));
    assert_eq!(
        print("k2", json!({ "sheet": "pick-list" })).await.expect(200)["waiting"],
        1,
        "the same list, a second later"
    );
    assert_eq!(printed(&pair).matches("Pick list").count(), 1);

    for (action, note) in [("pick", ""), ("pack", "3"), ("ready", "B7")] {
        act(&pair, &order, action, json!({ "staff": "anna", "note": note })).await.expect(200);
    }
    let over = print("k3", json!({ "sheet": "pick-list" })).await.expect(409);
    assert!(over["detail"].as_str().unwrap().contains("nothing of it is picked any more"), "{over}");
    assert_eq!(print("k4", json!({ "sheet": "bag-tag" })).await.expect(200)["sheets"], 3);
    let tags = printed(&pair);
    assert!(["1 of 3", "2 of 3", "3 of 3"].iter().all(|bag| tags.contains(bag)), "{tags}");
    let label = page(&pair.store, &format!("{path}/sheets/label")).await;
    assert!(label.contains("B7") && label.contains("Kept until") && !label.contains("Li Wei"), "{label}");
    assert!(page(&pair.store, &format!("{path}/sheets/bag-tag")).await.contains("break-before"));
    print("k5", json!({ "sheet": "label" })).await.expect(200);
    assert_eq!(printed(&pair).matches("Kept until").count(), 1);
    assert_eq!(print("k6", json!({ "sheet": "label" })).await.expect(200)["state"], "printed");
    let twice = json!({ "sheet": "label", "copies": 2, "reprint": true });
    assert_eq!(print("k7", twice.clone()).await.expect(200)["state"], "queued");
    let copies = printed(&pair);
    assert_eq!((copies.matches("Kept until").count(), copies.matches("COPY").count()), (2, 4), "{copies}");
    assert_eq!(print("k7", twice).await.expect(200)["state"], "printed", "a retry prints nothing");
    assert_eq!(printed(&pair), "");

    let none = print("k8", json!({ "sheet": "receipt" })).await.expect(409);
    assert!(none["detail"].as_str().unwrap().contains("it was not handed over"), "{none}");
    act(&pair, &order, "hand-over", json!({ "code": code, "staff": "ben" })).await.expect(200);
    print("k9", json!({ "sheet": "receipt" })).await.expect(200);
    let receipt = printed(&pair);
    assert!(
        receipt.contains("Pickup receipt") && receipt.contains("2 handed over") && receipt.contains("ben"),
        "{receipt}"
    );
    assert_eq!(print("k10", json!({ "sheet": "label" })).await.expect(409)["type"], "/problems/conflict");
}

#[tokio::test]
async fn a_batch_has_one_list_with_a_tote_for_each_order() {
    let pair = market().await;
    let (first, _) = placed(&pair, "o1", bread(2)).await;
    let (second, _) = placed(&pair, "o2", bread(1)).await;
    let body = json!({ "orders": [first, second] });
    assert_eq!(pair.store.post("/v1/pick-lists/print", "b1", body).await.expect(200)["sheets"], 1);
    let list = printed(&pair);
    assert!(list.contains("+1") && list.contains("Tote 1") && list.contains("Tote 2"), "{list}");
    let shown = page(&pair.store, &format!("/v1/pick-lists?orders={first},{second}&format=html")).await;
    assert!(shown.contains("Tote 2"), "{shown}");
    make_ready(&pair, &first).await;
    let late = json!({ "orders": [first, second] });
    pair.store.post("/v1/pick-lists/print", "b2", late).await.expect(409);
}

#[tokio::test]
async fn a_sale_is_on_its_receipt_and_so_is_its_end() {
    let pair = market().await;
    let lines = json!([{ "sku": "BREAD", "quantity": 2, "discount": 50, "tax": { "code": "A", "rate_bp": 700, "amount": 29 } }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(1, lines, 450)).await.expect(201);
    let path = "/v1/receipts/1-3-1-1";
    let print = async |key: &str, body: Value| pair.store.post(&format!("{path}/print"), key, body).await;
    assert_eq!(print("p1", json!({})).await.expect(200)["state"], "queued");
    let paper = printed(&pair);
    for words in [
        "Main Street",
        "1-3-1-1",
        "2 x 2.50 EUR",
        "discount -0.50 EUR",
        "Total 4.50 EUR",
        "Cash: 4.50 EUR",
        "A 7.00 %: 0.29 EUR",
    ] {
        assert!(paper.contains(words), "{words}: {paper}");
    }
    let signed = pair.store.get(&format!("{path}/qr")).await.expect(200)["signed"].as_str().unwrap().to_owned();
    assert!(paper.contains(&signed), "the code with which another store takes the goods back");
    assert_eq!(print("p2", json!({})).await.expect(200)["state"], "printed");
    let void = json!({ "till": 3, "till_seq": 2, "approver": "eve" });
    pair.store.send(Method::POST, &format!("{path}/void"), None, void).await.expect(201);
    assert_eq!(print("p3", json!({})).await.expect(200)["state"], "queued");
    let paper = printed(&pair);
    assert!(paper.contains("VOIDED") && !paper.contains("COPY"), "{paper}");
    assert!(page(&pair.store, "/v1/receipts/1-3-1-2/sheet?format=html").await.contains("Takes back"));
    assert!(page(&pair.hub, &format!("{path}/sheet")).await.contains("Bread"));
    assert_eq!(pair.store.get("/v1/receipts/1-9-1-1/sheet").await.status.as_u16(), 404);
}

#[tokio::test]
async fn what_cannot_be_printed_says_why() {
    let pair = market().await;
    let (order, _) = placed(&pair, "o", bread(1)).await;
    let path = format!("/v1/fulfillments/{order}");
    let none =
        pair.hub.post(&format!("{path}/print"), "h", json!({ "sheet": "pick-list", "store": 1 })).await.expect(409);
    assert!(none["detail"].as_str().unwrap().contains("set target in [printer]"), "{none}");
    page(&pair.hub, &format!("{path}/sheets/pick-list?store=1")).await;
    let refused = [
        (json!({ "sheet": "pick-list", "copies": 11 }), "copies"),
        (json!({ "sheet": "pick-list", "copies": 0 }), "copies"),
        (json!({ "sheet": "poster" }), "sheet"),
        (json!({ "sheet": "label", "lines": [] }), "lines"),
    ];
    for (at, (body, field)) in refused.into_iter().enumerate() {
        let problem = pair.store.post(&format!("{path}/print"), &format!("r{at}"), body).await.expect(422);
        assert_eq!(problem["field"], field, "{problem}");
    }
    let bare = pair.store.send(Method::POST, &format!("{path}/print"), None, json!({ "sheet": "pick-list" })).await;
    assert_eq!(bare.json()["type"], "/problems/idempotency-key");
    assert_eq!(pair.store.get(&format!("{path}/sheets/label?format=pdf")).await.expect(422)["field"], "format");
    assert_eq!(pair.store.get(&format!("{path}/sheets/poster")).await.expect(422)["field"], "sheet");
}
