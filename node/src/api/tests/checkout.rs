//! Checkout through the API: prices that explain themselves, payment with and without a terminal, baskets that wait, and whatever goes wrong
//! at a till.

use axum::http::Method;
use serde_json::{Value, json};
use stockroom_core::input::{Command, RetryKey};
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::ids::{Code, Digest, Sku};

use super::pair::{Node, Pair, Reply};
use super::work::stocked;
use crate::terminal::simulated::Fate;

/// Bread costs a tenth less until somebody takes that back.
async fn cheaper() -> Pair {
    let pair = stocked().await;
    let promotion = Promotion {
        book: Code::parse("main").unwrap(),
        id: Code::parse("bread-10").unwrap(),
        name: "Bread week".into(),
        from_ms: 1,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: vec![Sku::parse("BREAD").unwrap()],
        departments: Vec::new(),
        gives: Gives::Percent(1_000),
        priority: 1,
        exclusive: false,
        per_basket: 0,
    };
    let retry = RetryKey { key: Digest([1; 32]), body: Digest([1; 32]) };
    let (handle, ..) = &pair.hub.parts;
    handle.ask(Command::Promotions(retry, vec![promotion])).await.unwrap().unwrap();
    pair
}

fn basket(till_seq: u64, then: &str) -> Value {
    json!({ "till": 3, "till_seq": till_seq, "then": then, "cashier": "ann",
        "lines": [{ "sku": "BREAD", "quantity": 2 }, { "sku": "MILK", "quantity": 1 }] })
}

/// The same, with more fields.
fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn cash(till_seq: u64) -> Value {
    with(basket(till_seq, "pay"), json!({ "tenders": [{ "kind": "cash", "amount": 579 }] }))
}

fn card(till_seq: u64) -> Value {
    with(basket(till_seq, "pay"), json!({ "terminal": { "name": "lane-1" } }))
}

async fn send(node: &Node, body: Value) -> Reply {
    node.send(Method::POST, "/v1/checkout", None, body).await
}

fn refused(reply: &Reply, status: u16, kind: &str, field: &str) -> Value {
    let body = reply.expect(status);
    assert_eq!(body["type"], format!("/problems/{kind}"), "{body}");
    assert_eq!(body["field"].as_str().unwrap_or_default(), field, "{body}");
    body
}

#[tokio::test]
async fn a_quote_explains_its_prices_and_writes_nothing() {
    let pair = cheaper().await;
    let mut body = basket(1, "quote");
    body.as_object_mut().unwrap().remove("till_seq");
    let quote = send(&pair.store, body).await.expect(200);
    assert_eq!((&quote["state"], &quote["total"], &quote["currency"]), (&json!("quoted"), &json!(579), &json!("EUR")));
    let bread = &quote["lines"][0];
    assert_eq!(bread["price"], json!({ "source": "book", "since": "2020-01-01T00:00:00Z" }));
    assert_eq!(bread["reductions"], json!([{ "promotion": "bread-10", "name": "Bread week", "amount": 50 }]));
    assert_eq!((&bread["amount"], &quote["lines"][1]["reductions"]), (&json!(450), &json!([])));
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["next_till_seq"], 1);
    assert_eq!(pair.store.get("/v1/baskets").await.expect(200)["items"], json!([]));
    assert_eq!(pair.store.get("/v1/baskets/3-1").await.status.as_u16(), 404);
}

#[tokio::test]
async fn what_needs_somebody_is_named_in_a_quote_and_stops_a_sale_until_it_is_approved() {
    let pair = cheaper().await;
    let recall = json!({ "active": true, "reason": "glass" });
    pair.hub.send(Method::PUT, "/v1/products/MILK/recall", Some("r"), recall).await.expect(200);
    let quote = send(&pair.store, basket(1, "quote")).await.expect(200);
    assert_eq!(quote["lines"][1]["stops"], json!(["recall"]));
    assert!(quote["lines"][1]["needs"].as_str().unwrap().contains("only a manager lets it go"), "{quote}");
    assert!(quote["lines"][0]["needs"].is_null());
    refused(&send(&pair.store, cash(1)).await, 409, "sale-stopped", "lines[1]");
    let sold = send(&pair.store, with(cash(1), json!({ "approver": "mia" }))).await.expect(201);
    assert_eq!((&sold["lines"][1]["overridden"], &sold["approver"]), (&json!(true), &json!("mia")));
}

#[tokio::test]
async fn a_basket_is_paid_in_cash_once_however_often_it_is_sent() {
    let pair = cheaper().await;
    let sold = send(&pair.store, cash(1)).await.expect(201);
    assert_eq!((&sold["state"], &sold["receipt"], &sold["left"]), (&json!("paid"), &json!("1-3-1-1"), &json!(0)));
    assert_eq!(sold["tenders"][0]["assurance"], "cash");
    let again = send(&pair.store, cash(1)).await;
    assert_eq!((again.expect(200), &again.headers["idempotent-replay"]), (sold.clone(), &"true".parse().unwrap()));
    refused(&send(&pair.store, with(cash(1), json!({ "age_checked": true }))).await, 422, "key-reused", "");
    assert_eq!(pair.store.get("/v1/receipts/1-3-1-1").await.expect(200)["total"], 579);
    assert_eq!(pair.store.get("/v1/baskets/3-1").await.expect(200), sold);
    assert_eq!(pair.hub.get("/v1/baskets/3-1?store=1").await.expect(200), sold, "the hub explains it as well");
}

#[tokio::test]
async fn a_price_that_changed_is_told_with_what_it_is_now() {
    let pair = cheaper().await;
    let reply = send(&pair.store, with(cash(1), json!({ "expected_total": 629 }))).await;
    let problem = refused(&reply, 409, "price-changed", "expected_total");
    assert_eq!((&problem["quote"]["total"], &problem["quote"]["lines"][0]["amount"]), (&json!(579), &json!(450)));
    assert_eq!(problem["quote"]["lines"][0]["reductions"][0]["name"], "Bread week");
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["next_till_seq"], 1, "nothing was written");
    send(&pair.store, with(cash(1), json!({ "expected_total": 579 }))).await.expect(201);
}

#[tokio::test]
async fn a_terminal_is_asked_for_what_is_left() {
    let pair = cheaper().await;
    let body = with(card(1), json!({ "tenders": [{ "kind": "voucher", "amount": 79, "reference": "v1" }] }));
    let sold = send(&pair.store, body.clone()).await.expect(201);
    assert_eq!((&sold["state"], &sold["terminals"][0]["state"]), (&json!("paid"), &json!("approved")));
    let paid = |at: usize| (sold["tenders"][at]["kind"].clone(), sold["tenders"][at]["amount"].clone());
    assert_eq!((paid(0), paid(1)), ((json!("voucher"), json!(79)), (json!("card"), json!(500))));
    assert_eq!(
        (&sold["tenders"][0]["assurance"], &sold["tenders"][1]["assurance"]),
        (&json!("seen"), &json!("captured"))
    );
    assert_eq!(pair.store.terminal.taken(), 500);
    assert_eq!(send(&pair.store, body).await.expect(200), sold);
    assert_eq!(pair.store.terminal.ledger().len(), 1, "a retry asks nobody");
}

#[tokio::test]
async fn a_declined_card_leaves_the_basket_to_be_paid_otherwise() {
    let pair = cheaper().await;
    pair.store.terminal.then(Fate::Declines);
    let reply = send(&pair.store, card(1)).await;
    let waits = reply.expect(202);
    assert_eq!(reply.headers["location"], "/v1/baskets/3-1");
    assert_eq!(
        (&waits["state"], &waits["can"], &waits["left"]),
        (&json!("paying"), &json!(["ask", "tender", "abandon"]), &json!(579))
    );
    assert!(waits["now"].as_str().unwrap().contains("took nothing (declined)"), "{waits}");
    assert_eq!(pair.store.get("/v1/baskets").await.expect(200)["items"], json!([waits]));
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["next_till_seq"], 2, "its number is taken");
    let half = json!({ "till": 3, "staff": "ann", "tenders": [{ "kind": "cash", "amount": 79 }] });
    let short = pair.store.post("/v1/baskets/3-1/tender", "t1", half).await;
    assert!(
        refused(&short, 422, "invalid-field", "tenders")["detail"]
            .as_str()
            .unwrap()
            .contains("500 is still to be paid")
    );
    pair.store.terminal.then(Fate::ApprovesOnly(300));
    let ask = json!({ "till": 3, "staff": "ann", "terminal": { "name": "lane-1", "kind": "other" } });
    let partly = pair.store.post("/v1/baskets/3-1/ask", "a", ask.clone()).await.expect(202);
    assert_eq!((&partly["left"], &partly["terminals"][1]["took"]), (&json!(279), &json!(300)));
    let rest = json!({ "till": 3, "staff": "ann", "tenders": [{ "kind": "cash", "amount": 279 }] });
    let sold = pair.store.post("/v1/baskets/3-1/tender", "t2", rest.clone()).await.expect(201);
    assert_eq!((&sold["state"], &sold["receipt"]), (&json!("paid"), &json!("1-3-1-1")));
    assert_eq!(pair.store.post("/v1/baskets/3-1/tender", "t2", rest).await.json(), sold);
    refused(&pair.store.post("/v1/baskets/3-1/ask", "b", ask).await, 409, "conflict", "");
}

#[tokio::test]
async fn a_silent_terminal_is_not_waited_for_and_what_it_took_is_given_back() {
    let pair = cheaper().await;
    pair.store.terminal.then(Fate::Late(1_000_000));
    let waits = send(&pair.store, with(card(1), json!({ "wait_s": 0 }))).await.expect(202);
    assert_eq!(waits["can"], json!(["wait", "tender", "abandon"]));
    let seen = json!({ "state": "declined", "staff": "ann" });
    let path = "/v1/baskets/3-1/tenders/1";
    refused(
        &pair.store.send(Method::POST, path, None, json!({ "state": "lost", "staff": "ann" })).await,
        422,
        "invalid-field",
        "state",
    );
    let other = pair.store.send(Method::POST, "/v1/baskets/3-1/tenders/9", None, seen.clone()).await;
    assert_eq!(other.status.as_u16(), 404);
    let told = pair.store.send(Method::POST, path, None, seen).await.expect(200);
    assert_eq!((&told["state"], &told["terminals"][0]["state"]), (&json!("paying"), &json!("declined")));
    let gone = pair.store.post("/v1/baskets/3-1/abandon", "x", json!({ "till": 3, "staff": "ann" })).await.expect(201);
    assert_eq!((&gone["state"], &gone["can"]), (&json!("abandoned"), &json!([])));
    assert_eq!(pair.store.get("/v1/baskets").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn baskets_are_suspended_resumed_and_thrown_away() {
    let pair = cheaper().await;
    let waits = send(&pair.store, basket(1, "suspend")).await.expect(201);
    assert_eq!((&waits["state"], &waits["can"]), (&json!("suspended"), &json!(["resume", "abandon"])));
    assert_eq!(send(&pair.store, basket(1, "suspend")).await.expect(200), waits);
    let act = json!({ "till": 5, "staff": "ben" });
    let taken = pair.store.post("/v1/baskets/3-1/resume", "r", act.clone()).await.expect(201);
    assert_eq!((&taken["state"], &taken["lines"]), (&json!("resumed"), &waits["lines"]));
    let twice = pair.store.post("/v1/baskets/3-1/resume", "r2", act.clone()).await;
    assert!(refused(&twice, 409, "conflict", "")["detail"].as_str().unwrap().contains("at till 5"));
    send(&pair.store, basket(2, "suspend")).await.expect(201);
    let gone = pair.store.post("/v1/baskets/3-2/abandon", "a", act.clone()).await.expect(201);
    assert_eq!(gone["state"], "abandoned");
    assert_eq!(pair.store.post("/v1/baskets/3-9/resume", "n", act.clone()).await.status.as_u16(), 404);
    assert_eq!(pair.store.post("/v1/baskets/3-2/eat", "e", act.clone()).await.expect(422)["field"], "action");
    refused(
        &pair.store.post("/v1/baskets/3-2/resume", "s", with(act, json!({ "till_seq": 1 }))).await,
        422,
        "invalid-field",
        "till_seq",
    );
}

#[tokio::test]
async fn a_counters_slip_is_paid_at_a_cash_desk_and_its_goods_are_released_after_that() {
    let pair = cheaper().await;
    let slip = send(&pair.store, with(basket(1, "slip"), json!({ "owner": "fishmonger" }))).await.expect(201);
    assert_eq!((&slip["state"], &slip["can"]), (&json!("slip"), &json!(["pay", "abandon"])));
    let early = pair.store.post("/v1/baskets/3-1/release", "r", json!({ "till": 3, "staff": "ann" })).await;
    assert!(refused(&early, 409, "conflict", "")["detail"].as_str().unwrap().contains("not paid"));
    let pay = json!({ "till": 5, "staff": "ben", "till_seq": 1, "tenders": [{ "kind": "cash", "amount": 579 }] });
    let paid = pair.store.post("/v1/baskets/3-1/pay", "p", pay.clone()).await.expect(201);
    assert_eq!((&paid["receipt"], &paid["owner"]), (&json!("1-5-1-1"), &json!("fishmonger")));
    assert_eq!(pair.store.post("/v1/baskets/3-1/pay", "p", pay).await.json(), paid);
    let waits = pair.store.get("/v1/baskets").await.expect(200);
    assert_eq!((&waits["items"][0]["basket"], &waits["items"][0]["can"]), (&json!("3-1"), &json!(["release"])));
    let done = pair.store.post("/v1/baskets/3-1/release", "r2", json!({ "till": 3, "staff": "ann" })).await.expect(201);
    assert_eq!(done["released"], true);
    assert_eq!(pair.store.get("/v1/baskets").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn bad_requests_are_refused_by_name_and_leave_nothing_behind() {
    let pair = cheaper().await;
    let cases = [
        (with(card(1), json!({ "terminal": { "name": "lane-9" } })), "unknown-reference", "terminal.name"),
        (with(cash(1), json!({ "tenders": [{ "kind": "cash", "amount": 578 }] })), "invalid-field", "tenders"),
        (
            with(cash(1), json!({ "tenders": [{ "kind": "cash", "amount": 579, "assurance": "seen" }] })),
            "invalid-field",
            "tenders[0].assurance",
        ),
        (with(cash(1), json!({ "then": "gift" })), "invalid-field", "then"),
        (with(cash(1), json!({ "colour": 1 })), "invalid-field", "colour"),
        (with(cash(1), json!({ "wait_s": 13 })), "invalid-field", "wait_s"),
        (with(cash(1), json!({ "owner": "x" })), "invalid-field", "owner"),
        (
            with(basket(1, "suspend"), json!({ "tenders": [{ "kind": "cash", "amount": 1 }] })),
            "invalid-field",
            "tenders",
        ),
        (basket(1, "slip"), "invalid-field", "owner"),
        (with(cash(1), json!({ "till_seq": null })), "invalid-field", "till_seq"),
        (with(cash(1), json!({ "lines": [] })), "invalid-field", "lines"),
        (with(cash(1), json!({ "lines": [{ "sku": "BREAD", "quantity": 0 }] })), "invalid-field", "lines[0].quantity"),
        (
            with(cash(1), json!({ "lines": [{ "sku": "GHOST", "quantity": 1 }] })),
            "invalid-field",
            "lines[0].unit_price",
        ),
        (
            with(cash(1), json!({ "lines": [{ "sku": "BREAD", "quantity": 1, "unit_price": -5 }] })),
            "invalid-field",
            "lines[0].unit_price",
        ),
    ];
    for (body, kind, field) in cases {
        refused(&send(&pair.store, body).await, 422, kind, field);
    }
    let hub = send(&pair.hub, cash(1)).await;
    refused(&hub, 409, "not-here", "");
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["next_till_seq"], 1);
}
