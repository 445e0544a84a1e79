//! Everything that goes wrong is a problem document that names its field, and leaves nothing half done.

use axum::http::Method;
use serde_json::{Value, json};
use stockroom_core::input::DiskSpace;

use super::pair::{Pair, Reply, call, start};
use super::work::{import, sale, stocked};

/// Checks the form of a problem; gives its type's name.
fn problem(reply: &Reply) -> String {
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{}", reply.text());
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert_eq!(reply.headers["cache-control"], "no-store");
    let body = reply.json();
    assert_eq!(body["status"], reply.status.as_u16(), "{body}");
    assert!(!body["title"].as_str().unwrap().is_empty() && !body["detail"].as_str().unwrap().is_empty(), "{body}");
    body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
}

async fn raw(pair: &Pair, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    call(&pair.store.local, method, path, headers, body.into()).await
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_problems() {
    let pair = stocked().await;
    let json_type = ("content-type", "application/json");
    let big = format!("\"{}\"", "x".repeat(256 * 1024));
    let cases = vec![
        (Method::GET, "/nowhere", vec![], "", "not-found"),
        (Method::GET, "/v1/products/import", vec![], "", "method-not-allowed"),
        (Method::DELETE, "/v1/sales", vec![], "", "method-not-allowed"),
        (Method::POST, "/v1/sales", vec![], "{}", "media-type"),
        (Method::POST, "/v1/sales", vec![("content-type", "text/plain")], "{}", "media-type"),
        (Method::POST, "/v1/sales", vec![json_type], "", "malformed-body"),
        (Method::POST, "/v1/sales", vec![json_type], "{\"till\":", "malformed-body"),
        (Method::POST, "/v1/sales", vec![json_type], "{} {}", "invalid-field"),
        (Method::POST, "/v1/sales", vec![json_type], &big, "body-too-large"),
        (Method::POST, "/v1/adjustments", vec![json_type], "{}", "idempotency-key"),
        (Method::POST, "/v1/adjustments", vec![json_type, ("idempotency-key", "")], "{}", "idempotency-key"),
        (Method::GET, "/v1/products/no%20sku", vec![], "", "invalid-field"),
        (Method::GET, "/v1/products/%ff", vec![], "", "bad-request"),
        (Method::GET, "/v1/products/UNKNOWN", vec![], "", "not-found"),
        (Method::GET, "/v1/products?limit=0", vec![], "", "invalid-field"),
        (Method::GET, "/v1/products?limit=many", vec![], "", "invalid-field"),
        (Method::GET, "/v1/products?colour=red", vec![], "", "invalid-field"),
        (Method::GET, "/v1/receipts/17", vec![], "", "invalid-field"),
        (Method::GET, "/v1/receipts/1-3-1-99", vec![], "", "not-found"),
        (Method::GET, "/v1/sales/3/99", vec![], "", "not-found"),
        (Method::GET, "/v1/sales/x/99", vec![], "", "invalid-field"),
        (Method::GET, "/v1/scan/4006381333932", vec![], "", "invalid-field"),
        (Method::GET, "/v1/scan/0000000001311", vec![], "", "not-found"),
        (Method::GET, "/v1/stock/UNKNOWN", vec![], "", "not-found"),
        (Method::GET, "/v1/stock?store=99", vec![], "", "not-found"),
        (Method::GET, "/v1/stock/BREAD/history?unit=litre", vec![], "", "invalid-field"),
        (Method::GET, "/v1/stores/99", vec![], "", "not-found"),
        (Method::GET, "/v1/counts/99", vec![], "", "not-found"),
        (Method::GET, "/v1/days?limit=1000", vec![], "", "invalid-field"),
    ];
    for (method, path, headers, body, wanted) in cases {
        let reply = raw(&pair, method.clone(), path, &headers, body).await;
        assert_eq!(problem(&reply), wanted, "{method} {path}: {}", reply.text());
    }
    let allowed = raw(&pair, Method::DELETE, "/v1/products", &[], "").await;
    assert!(allowed.headers["allow"].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn a_wrong_sale_names_its_field_and_is_not_rung_up() {
    let pair = stocked().await;
    let line = |line: Value| sale(1, json!([line]), 250);
    let with = |field: &str, value: Value| {
        let mut body = line(json!({ "sku": "BREAD", "quantity": 1 }));
        body[field] = value;
        body
    };
    let many: Vec<_> = (0..1001).map(|_| json!({ "sku": "B", "quantity": 1 })).collect();
    let cases = [
        (line(json!({ "sku": "BREAD", "quantity": 0 })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD", "quantity": -1 })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD", "quantity": 1.5 })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD", "quantity": "1" })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD", "quantity": 10_000_001 })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD", "quantity": i64::MIN })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD" })), "lines[0].quantity"),
        (line(json!({ "sku": "BREAD", "quantity": 1, "unit": "gram" })), "lines[0].unit"),
        (line(json!({ "sku": "BREAD", "quantity": 1, "unit": "litre" })), "lines[0].unit"),
        (line(json!({ "sku": "BREAD", "quantity": 1, "unit_price": -1 })), "lines[0].unit_price"),
        (line(json!({ "sku": "BREAD", "quantity": 1, "unit_price": i64::MIN })), "lines[0].unit_price"),
        (line(json!({ "sku": "BREAD", "quantity": 1, "discount": 300 })), "lines[0].discount"),
        (
            line(json!({ "sku": "BREAD", "quantity": 1, "tax": { "code": "A", "rate_bp": 1, "amount": i64::MIN } })),
            "lines[0].tax.amount",
        ),
        (
            line(json!({ "sku": "BREAD", "quantity": 1, "tax": { "code": "A", "rate": 1, "amount": 1 } })),
            "lines[0].tax.rate",
        ),
        (line(json!({ "sku": "BREAD", "quantity": 1, "colour": "red" })), "lines[0].colour"),
        (line(json!({ "sku": "BREAD", "code": "96385074", "quantity": 1 })), "lines[0].code"),
        (line(json!({ "quantity": 1 })), "lines[0].sku"),
        (line(json!({ "sku": "BR EAD", "quantity": 1 })), "lines[0].sku"),
        (line(json!({ "code": "96385075" })), "lines[0].code"),
        (line(json!({ "sku": "GHOST", "quantity": 1 })), "lines[0].unit_price"),
        (
            line(json!({ "sku": "BREAD", "quantity": 1, "original": { "receipt": "2-3-1-1", "line": 1 } })),
            "lines[0].original.receipt",
        ),
        (with("lines", json!([])), "lines"),
        (with("lines", json!(many)), "lines"),
        (with("tenders", json!([{ "kind": "cash", "amount": 249 }])), "tenders"),
        (with("tenders", json!([{ "kind": "gold", "amount": 250 }])), "tenders[0].kind"),
        (with("tenders", json!(vec![json!({ "kind": "cash", "amount": 1 }); 17])), "tenders"),
        (with("rung_at", json!("2999-01-01T00:00:00Z")), "rung_at"),
        (with("rung_at", json!("noon")), "rung_at"),
        (with("currency", json!("euro")), "currency"),
        (with("cashier", json!("x".repeat(33))), "cashier"),
        (with("fiscal", json!("*")), "fiscal"),
        (with("till", json!(-1)), "till"),
        (with("till", Value::Null), "till"),
        (with("colour", json!("red")), "colour"),
    ];
    for (body, field) in cases {
        let reply = pair.store.send(Method::POST, "/v1/sales", None, body.clone()).await;
        assert_eq!(problem(&reply), "invalid-field", "{body}");
        assert_eq!(reply.json()["field"], field, "{}", reply.text());
    }
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["next_till_seq"], 1);
    assert_eq!(pair.store.get("/v1/days").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn wrong_goods_counts_and_products_name_their_field() {
    let pair = stocked().await;
    let goods = |line: Value| json!({ "lines": [line] });
    let store_cases = [
        ("/v1/goods-receipts", goods(json!({ "sku": "NONE", "quantity": 1 })), "unknown-reference", "lines[0].sku"),
        ("/v1/goods-receipts", goods(json!({ "sku": "BREAD", "quantity": 0 })), "invalid-field", "lines[0].quantity"),
        (
            "/v1/goods-receipts",
            goods(json!({ "sku": "BREAD", "quantity": 1, "expiry": "soon" })),
            "invalid-field",
            "lines[0].expiry",
        ),
        ("/v1/goods-receipts", goods(json!({ "code": "96385075", "quantity": 1 })), "invalid-field", "lines[0].code"),
        ("/v1/goods-receipts", json!({ "lines": [] }), "invalid-field", "lines"),
        ("/v1/adjustments", json!({ "sku": "BREAD", "delta": 0, "reason": "x" }), "invalid-field", "delta"),
        ("/v1/adjustments", json!({ "sku": "BREAD", "delta": i64::MIN, "reason": "x" }), "invalid-field", "delta"),
        ("/v1/adjustments", json!({ "sku": "BREAD", "delta": 1, "reason": "" }), "invalid-field", "reason"),
        ("/v1/adjustments", json!({ "sku": "NONE", "delta": 1, "reason": "x" }), "unknown-reference", "sku"),
        (
            "/v1/adjustments",
            json!({ "sku": "BREAD", "delta": 1, "reason": "x", "unit": "gram" }),
            "invalid-field",
            "unit",
        ),
        ("/v1/counts/1/scans", json!({ "sku": "NONE", "quantity": 1 }), "unknown-reference", "sku"),
        ("/v1/counts/1/scans", json!({ "quantity": 1 }), "invalid-field", "sku"),
        ("/v1/counts/1/scans", json!({ "sku": "BREAD", "quantity": -1 }), "invalid-field", "quantity"),
        ("/v1/counts/1/close", json!({}), "unknown-reference", "session"),
    ];
    for (index, (path, body, kind, field)) in store_cases.into_iter().enumerate() {
        let reply = pair.store.post(path, &format!("k{index}"), body.clone()).await;
        assert_eq!(
            (problem(&reply).as_str(), &reply.json()["field"]),
            (kind, &json!(field)),
            "{path} {body} {}",
            reply.text()
        );
    }
    let product = |field: &str, value: Value| {
        let mut body = json!({ "sku": "NEW", "name": "New" });
        body[field] = value;
        body
    };
    let gtin = json!({ "gtin": "4006381333931" });
    let hub_cases = [
        ("/v1/products", product("name", json!("")), "name"),
        ("/v1/products", product("name", json!("a\nb")), "name"),
        ("/v1/products", product("age_min", json!(100)), "age_min"),
        ("/v1/products", product("item_number", json!(1_000_000)), "item_number"),
        ("/v1/products", product("barcodes", json!([{ "gtin": "4006381333932" }])), "barcodes[0].gtin"),
        ("/v1/products", product("barcodes", json!([gtin, gtin])), "barcodes[1].gtin"),
        ("/v1/products", product("barcodes", json!([{ "gtin": "96385074", "pack": 0 }])), "barcodes[0].pack"),
        ("/v1/products", product("excluded", json!(["moon"])), "excluded[0]"),
        ("/v1/products", json!({ "sku": "BREAD", "name": "Bread", "unit": "gram" }), "unit"),
        ("/v1/prices", json!({ "prices": [] }), "prices"),
        ("/v1/prices", json!({ "prices": [{ "sku": "BREAD", "book": "main", "currency": "EUR" }] }), "prices[0].price"),
        (
            "/v1/prices",
            json!({ "prices": [{ "sku": "BREAD", "book": "main", "currency": "EUR", "price": -1 }] }),
            "prices[0].price",
        ),
        (
            "/v1/prices",
            json!({ "prices": [{ "sku": "BREAD", "book": "main", "currency": "EUR", "price": 1, "from": "2999-01-01T00:00:00Z" }] }),
            "prices[0].from",
        ),
        ("/v1/enrolment-tokens", json!({ "store": 0 }), "store"),
    ];
    for (index, (path, body, field)) in hub_cases.into_iter().enumerate() {
        let reply = pair.hub.post(path, &format!("k{index}"), body.clone()).await;
        assert_eq!(
            (problem(&reply).as_str(), &reply.json()["field"]),
            ("invalid-field", &json!(field)),
            "{path} {body}"
        );
    }
    for (path, body, field) in [
        ("/v1/templates/30", json!({ "item_digits": 5, "embedded": "price" }), "prefix"),
        ("/v1/templates/21", json!({ "item_digits": 7, "embedded": "price" }), "item_digits"),
        ("/v1/templates/21", json!({ "item_digits": 5, "embedded": "price", "scale": 9 }), "scale"),
        ("/v1/products/BREAD", json!({ "sku": "MILK", "name": "Milk" }), "sku"),
        ("/v1/products/BREAD/recall", json!({ "active": true }), "reason"),
    ] {
        let reply = pair.hub.send(Method::PUT, path, Some("put"), body).await;
        assert_eq!((problem(&reply).as_str(), &reply.json()["field"]), ("invalid-field", &json!(field)), "{path}");
    }
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_refused() {
    let pair = stocked().await;
    let first = json!({ "sku": "BREAD", "delta": 1, "reason": "found" });
    pair.store.post("/v1/adjustments", "k", first).await.expect(201);
    let other =
        pair.store.post("/v1/adjustments", "\"k\"", json!({ "sku": "BREAD", "delta": 2, "reason": "found" })).await;
    assert_eq!(problem(&other), "key-reused");
    // The same key means another thing on another path.
    pair.store.post("/v1/days/open", "k", json!({})).await.expect(201);
    assert_eq!(pair.store.get("/v1/stock/BREAD").await.expect(200)["on_hand"], 1);
}

#[tokio::test]
async fn what_belongs_elsewhere_is_refused_with_directions() {
    let pair = stocked().await;
    let product = json!({ "sku": "NEW", "name": "New" });
    assert_eq!(problem(&pair.store.post("/v1/products", "k", product).await), "not-here");
    let body = sale(1, json!([{ "sku": "BREAD", "quantity": 1 }]), 250);
    assert_eq!(problem(&pair.hub.send(Method::POST, "/v1/sales", None, body).await), "not-here");
    assert_eq!(problem(&pair.hub.post("/v1/days/open", "k", json!({})).await), "not-here");
    assert_eq!(pair.hub.get("/v1/stock").await.expect(422)["field"], "store");
    let void = json!({ "till": 1, "till_seq": 1, "approver": "eve" });
    assert_eq!(
        problem(&pair.store.send(Method::POST, "/v1/receipts/9-1-1-1/void", None, void.clone()).await),
        "not-here"
    );
    assert_eq!(problem(&pair.store.send(Method::POST, "/v1/receipts/1-1-1-1/void", None, void).await), "not-found");
}

#[tokio::test]
async fn a_nearly_full_disk_sheds_imports_first_and_sales_never() {
    let pair = stocked().await;
    pair.disk.send(DiskSpace::Critical).await.unwrap();
    let reply = import(&pair, "", "late", "sku,name\nX,Y\n").await;
    assert_eq!((problem(&reply).as_str(), reply.status.as_u16()), ("disk-full", 507));
    assert!(reply.headers.contains_key("retry-after"));
    let adjustment = json!({ "sku": "BREAD", "delta": 1, "reason": "found" });
    assert_eq!(problem(&pair.store.post("/v1/adjustments", "k", adjustment).await), "disk-full");
    let body = sale(1, json!([{ "sku": "BREAD", "quantity": 1 }]), 250);
    pair.store.send(Method::POST, "/v1/sales", None, body).await.expect(201);
}

#[tokio::test]
async fn an_import_reports_every_bad_line_and_takes_none() {
    let pair = stocked().await;
    let csv = "sku,name,unit\nA,Apple,each\nB,,each\nBREAD,Bread,gram\nC,Cola,litre\n";
    let reply = import(&pair, "", "i", csv).await;
    assert_eq!(problem(&reply), "import-refused");
    let lines: Vec<_> = reply.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["line"].as_u64().unwrap(), e["field"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(lines, [(3, "name".into()), (4, "unit".into()), (5, "unit".into())]);
    pair.hub.get("/v1/products/A").await.expect(404);
    let partial = import(&pair, "?partial=true", "i2", csv).await.expect(201);
    assert_eq!(
        (&partial["lines"], &partial["products"], partial["errors"].as_array().unwrap().len()),
        (&json!(4), &json!(1), 3)
    );
    pair.hub.get("/v1/products/A").await.expect(200);
    let again = import(&pair, "?partial=true", "i2", csv).await;
    assert_eq!((again.expect(200), again.headers["idempotent-replay"].to_str().unwrap()), (partial, "true"));
    let other = import(&pair, "?partial=true", "i2", "sku,name\nZ,Zebra\n").await;
    assert_eq!(problem(&other), "key-reused");
    let head = import(&pair, "", "i3", "sku,colour\n").await;
    assert_eq!((problem(&head).as_str(), &head.json()["field"]), ("invalid-field", &json!("colour")));
}

#[tokio::test]
async fn a_long_import_is_taken_in_chunks() {
    let pair = start();
    let mut csv = String::from("sku,name,barcodes,price,currency\n");
    for number in 0..2_000 {
        csv.push_str(&format!("P{number:06},{},,{number},EUR\n", "A product with a long name. ".repeat(7)));
    }
    assert!(csv.len() > 256 * 1024);
    let taken = import(&pair, "?book=main", "long", &csv).await.expect(201);
    assert_eq!((&taken["products"], &taken["prices"]), (&json!(2_000), &json!(2_000)));
    assert_eq!(pair.store.get("/v1/products/P001999").await.expect(200)["sku"], "P001999");
    let too_long = "x".repeat(16 * 1024 * 1024 + 1);
    assert_eq!(problem(&import(&pair, "", "toolong", &too_long).await), "body-too-large");
}

#[tokio::test]
async fn the_loopback_door_answers_to_its_own_names_only() {
    let pair = start();
    let rebound = raw(&pair, Method::GET, "/v1/status", &[("host", "shop.evil.example")], "").await;
    assert_eq!((problem(&rebound).as_str(), rebound.status.as_u16()), ("wrong-host", 421));
    let cross =
        raw(&pair, Method::GET, "/v1/status", &[("host", "localhost"), ("origin", "https://evil.example")], "").await;
    assert_eq!(problem(&cross), "wrong-host");
    assert!(!cross.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn the_lan_door_asks_for_a_token_that_can_be_revoked() {
    let pair = stocked().await;
    let lan = &pair.store.lan;
    let token = pair.store.devices.add("till 3", 1).unwrap();
    let bearer = format!("Bearer {token}");
    let get = async |path: &str, authorization: Option<&str>| {
        let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        call(lan, Method::GET, path, &headers, Vec::new()).await
    };
    let nobody = get("/v1/status", None).await;
    assert_eq!(
        (problem(&nobody).as_str(), nobody.headers["www-authenticate"].to_str().unwrap()),
        ("unauthorized", "Bearer")
    );
    for wrong in ["Bearer sr_00", "Basic abc", "Bearer", ""] {
        assert_eq!(problem(&get("/v1/status", Some(wrong)).await), "unauthorized", "{wrong}");
    }
    for path in ["/", "/openapi.json", "/readyz", "/nowhere", "/metrics"] {
        assert_eq!(problem(&get(path, None).await), "unauthorized", "{path}");
    }
    assert_eq!(get("/healthz", None).await.text(), "ok\n");
    get("/v1/status", Some(&bearer)).await.expect(200);
    for path in ["/metrics", "/v1/backup"] {
        assert_eq!(problem(&get(path, Some(&bearer)).await), "forbidden", "{path}");
    }
    pair.store.devices.revoke("till 3").unwrap();
    assert_eq!(problem(&get("/v1/status", Some(&bearer)).await), "unauthorized");
}
