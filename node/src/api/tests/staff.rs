//! Staff through the API: records, PINs, sessions on the shop's network, and approvals.

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, Reply, call};
use super::work::{sale, stocked};

/// A shop on whose network a till asks.
struct Shop {
    pair: Pair,
    bearer: String,
}

impl Shop {
    /// Ann sells, Mia manages, each with a PIN.
    async fn open() -> Self {
        let pair = stocked().await;
        let bearer = format!("Bearer {}", pair.store.devices.add("till 3", 0).unwrap());
        for (staff, name, role, pin) in [("ann", "Ann", "cashier", "8305"), ("mia", "Mia", "manager", "720416")] {
            let body = json!({ "name": name, "role": role, "stores": [1], "pin": pin });
            put(&pair, staff, &format!("new-{staff}"), body).await.expect(200);
        }
        Self { pair, bearer }
    }

    async fn ask(&self, path: &str, session: Option<&str>, key: Option<&str>, body: &Value) -> Reply {
        let mut headers = vec![("content-type", "application/json"), ("authorization", self.bearer.as_str())];
        headers.extend(session.map(|session| ("stockroom-session", session)));
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let lan: &Router = &self.pair.store.lan;
        call(lan, Method::POST, path, &headers, body.to_string().into_bytes()).await
    }

    async fn see(&self, path: &str, session: &str) -> Reply {
        let headers = [("authorization", self.bearer.as_str()), ("stockroom-session", session)];
        call(&self.pair.store.lan, Method::GET, path, &headers, Vec::new()).await
    }

    async fn sign_in(&self, staff: &str, pin: &str) -> Reply {
        self.ask("/v1/sign-in", None, None, &json!({ "staff": staff, "pin": pin })).await
    }

    async fn session(&self, staff: &str, pin: &str) -> String {
        self.sign_in(staff, pin).await.expect(201)["session"].as_str().unwrap().to_owned()
    }

    async fn approval(&self, what: &str) -> String {
        let body = json!({ "staff": "mia", "pin": "720416", "what": what });
        self.ask("/v1/approvals", None, None, &body).await.expect(201)["approval"].as_str().unwrap().to_owned()
    }
}

async fn put(pair: &Pair, staff: &str, key: &str, body: Value) -> Reply {
    pair.hub.send(Method::PUT, &format!("/v1/staff/{staff}"), Some(key), body).await
}

fn bread(till_seq: u64) -> Value {
    let mut body = sale(till_seq, json!([{ "sku": "BREAD", "quantity": 1 }]), 250);
    body["cashier"] = json!("");
    body
}

fn refused(reply: &Reply, status: u16, kind: &str) -> Value {
    let body = reply.expect(status);
    assert_eq!(body["type"], format!("/problems/{kind}"), "{body}");
    body
}

#[tokio::test]
async fn head_office_says_who_works_where_and_no_answer_holds_a_pin() {
    let shop = Shop::open().await;
    let pair = &shop.pair;
    let listed = pair.store.get("/v1/staff").await;
    assert_eq!(
        listed.expect(200)["items"][0],
        json!({ "staff": "ann", "name": "Ann", "role": "cashier", "stores": [1],
        "has_pin": true, "ended": false })
    );
    assert!(!listed.text().contains("argon2") && !listed.text().contains("8305"), "{}", listed.text());
    let page = pair.store.get("/v1/staff?limit=1").await.expect(200);
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &json!("ann")));
    assert_eq!(pair.store.get("/v1/staff?after=ann").await.expect(200)["items"][0]["staff"], "mia");
    let cases = [
        (json!({ "name": "X", "role": "owner" }), "role"),
        (json!({ "name": "", "role": "cashier" }), "name"),
        (json!({ "name": "X", "role": "cashier", "stores": [9] }), "stores[0]"),
        (json!({ "name": "X", "role": "cashier", "pin": "1234" }), "pin"),
        (json!({ "name": "X", "role": "cashier", "pin": "0000" }), "pin"),
        (json!({ "name": "X", "role": "cashier", "pin": "99x" }), "pin"),
        (json!({ "name": "X", "role": "cashier", "pin": 83051 }), "pin"),
        (json!({ "name": "X", "role": "cashier", "colour": 1 }), "colour"),
    ];
    for (at, (body, field)) in cases.into_iter().enumerate() {
        let reply = put(pair, "x", &format!("bad-{at}"), body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["field"]), (422, &json!(field)), "{}", reply.text());
        assert!(!["1234", "0000", "99x", "83051"].iter().any(|pin| reply.text().contains(pin)), "{}", reply.text());
    }
    let here = pair.store.send(Method::PUT, "/v1/staff/x", Some("k"), json!({ "name": "X", "role": "cashier" })).await;
    refused(&here, 409, "not-here");
    let lan = [("content-type", "application/json"), ("authorization", shop.bearer.as_str())];
    let outside = call(&pair.store.lan, Method::PUT, "/v1/staff/x", &lan, b"{}".to_vec()).await;
    refused(&outside, 403, "forbidden");
}

#[tokio::test]
async fn a_record_keeps_its_pin_until_another_is_set_and_an_end_is_an_end() {
    let shop = Shop::open().await;
    let session = shop.session("ann", "8305").await;
    let promoted = json!({ "name": "Ann B", "role": "associate", "stores": [1] });
    put(&shop.pair, "ann", "p", promoted.clone()).await.expect(200);
    shop.ask("/v1/sales", Some(&session), None, &bread(1)).await.expect(201);
    assert_eq!(put(&shop.pair, "ann", "p", promoted.clone()).await.headers["idempotent-replay"], "true");
    let mut other = promoted.clone();
    other["pin"] = json!("550912");
    refused(&put(&shop.pair, "ann", "p", other.clone()).await, 422, "key-reused");
    put(&shop.pair, "ann", "q", other).await.expect(200);
    refused(&shop.ask("/v1/sales", Some(&session), None, &bread(2)).await, 401, "sign-in-needed");
    let session = shop.session("ann", "550912").await;
    let gone = json!({ "name": "Ann B", "role": "associate", "stores": [1], "ended": true });
    assert_eq!(put(&shop.pair, "ann", "e", gone).await.expect(200)["has_pin"], false);
    refused(&shop.ask("/v1/sales", Some(&session), None, &bread(2)).await, 401, "sign-in-needed");
    refused(&shop.sign_in("ann", "550912").await, 422, "unknown-reference");
    let pair = &shop.pair;
    let shown = async |path: &str| pair.store.get(path).await.expect(200)["items"].as_array().unwrap().len();
    assert_eq!((shown("/v1/staff").await, shown("/v1/staff?ended=true").await), (1, 2));
}

#[tokio::test]
async fn five_wrong_pins_lock_and_time_unlocks() {
    let shop = Shop::open().await;
    for left in [4, 3, 2, 1, 0] {
        let wrong = shop.sign_in("ann", "8306").await;
        assert_eq!(refused(&wrong, 422, "wrong-pin")["tries_left"], left);
        assert_eq!(wrong.headers.get("retry-after").is_some(), left == 0);
    }
    let locked = shop.sign_in("ann", "8305").await;
    refused(&locked, 429, "pin-locked");
    let wait_s: u64 = locked.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait_s), "{wait_s}");
    // Mia is not kept out by Ann's tries.
    shop.session("mia", "720416").await;
    // Each request lets four seconds pass on the core's clock.
    for _ in 0..8 {
        shop.sign_in("mia", "720416").await.expect(201);
    }
    shop.sign_in("ann", "8305").await.expect(201);
    assert_eq!(refused(&shop.sign_in("ann", "8306").await, 422, "wrong-pin")["tries_left"], 4);
    refused(&shop.sign_in("nobody", "8306").await, 422, "unknown-reference");
    refused(&shop.sign_in("ann", "").await, 422, "invalid-field");
}

#[tokio::test]
async fn where_somebody_has_a_pin_a_till_sells_for_whoever_is_signed_in() {
    let pair = stocked().await;
    let bearer = format!("Bearer {}", pair.store.devices.add("till 3", 0).unwrap());
    let shop = Shop { pair, bearer };
    let mut named = bread(1);
    named["cashier"] = json!("ann");
    assert_eq!(shop.ask("/v1/sales", None, None, &named).await.expect(201)["cashier"], "ann");
    put(&shop.pair, "ann", "n", json!({ "name": "Ann", "role": "cashier", "pin": "8305" })).await.expect(200);
    refused(&shop.ask("/v1/sales", None, None, &bread(2)).await, 401, "sign-in-needed");
    refused(&shop.ask("/v1/sales", Some("ss_00"), None, &bread(2)).await, 401, "sign-in-needed");
    let session = shop.session("ann", "8305").await;
    assert_eq!(shop.ask("/v1/sales", Some(&session), None, &bread(2)).await.expect(201)["cashier"], "ann");
    let mut other = bread(3);
    other["cashier"] = json!("ben");
    assert_eq!(
        refused(&shop.ask("/v1/sales", Some(&session), None, &other).await, 422, "invalid-field")["field"],
        "cashier"
    );
    // The node's own door believes names.
    shop.pair.store.send(Method::POST, "/v1/sales", None, other).await.expect(201);
    shop.ask("/v1/sign-out", Some(&session), None, &json!({})).await.expect(200);
    refused(&shop.ask("/v1/sales", Some(&session), None, &bread(4)).await, 401, "sign-in-needed");
}

#[tokio::test]
async fn a_void_needs_a_manager_who_is_there() {
    let shop = Shop::open().await;
    let ann = shop.session("ann", "8305").await;
    let mut receipts = Vec::new();
    for till_seq in 1..=2 {
        let sold = shop.ask("/v1/sales", Some(&ann), None, &bread(till_seq)).await.expect(201);
        receipts.push(format!("/v1/receipts/{}/void", sold["receipt"].as_str().unwrap()));
    }
    let void = |till_seq: u64, more: Value| {
        let mut body = json!({ "till": 3, "till_seq": till_seq });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let alone = shop.ask(&receipts[0], Some(&ann), None, &void(9, json!({}))).await;
    refused(&alone, 403, "role-needed");
    let by_name = shop.ask(&receipts[0], Some(&ann), None, &void(9, json!({ "approver": "mia" }))).await;
    assert_eq!(refused(&by_name, 403, "role-needed")["field"], "approver");
    let other = void(9, json!({ "approval": shop.approval("return").await }));
    assert_eq!(
        refused(&shop.ask(&receipts[0], Some(&ann), None, &other).await, 403, "role-needed")["field"],
        "approval"
    );
    let approved = void(9, json!({ "approval": shop.approval("void").await }));
    let voided = shop.ask(&receipts[0], Some(&ann), None, &approved).await;
    let body = voided.expect(201);
    assert_eq!((&body["cashier"], &body["approver"]), (&json!("ann"), &json!("mia")));
    // The answer may have been lost: the same request again, and the approval for nothing else.
    assert_eq!(shop.ask(&receipts[0], Some(&ann), None, &approved).await.expect(200), body);
    let mut twice = approved.clone();
    twice["till_seq"] = json!(10);
    let twice = shop.ask(&receipts[1], Some(&ann), None, &twice).await;
    assert!(refused(&twice, 403, "role-needed")["detail"].as_str().unwrap().contains("used already"));
    let mia = shop.session("mia", "720416").await;
    let own = shop.ask(&receipts[1], Some(&mia), None, &void(11, json!({}))).await.expect(201);
    assert_eq!((&own["cashier"], &own["approver"]), (&json!("mia"), &json!("mia")));
}

#[tokio::test]
async fn a_return_needs_a_manager_and_only_managers_approve() {
    let shop = Shop::open().await;
    let ann = shop.session("ann", "8305").await;
    let sold = shop.ask("/v1/sales", Some(&ann), None, &bread(1)).await.expect(201);
    let mut back = json!({ "receipt": sold["receipt"], "cash": true, "lines": [{ "sku": "BREAD", "quantity": 1 }] });
    refused(&shop.ask("/v1/returns", Some(&ann), Some("r"), &back).await, 403, "role-needed");
    let by_ann = json!({ "staff": "ann", "pin": "8305", "what": "return" });
    refused(&shop.ask("/v1/approvals", None, None, &by_ann).await, 403, "role-needed");
    back["approval"] = json!(shop.approval("return").await);
    let taken = shop.ask("/v1/returns", Some(&ann), Some("s"), &back).await.expect(201);
    assert_eq!((&taken["approver"], &taken["staff"], &taken["state"]), (&json!("mia"), &json!("ann"), &json!("paid")));
    assert_eq!(shop.ask("/v1/returns", Some(&ann), Some("s"), &back).await.expect(200), taken);
}

#[tokio::test]
async fn a_drawer_is_for_whoever_is_signed_in_and_its_sums_for_managers() {
    let shop = Shop::open().await;
    let body = json!({ "till": 3, "float": 1_000 });
    refused(&shop.ask("/v1/shifts", None, Some("o"), &body).await, 401, "sign-in-needed");
    let ann = shop.session("ann", "8305").await;
    assert_eq!(shop.ask("/v1/shifts", Some(&ann), Some("o"), &body).await.expect(201)["staff"], "ann");
    let seen = shop.see("/v1/shifts/3/1?approver=mia", &ann).await.expect(200);
    assert!(seen["x"].is_null(), "a name is not believed here: {seen}");
    let mia = shop.session("mia", "720416").await;
    assert_eq!(shop.see("/v1/shifts/3/1", &mia).await.expect(200)["x"]["expected_cash"], 1_000);
    let mut cash = json!({ "kind": "paid-in", "amount": 2_500, "reason": "change", "staff": "mia" });
    refused(&shop.ask("/v1/shifts/3/cash", Some(&ann), Some("c1"), &cash).await, 422, "invalid-field");
    (cash["staff"], cash["approver"]) = (json!("ann"), json!("mia"));
    refused(&shop.ask("/v1/shifts/3/cash", Some(&ann), Some("c2"), &cash).await, 403, "role-needed");
    (cash["approver"], cash["approval"]) = (json!(""), json!(shop.approval("drawer").await));
    let moved = shop.ask("/v1/shifts/3/cash", Some(&ann), Some("c3"), &cash).await.expect(201);
    assert_eq!(moved["approver"], "mia", "{moved}");
    let close = json!({ "counted": 3_500 });
    assert_eq!(shop.ask("/v1/shifts/3/close", Some(&ann), Some("z"), &close).await.expect(201)["z"]["staff"], "ann");
}

#[tokio::test]
async fn a_checkout_is_for_whoever_is_signed_in_and_what_it_may_not_needs_an_approval() {
    let shop = Shop::open().await;
    let mut body = json!({ "till": 3, "till_seq": 1, "then": "pay", "lines": [{ "sku": "BREAD", "quantity": 1, "unit_price": 200 }],
        "tenders": [{ "kind": "cash", "amount": 200 }] });
    refused(&shop.ask("/v1/checkout", None, None, &body).await, 401, "sign-in-needed");
    let ann = shop.session("ann", "8305").await;
    refused(&shop.ask("/v1/checkout", Some(&ann), None, &body).await, 409, "sale-stopped");
    body["approver"] = json!("mia");
    refused(&shop.ask("/v1/checkout", Some(&ann), None, &body).await, 403, "role-needed");
    (body["approver"], body["approval"]) = (json!(""), json!(shop.approval("checkout").await));
    let sold = shop.ask("/v1/checkout", Some(&ann), None, &body).await.expect(201);
    assert_eq!((&sold["cashier"], &sold["approver"]), (&json!("ann"), &json!("mia")));
    assert_eq!(sold["lines"][0]["price"], json!({ "source": "entered" }));
    let again = shop.ask("/v1/checkout", Some(&ann), None, &body).await;
    assert_eq!((again.expect(200), &again.headers["idempotent-replay"]), (sold, &"true".parse().unwrap()));
}
