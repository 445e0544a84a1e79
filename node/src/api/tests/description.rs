//! The OpenAPI document says what the routers do.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use super::pair::{call, start};

/// Every route, by hand: a route that nobody wrote down here is an accident.
const ROUTES: &[(&str, &[&str])] = &[
    ("/", &["get"]),
    ("/ca.crt", &["get"]),
    ("/healthz", &["get"]),
    ("/metrics", &["get"]),
    ("/openapi.json", &["get"]),
    ("/problems", &["get"]),
    ("/problems/{name}", &["get"]),
    ("/readyz", &["get"]),
    ("/rider/{token}", &["get"]),
    ("/rider/{token}/acts", &["post"]),
    ("/rider/{token}/position", &["post"]),
    ("/v1/counts", &["get", "post"]),
    ("/v1/couriers/{name}/callbacks", &["post"]),
    ("/v1/deliveries", &["get"]),
    ("/v1/deliveries/{order}", &["get"]),
    ("/v1/deliveries/{order}/position", &["post"]),
    ("/v1/deliveries/{order}/{action}", &["post"]),
    ("/v1/devices", &["get", "post"]),
    ("/v1/devices/revoke", &["post"]),
    ("/v1/riders", &["get", "post"]),
    ("/v1/riders/{id}/sheet", &["get", "post"]),
    ("/v1/riders/{id}/token", &["delete", "post"]),
    ("/v1/adjustments", &["post"]),
    ("/v1/approvals", &["post"]),
    ("/v1/availability", &["get"]),
    ("/v1/backup", &["get", "post"]),
    ("/v1/baskets", &["get"]),
    ("/v1/baskets/{basket}", &["get"]),
    ("/v1/baskets/{basket}/tenders/{number}", &["post"]),
    ("/v1/baskets/{basket}/{action}", &["post"]),
    ("/v1/campaigns", &["get", "put"]),
    ("/v1/campaigns/{id}", &["get"]),
    ("/v1/campaigns/{id}/codes", &["get"]),
    ("/v1/campaigns/{id}/coupons", &["post"]),
    ("/v1/checkout", &["post"]),
    ("/v1/consents", &["post"]),
    ("/v1/counts/{session}", &["get"]),
    ("/v1/counts/{session}/close", &["post"]),
    ("/v1/counts/{session}/scans", &["post"]),
    ("/v1/coupons/{code}", &["get"]),
    ("/v1/coupons/{code}/{action}", &["post"]),
    ("/v1/days", &["get"]),
    ("/v1/days/close", &["post"]),
    ("/v1/days/open", &["post"]),
    ("/v1/enrolment-tokens", &["post"]),
    ("/v1/events", &["get"]),
    ("/v1/exchanges", &["post"]),
    ("/v1/expiring", &["get"]),
    ("/v1/exports/outages", &["get"]),
    ("/v1/exports/sales", &["get"]),
    ("/v1/figures", &["get"]),
    ("/v1/fleet", &["get"]),
    ("/v1/order-rules/pause", &["post"]),
    ("/v1/risk", &["get"]),
    ("/v1/rollout", &["get"]),
    ("/v1/search", &["get"]),
    ("/v1/security-events", &["get"]),
    ("/v1/stores/{store}/feeds", &["get"]),
    ("/v1/fulfillments", &["get"]),
    ("/v1/fulfillments/{order}", &["get"]),
    ("/v1/fulfillments/{order}/contact", &["get"]),
    ("/v1/fulfillments/{order}/print", &["post"]),
    ("/v1/fulfillments/{order}/sheets/{sheet}", &["get"]),
    ("/v1/fulfillments/{order}/{action}", &["post"]),
    ("/v1/labels/done", &["post"]),
    ("/v1/labels/print", &["post"]),
    ("/v1/labels/sheet", &["get"]),
    ("/v1/loyalty/rules", &["get", "put"]),
    ("/v1/notes/{about}/{id}", &["get", "post"]),
    ("/v1/order-rules/limits", &["get", "put"]),
    ("/v1/order-rules/routing", &["get", "put"]),
    ("/v1/order-rules/service", &["get", "put"]),
    ("/v1/orders", &["get", "post"]),
    ("/v1/orders/{id}", &["get"]),
    ("/v1/orders/{id}/compensations/{compensation}", &["post"]),
    ("/v1/orders/{id}/pass", &["post"]),
    ("/v1/orders/{id}/payments", &["post"]),
    ("/v1/orders/{id}/tracking", &["get"]),
    ("/v1/orders/{id}/{action}", &["post"]),
    ("/v1/passes/verify", &["post"]),
    ("/v1/pick-lists", &["get"]),
    ("/v1/pick-lists/print", &["post"]),
    ("/v1/pickups/find", &["post"]),
    ("/v1/goods-receipts", &["post"]),
    ("/v1/members", &["post"]),
    ("/v1/members/asked/{number}", &["get"]),
    ("/v1/members/find", &["post"]),
    ("/v1/members/reads", &["get"]),
    ("/v1/members/{id}", &["get"]),
    ("/v1/members/{id}/consents", &["post"]),
    ("/v1/members/{id}/erase", &["post"]),
    ("/v1/members/{id}/link", &["post"]),
    ("/v1/members/{id}/points", &["get"]),
    ("/v1/members/{id}/points/{action}", &["post"]),
    ("/v1/members/{id}/report", &["get"]),
    ("/v1/members/{id}/unlink", &["post"]),
    ("/v1/members/{id}/values", &["post"]),
    ("/v1/members/{id}/values/{slot}/remove", &["post"]),
    ("/v1/nodes", &["get"]),
    ("/v1/nodes/{node}/fence", &["post"]),
    ("/v1/nodes/{node}/write-off", &["post"]),
    ("/v1/policies", &["delete", "get", "put"]),
    ("/v1/prices", &["get", "post"]),
    ("/v1/products", &["get", "post"]),
    ("/v1/products/import", &["post"]),
    ("/v1/products/{sku}", &["get", "put"]),
    ("/v1/products/{sku}/recall", &["put"]),
    ("/v1/quarantine", &["post"]),
    ("/v1/receipts/{number}", &["get"]),
    ("/v1/receipts/{number}/print", &["post"]),
    ("/v1/receipts/{number}/qr", &["get"]),
    ("/v1/receipts/{number}/sheet", &["get"]),
    ("/v1/receipts/{number}/void", &["post"]),
    ("/v1/reservations", &["get", "post"]),
    ("/v1/reservations/{id}", &["get"]),
    ("/v1/reservations/{id}/{action}", &["post"]),
    ("/v1/settlement", &["get"]),
    ("/v1/settlement/match", &["post"]),
    ("/v1/shifts", &["get", "post"]),
    ("/v1/shifts/{till}/cash", &["post"]),
    ("/v1/shifts/{till}/close", &["post"]),
    ("/v1/shifts/{till}/{number}", &["get"]),
    ("/v1/shifts/{till}/{number}/report", &["get", "post"]),
    ("/v1/stores/{store}/days/{number}/certificate", &["get"]),
    ("/v1/returns", &["post"]),
    ("/v1/returns/{id}", &["get"]),
    ("/v1/returns/{id}/paid", &["post"]),
    ("/v1/rights/{sku}", &["get"]),
    ("/v1/sales", &["post"]),
    ("/v1/sales/{till}/{till_seq}", &["get"]),
    ("/v1/scan/{code}", &["get"]),
    ("/v1/sign-in", &["post"]),
    ("/v1/sign-out", &["post"]),
    ("/v1/staff", &["get"]),
    ("/v1/staff/{code}", &["put"]),
    ("/v1/status", &["get"]),
    ("/v1/stock", &["get"]),
    ("/v1/stock/{sku}", &["get"]),
    ("/v1/stock/{sku}/history", &["get"]),
    ("/v1/stock/{sku}/lots", &["get"]),
    ("/v1/stores", &["get"]),
    ("/v1/stores/{store}", &["get"]),
    ("/v1/stores/{store}/home", &["get", "post"]),
    ("/v1/tasks", &["get"]),
    ("/v1/templates/{prefix}", &["put"]),
    ("/v1/test/isolate", &["post"]),
    ("/v1/till-catalogue", &["get"]),
    ("/v1/till-rules/hours", &["get", "put"]),
    ("/v1/till-rules/promotions", &["get", "put"]),
    ("/v1/till-rules/taxes", &["get", "put"]),
    ("/v1/till-rules/tills", &["get", "put"]),
    ("/v1/tills/{till}", &["get"]),
    ("/v1/transfers", &["get", "post"]),
    ("/v1/transfers/{id}", &["get"]),
    ("/v1/transfers/{id}/receive", &["post"]),
    ("/v1/transfers/{id}/ship", &["post"]),
    ("/v1/webhooks", &["get", "post"]),
    ("/v1/webhooks/{id}", &["delete", "get"]),
    ("/v1/webhooks/{id}/{action}", &["post"]),
];

#[tokio::test]
async fn the_description_lists_every_route() {
    let pair = start();
    let document = pair.store.get("/openapi.json").await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())))
        .collect();
    let written: BTreeSet<(String, String)> =
        ROUTES.iter().flat_map(|(path, methods)| methods.iter().map(|m| (path.to_string(), m.to_string()))).collect();
    assert_eq!(described, written);
}

#[tokio::test]
async fn every_route_that_is_described_exists_and_says_how_it_fails() {
    let pair = start();
    let document = pair.store.get("/openapi.json").await.expect(200);
    let mut operations = BTreeSet::new();
    for (path, methods) in ROUTES {
        let real = path.replace(['{', '}'], "");
        let reply = call(&pair.store.local, Method::PATCH, &real, &[], Vec::new()).await;
        assert_eq!(reply.expect(405)["type"], "/problems/method-not-allowed", "{path}");
        for method in *methods {
            let operation = &document["paths"][path][method];
            let failure = &operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(failure, "#/components/schemas/Problem", "{method} {path}");
            assert!(operations.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_reference_of_the_description_leads_somewhere() {
    let pair = start();
    let document = pair.store.get("/openapi.json").await.expect(200);
    let mut open = vec![&document];
    let mut seen = 0;
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
                    seen += 1;
                }
                open.extend(map.values());
            }
            Value::Array(items) => open.extend(items),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(seen > 50);
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_meaning() {
    let pair = start();
    for row in pair.store.get("/problems").await.expect(200).as_array().unwrap() {
        let uri = row["type"].as_str().unwrap();
        assert_eq!(&pair.store.get(uri).await.expect(200), row);
    }
    pair.store.get("/problems/nonsense").await.expect(404);
}
