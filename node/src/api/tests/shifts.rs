//! Drawers through the API: taken, counted blind, given back; Z reports on screen and paper; certificates at the hub.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Node, Pair};
use super::papers::printed;
use super::work::{sale, stocked};

/// A drawer with 100.00 at till 3, and two sales of 5.00 together.
async fn opened() -> Pair {
    let pair = stocked().await;
    let body = json!({ "till": 3, "staff": "ann", "float": 10_000 });
    let made = pair.store.post("/v1/shifts", "open", body.clone()).await.expect(201);
    assert_eq!((&made["number"], &made["state"], &made["staff"]), (&json!(1), &json!("open"), &json!("ann")));
    let again = pair.store.post("/v1/shifts", "open", body).await;
    assert_eq!((again.expect(200), &again.headers["idempotent-replay"]), (made, &"true".parse().unwrap()));
    for n in 1..=2 {
        let lines = json!([{ "sku": "BREAD", "quantity": 1, "tax": { "code": "food", "rate_bp": 700, "amount": 16 } }]);
        pair.store.send(Method::POST, "/v1/sales", None, sale(n, lines, 250)).await.expect(201);
    }
    pair
}

async fn close(node: &Node, key: &str, counted: i64, approver: &str) -> super::pair::Reply {
    let body = json!({ "counted": counted, "staff": "ann", "approver": approver });
    node.post("/v1/shifts/3/close", key, body).await
}

#[tokio::test]
async fn a_drawer_is_counted_blind_and_its_z_report_is_the_same_everywhere() {
    let pair = opened().await;
    let cash = json!({ "kind": "paid-out", "amount": 120, "reason": "stamps", "staff": "ann" });
    let moved = pair.store.post("/v1/shifts/3/cash", "c", cash).await.expect(201);
    assert_eq!((&moved["shift"], &moved["kind"], &moved["amount"]), (&json!(1), &json!("paid-out"), &json!(120)));
    let seen = pair.store.get("/v1/shifts/3/1").await.expect(200);
    assert!(
        seen["x"].is_null() && seen["z"].is_null() && seen["first_count"].is_null(),
        "a cashier sees no sums: {seen}"
    );
    let x = pair.store.get("/v1/shifts/3/1?approver=mia").await.expect(200)["x"].clone();
    assert_eq!((&x["cash"], &x["paid_out"], &x["expected_cash"]), (&json!(500), &json!(120), &json!(10_380)));
    assert_eq!(x["taxes"], json!([{ "code": "food", "rate_bp": 700, "goods": 500, "tax": 32 }]));
    let refused = close(&pair.store, "z1", 9_000, "").await.expect(409);
    assert_eq!(refused["type"], "/problems/count-differs");
    assert!(!refused.to_string().contains("10380") && !refused.to_string().contains("10,380"), "{refused}");
    assert_eq!(close(&pair.store, "z2", 10_380, "").await.expect(409)["type"], "/problems/count-differs");
    let first = pair.store.get("/v1/shifts/3/1?approver=mia").await.expect(200)["first_count"].clone();
    assert_eq!((&first["counted"], &first["staff"]), (&json!(9_000), &json!("ann")));
    let made = close(&pair.store, "z3", 10_370, "mia").await.expect(201);
    let z = &made["z"];
    assert_eq!((&z["counted"], &z["over"], &z["approver"]), (&json!(10_370), &json!(-10), &json!("mia")));
    assert_eq!((&z["agrees"], &z["totals"]["receipts"], &z["last"]), (&json!(true), &json!(2), &json!("1-3-1-2")));
    assert_eq!(close(&pair.store, "z3", 10_370, "mia").await.expect(200), made);
    assert_eq!(close(&pair.store, "z4", 10_370, "mia").await.expect(409)["type"], "/problems/conflict");
    let mut shown = made.clone();
    assert_eq!(pair.store.get("/v1/shifts/3/1").await.expect(200), shown);
    shown.as_object_mut().unwrap().remove("first_count");
    assert_eq!(
        pair.hub.get("/v1/shifts/3/1?store=1").await.expect(200),
        shown,
        "the count that did not fit stays here"
    );
}

#[tokio::test]
async fn a_z_report_is_put_on_paper_when_the_shift_is_closed() {
    let pair = opened().await;
    let early = pair.store.get("/v1/shifts/3/1/report").await.expect(409);
    assert!(early["detail"].as_str().unwrap().contains("not closed"), "{early}");
    close(&pair.store, "z", 10_500, "").await.expect(201);
    let page = pair.store.get("/v1/shifts/3/1/report?format=html").await;
    assert_eq!(
        (page.status.as_u16(), &page.headers["content-type"]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    for words in ["Z report", "Till 3 / 1", "Main Street", "105.00 EUR", "1-3-1-2", "Tax food 7.00 %"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let bytes = pair.store.get("/v1/shifts/3/1/report?format=escpos").await;
    assert_eq!((bytes.status.as_u16(), &bytes.bytes[..2]), (200, b"\x1b@".as_slice()));
    assert!(bytes.text().contains("Counted: 105.00 EUR"), "{}", bytes.text());
    let chinese = pair.hub.get("/v1/shifts/3/1/report?store=1&language=zh-CN").await;
    assert!(chinese.text().contains("班结单"));
    assert_eq!(pair.store.get("/v1/shifts/3/1/report?format=pdf").await.expect(422)["field"], "format");
    assert_eq!(pair.store.get("/v1/shifts/3/9/report").await.status.as_u16(), 404);
    let print = async || pair.store.send(Method::POST, "/v1/shifts/3/1/report", None, json!({})).await.expect(200);
    assert_eq!(print().await["printer"], "queued");
    let paper = printed(&pair);
    assert!(paper.contains("Counted: 105.00 EUR") && !paper.contains("COPY"), "{paper}");
    assert_eq!(print().await["printer"], "printed");
    assert_eq!(printed(&pair), "", "once");
}

#[tokio::test]
async fn shifts_are_listed_and_bad_requests_are_refused() {
    let pair = opened().await;
    pair.store.post("/v1/shifts", "o5", json!({ "till": 5, "staff": "ben", "float": 0 })).await.expect(201);
    close(&pair.store, "z", 10_500, "").await.expect(201);
    pair.store.post("/v1/shifts", "o2", json!({ "till": 3, "staff": "ben", "float": 5 })).await.expect(201);
    let named = |list: &Value| {
        let of = |shift: &Value| (shift["till"].as_u64().unwrap(), shift["number"].as_u64().unwrap());
        list["items"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    for (node, store) in [(&pair.store, ""), (&pair.hub, "store=1&")] {
        let newest = node.get(&format!("/v1/shifts?{store}")).await.expect(200);
        assert_eq!(named(&newest), [(3, 2), (5, 1)]);
        let first = node.get(&format!("/v1/shifts?{store}till=3&limit=1")).await.expect(200);
        assert_eq!((named(&first), &first["next"]), (vec![(3, 2)], &json!(2)));
        let rest = node.get(&format!("/v1/shifts?{store}till=3&before=2")).await.expect(200);
        assert_eq!((named(&rest), &rest["next"]), (vec![(3, 1)], &Value::Null));
    }
    let cash = |kind: &str, amount: i64, reason: &str| json!({ "kind": kind, "amount": amount, "reason": reason, "staff": "ben" });
    let refused = [
        ("/v1/shifts", json!({ "till": 3, "staff": "ben", "float": 5 }), "conflict", Value::Null),
        ("/v1/shifts", json!({ "till": 4, "staff": "", "float": 5 }), "invalid-field", json!("staff")),
        ("/v1/shifts", json!({ "till": 4, "staff": "ben", "float": -5 }), "invalid-field", json!("float")),
        ("/v1/shifts/3/cash", cash("gift", 5, "x"), "invalid-field", json!("kind")),
        ("/v1/shifts/3/cash", cash("paid-in", 5, ""), "invalid-field", json!("reason")),
        ("/v1/shifts/3/cash", cash("drop", 2_001, ""), "invalid-field", json!("approver")),
        ("/v1/shifts/4/cash", cash("drop", 1, ""), "conflict", Value::Null),
        ("/v1/shifts/4/close", json!({ "counted": 5, "staff": "ben" }), "conflict", Value::Null),
        ("/v1/shifts/3/close", json!({ "counted": -5, "staff": "ben" }), "invalid-field", json!("counted")),
    ];
    for (at, (path, body, kind, field)) in refused.into_iter().enumerate() {
        let answer = pair.store.post(path, &format!("bad-{at}"), body).await.json();
        assert_eq!(
            (&answer["type"], &answer["field"]),
            (&json!(format!("/problems/{kind}")), &field),
            "{path}: {answer}"
        );
    }
    let hub = pair.hub.post("/v1/shifts", "h", json!({ "till": 3, "staff": "ben", "float": 5 })).await.json();
    assert_eq!(hub["type"], "/problems/not-here");
    assert_eq!(pair.store.get("/v1/shifts/9/1").await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_certificate_at_the_hub_says_what_is_missing_and_then_that_nothing_is() {
    let pair = opened().await;
    let path = "/v1/stores/1/days/1/certificate";
    let missing = |answer: &Value| {
        let of = |missing: &Value| missing["what"].as_str().unwrap().to_owned();
        answer["missing"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let open = pair.hub.get(path).await.expect(200);
    assert_eq!(
        (missing(&open), &open["complete"]),
        (vec!["close".into(), "entries".into(), "shift-close".into()], &json!(false))
    );
    assert_eq!((&open["missing"][1]["writer"], open["missing"][1]["heard_at"].is_string()), (&json!("2.1"), true));
    let closed = pair.store.post("/v1/days/close", "d", json!({ "staff": "mia" })).await.expect(201);
    assert_eq!(closed["open_shifts"], json!([{ "till": 3, "number": 1, "staff": "ann" }]));
    assert_eq!(closed["receipts"], 2);
    assert_eq!(missing(&pair.hub.get(path).await.expect(200)), ["shift-close"]);
    close(&pair.store, "z", 10_500, "").await.expect(201);
    let complete = pair.hub.get(path).await.expect(200);
    assert_eq!((missing(&complete), &complete["complete"]), (vec![], &json!(true)), "{complete}");
    assert_eq!(complete["receipts"], json!([{ "first": "1-3-1-1", "last": "1-3-1-2" }]));
    assert_eq!(complete["shifts"][0]["taken"]["tenders"]["cash"], 500);
    assert_eq!((&complete["shifts"][0]["agrees"], &complete["unshifted"]["receipts"]), (&json!(true), &json!(0)));
    assert_eq!(complete["logs"][0]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(
        pair.store.get(path).await.expect(200)["logs"],
        complete["logs"],
        "the store's own copy has the same heads"
    );
    assert_eq!(missing(&pair.hub.get("/v1/stores/1/days/9/certificate").await.expect(200))[0], "day");
    assert_eq!(pair.hub.get("/v1/stores/9/days/1/certificate").await.status.as_u16(), 404);
}
