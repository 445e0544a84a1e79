//! Bad requests to the real binary: each is a problem document, and none leaves anything behind.

use serde_json::{Value, json};

use super::door::Reply;
use super::fleet::Fleet;

/// Checks the form of a problem, and which one it is.
pub fn check(reply: &Reply, status: u16, name: &str, field: Option<&str>) {
    assert_eq!(reply.media_type, "application/problem+json", "{reply:?}");
    assert_eq!((reply.status, &reply.body["status"]), (status, &json!(status)), "{reply:?}");
    assert_eq!(reply.body["type"], format!("/problems/{name}"), "{reply:?}");
    assert_eq!(reply.body["field"].as_str(), field, "{reply:?}");
    let words = |key: &str| reply.body[key].as_str().is_some_and(|words| !words.is_empty());
    assert!(words("title") && words("detail"), "{reply:?}");
}

#[test]
fn every_bad_request_is_a_problem_document_and_nothing_is_half_applied() {
    let mut fleet = Fleet::of(1);
    let (hub, store) = (fleet.hub().door().clone(), fleet.store(1).door().clone());
    let invalid = |body: Value, field: &str| {
        check(&store.post("/v1/sales", None, &body).unwrap(), 422, "invalid-field", Some(field));
    };
    for (line, field) in [
        (json!({ "sku": "milk", "quantity": 1, "colour": "red" }), "lines[0].colour"),
        (json!({ "sku": "milk", "quantity": -1 }), "lines[0].quantity"),
        (json!({ "sku": "milk", "quantity": 0 }), "lines[0].quantity"),
        (json!({ "sku": "milk", "quantity": 10_000_001 }), "lines[0].quantity"),
        (json!({ "sku": "milk", "quantity": i64::MIN }), "lines[0].quantity"),
        (json!({ "sku": "milk", "quantity": 1.5 }), "lines[0].quantity"),
        (json!({ "sku": "milk", "quantity": 1, "unit_price": -1 }), "lines[0].unit_price"),
        (json!({ "code": "4006381333932" }), "lines[0].code"),
        (json!({ "sku": "ghost", "quantity": 1 }), "lines[0].unit_price"),
    ] {
        invalid(sale(json!([line]), 129), field);
    }
    let milk = json!([{ "sku": "milk", "quantity": 1 }]);
    invalid(sale(milk.clone(), 128), "tenders");
    invalid(sale(json!(vec![json!({ "sku": "b", "quantity": 1 }); 1_001]), 129), "lines");
    let mut ahead = sale(milk.clone(), 129);
    ahead["rung_at"] = json!("2999-01-01T00:00:00Z");
    invalid(ahead, "rung_at");

    let json_type = ("content-type", "application/json");
    let send = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        store.send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    };
    check(&send("POST", "/v1/sales", &[json_type], "{\"till\":"), 400, "malformed-body", None);
    check(&send("POST", "/v1/sales", &[json_type], "\u{0}"), 400, "malformed-body", None);
    check(&send("POST", "/v1/sales", &[("content-type", "text/plain")], "{}"), 415, "media-type", None);
    check(&send("GET", "/v1/nowhere", &[], ""), 404, "not-found", None);
    check(&send("GET", "/v1/products/ghost", &[], ""), 404, "not-found", None);
    check(&send("DELETE", "/v1/sales", &[], ""), 405, "method-not-allowed", None);
    check(&send("GET", "/v1/status", &[("host", "evil.example")], ""), 421, "wrong-host", None);
    check(&send("POST", "/v1/goods-receipts", &[json_type], "{}"), 400, "idempotency-key", None);
    let big = format!("\"{}\"", "x".repeat(256 * 1024));
    check(&send("POST", "/v1/sales", &[json_type], &big), 413, "body-too-large", None);

    let goods = |sku: &str, quantity: i64| json!({ "lines": [{ "sku": "milk", "quantity": 5 }, { "sku": sku, "quantity": quantity }] });
    let receive = |key: &str, body: &Value| store.post("/v1/goods-receipts", Some(key), body).unwrap();
    check(&receive("g1", &goods("ghost", 1)), 422, "unknown-reference", Some("lines[1].sku"));
    check(&receive("g2", &goods("bread", -1)), 422, "invalid-field", Some("lines[1].quantity"));
    let product = json!({ "sku": "eggs", "name": "Eggs" });
    check(&store.post("/v1/products", Some("p1"), &product).unwrap(), 409, "not-here", None);
    let put = [json_type, ("idempotency-key", "p2")];
    let renamed = json!({ "sku": "milk", "name": "Milch" }).to_string();
    check(&send("PUT", "/v1/products/milk", &put, &renamed), 409, "not-here", None);
    check(&hub.post("/v1/sales", None, &sale(milk.clone(), 129)).unwrap(), 409, "not-here", None);
    let list = "sku,name,barcodes\neggs,Eggs,\nham,Ham,4006381333932\n,None,\n";
    let import =
        hub.send("POST", "/v1/products/import", &[("content-type", "text/csv"), ("idempotency-key", "i")], list);
    let import = import.unwrap();
    check(&import, 422, "import-refused", None);
    let lines: Vec<_> = import.body["errors"].as_array().unwrap().iter().map(|e| e["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4]);

    // Nothing of all that is there.
    assert_eq!(store.receipts(1).unwrap(), 0);
    assert_eq!(store.read("/v1/tills/1").unwrap()["next_till_seq"], 1);
    let stock = store.read("/v1/stock").unwrap();
    assert_eq!(stock["items"], json!([]), "{stock}");
    assert_eq!(hub.read("/v1/products").unwrap()["items"].as_array().unwrap().len(), 3);

    // The same keys are free for good requests, and then taken.
    assert_eq!(receive("g1", &goods("bread", 1)).status, 201);
    assert_eq!(receive("g1", &goods("bread", 1)).status, 200);
    check(&receive("g1", &goods("bread", 2)), 422, "key-reused", None);
    assert_eq!(store.post("/v1/sales", None, &sale(milk.clone(), 129)).unwrap().status, 201);
    assert_eq!(store.post("/v1/sales", None, &sale(milk.clone(), 129)).unwrap().status, 200);
    let mut other = sale(milk, 129);
    other["cashier"] = json!("bob");
    check(&store.post("/v1/sales", None, &other).unwrap(), 422, "key-reused", None);
    assert_eq!((store.on_hand("milk", 1).unwrap(), store.on_hand("bread", 1).unwrap()), (4, 1));
    for node in [fleet.hub().log(), fleet.store(1).log()] {
        assert!(!node.contains("panicked"), "{node}");
    }
}

fn sale(lines: Value, total: i64) -> Value {
    json!({ "till": 1, "till_seq": 1, "cashier": "ann", "lines": lines, "tenders": [{ "kind": "cash", "amount": total }] })
}
