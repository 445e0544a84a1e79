//! Points and coupons through the API: what a limit may cost, what a quote and a receipt say, how far a campaign went, and each bad coupon.

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, Reply};
use super::work::stocked;

/// A programme, and campaigns of each kind.
async fn club() -> Pair {
    let pair = stocked().await;
    let programme = json!({ "earn_per": 10, "worth": 1, "months": 12, "offline_limit": 50, "share": 1000 });
    pair.hub.send(Method::PUT, "/v1/loyalty/rules", Some("rules"), programme).await.expect(200);
    for (key, more) in [
        ("paper", json!({ "kind": { "printed": { "coupons": 20, "store_limit": 250 } } })),
        ("one", json!({ "kind": { "single": 3 } })),
        ("pool", json!({ "kind": { "first-n": 1 } })),
        ("old", json!({ "kind": { "single": 3 }, "from": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z" })),
        ("elsewhere", json!({ "kind": { "single": 3 }, "stores": [9] })),
        ("poor", json!({ "kind": { "printed": { "coupons": 3, "store_limit": 1000 } }, "budget": 10 })),
        ("hers", json!({ "kind": { "first-n": 5 }, "members_only": true })),
    ] {
        put(&pair, key, more).await.expect(200);
    }
    pair
}

/// A campaign that takes a hundred off a basket.
async fn put(pair: &Pair, id: &str, more: Value) -> Reply {
    let mut body = json!({ "id": id, "name": format!("Campaign {id}"), "funder": "brand", "bearer": "funder",
        "gives": { "basket": { "from": 0, "off": 100 } } });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    pair.hub.send(Method::PUT, "/v1/campaigns", Some(&format!("put-{id}")), body).await
}

async fn code(pair: &Pair, campaign: &str, serial: u32) -> String {
    let codes = pair.hub.get(&format!("/v1/campaigns/{campaign}/codes?first={serial}&count=1")).await.expect(200);
    codes["items"][0]["code"].as_str().unwrap().to_owned()
}

/// Two loaves and a milk: 629.
fn basket(till_seq: u64, then: &str, coupons: &[&str]) -> Value {
    json!({ "till": 3, "till_seq": till_seq, "then": then, "cashier": "ann", "coupons": coupons,
        "lines": [{ "sku": "BREAD", "quantity": 2 }, { "sku": "MILK", "quantity": 1 }] })
}

async fn checkout(pair: &Pair, body: Value) -> Reply {
    pair.store.send(Method::POST, "/v1/checkout", None, body).await
}

async fn paid(pair: &Pair, till_seq: u64, coupons: &[&str], amount: i64) -> Reply {
    let mut body = basket(till_seq, "pay", coupons);
    body["tenders"] = json!([{ "kind": "cash", "amount": amount }]);
    checkout(pair, body).await
}

async fn member(pair: &Pair) -> String {
    let body = json!({ "values": [{ "field": "card", "value": "77" }], "staff": "ann" });
    let enrolled = pair.store.post("/v1/members", "enrol", body).await.expect(201);
    enrolled["member"].as_str().unwrap().to_owned()
}

fn refused(reply: &Reply, status: u16, kind: &str, field: &str) -> Value {
    let body = reply.expect(status);
    assert_eq!(body["type"], format!("/problems/{kind}"), "{body}");
    assert_eq!(body["field"].as_str().unwrap_or_default(), field, "{body}");
    body
}

#[tokio::test]
async fn whoever_sets_the_offline_limit_is_told_what_it_may_cost() {
    let pair = stocked().await;
    let outage = json!({ "stores": 20, "visits": 4, "hours": 3, "members": 100_000, "cheats": 100 });
    let mut body = json!({ "earn_per": 100, "worth": 2, "offline_limit": 500,
        "tiers": [{ "name": "gold", "from": 1000, "multiplier_bp": 20000 }], "outage": outage });
    let set = pair.hub.send(Method::PUT, "/v1/loyalty/rules", Some("r"), body.clone()).await.expect(200);
    let exposure = &set["exposure"];
    assert_eq!((&exposure["member_points"], &exposure["member_worth"]), (&json!(6_000), &json!(12_000)));
    assert_eq!((&exposure["fleet_points"], &exposure["fleet_worth"]), (&json!(60_000), &json!(120_000)));
    assert_eq!((&exposure["outage"], &set["programme"]["tiers"][0]["name"]), (&outage, &json!("gold")));
    let held = pair.store.get("/v1/loyalty/rules?stores=1&hours=1&visits=9&members=1&cheats=1000000").await.expect(200);
    assert_eq!((&held["items"][0]["worth"], &held["exposure"]["member_points"]), (&json!(2), &json!(500)));
    assert_eq!(held["exposure"]["fleet_points"], 4_500);
    for (at, (name, value)) in
        [("earn_per", json!(0)), ("worth", json!(-1)), ("offline_limit", json!(u64::MAX))].into_iter().enumerate()
    {
        let mut wrong = body.clone();
        wrong[name] = value;
        let reply = pair.hub.send(Method::PUT, "/v1/loyalty/rules", Some(&format!("w{at}")), wrong).await;
        refused(&reply, 422, "invalid-field", name);
    }
    body["colour"] = json!("red");
    let reply = pair.hub.send(Method::PUT, "/v1/loyalty/rules", Some("x"), body.clone()).await;
    assert_eq!(reply.status.as_u16(), 422, "{}", reply.text());
    body.as_object_mut().unwrap().remove("colour");
    refused(&pair.store.send(Method::PUT, "/v1/loyalty/rules", Some("s"), body).await, 409, "not-here", "");
}

#[tokio::test]
async fn a_quote_and_a_receipt_say_what_coupons_and_points_do() {
    let pair = club().await;
    let (member, paper) = (member(&pair).await, code(&pair, "paper", 0).await);
    let mut body = basket(1, "quote", &[&paper, "hers"]);
    body["member"] = json!(member);
    let quote = checkout(&pair, body.clone()).await.expect(200);
    assert_eq!(quote["total"], 429, "{quote}");
    assert_eq!((&quote["coupons"][0]["name"], &quote["coupons"][0]["worth"]), (&json!("Campaign paper"), &json!(100)));
    assert_eq!((&quote["coupons"][1]["taken"], &quote["points"]["earns"]), (&json!(true), &json!(42)));
    assert_eq!((&quote["points"]["soft"], &quote["points"]["held"]), (&json!(50), &json!(0)));
    (body["then"], body["tenders"]) = (json!("pay"), json!([{ "kind": "cash", "amount": 429 }]));
    let sold = checkout(&pair, body).await.expect(201);
    assert_eq!((&sold["points"]["earned"], &sold["points"]["spent"]), (&json!(42), &json!(0)), "{sold}");
    assert_eq!(
        (sold["coupons"].as_array().unwrap().len(), &sold["lines"][0]["reductions"][0]["name"].is_string()),
        (2, &true)
    );
    let receipt = pair.store.get("/v1/receipts/1-3-1-1").await.expect(200);
    assert_eq!((&receipt["coupons"], &receipt["points"]), (&sold["coupons"], &sold["points"]));
    let points = pair.store.get(&format!("/v1/members/{member}/points")).await.expect(200);
    assert_eq!((&points["balance"]["points"], &points["held"]), (&json!(42), &json!(42)), "{points}");
    assert_eq!((&points["sales"][0]["receipt"], &points["sales"][0]["earned"]), (&json!("1-3-1-1"), &json!(42)));
    let at_hub = pair.hub.get(&format!("/v1/members/{member}/points")).await.expect(200);
    assert_eq!((&at_hub["balance"]["points"], &at_hub["accounts"][0]["lie"]), (&json!(42), &json!({ "1": 42 })));
    let reads = pair.store.get(&format!("/v1/members/reads?member={member}")).await.expect(200);
    assert_eq!((&reads["items"][0]["how"], &reads["items"][0]["fields"]), (&json!("points"), &json!(["points"])));
    let report = pair.store.get(&format!("/v1/members/{member}/report")).await.expect(200);
    let shopping = &report["shopping"];
    assert_eq!((&shopping["receipts"], &shopping["points"][0]["earned"]), (&json!(["1-3-1-1"]), &json!(42)));
    assert_eq!(shopping["coupons"].as_array().unwrap().len(), 2, "{report}");
}

#[tokio::test]
async fn points_pay_within_rights_and_limit_and_no_further() {
    let pair = club().await;
    let member = member(&pair).await;
    let pay = |till_seq: u64, points: i64| {
        let mut body = basket(till_seq, "pay", &[]);
        body["member"] = json!(member);
        let rest = json!({ "kind": "cash", "amount": 629 - points });
        let by_points = json!({ "kind": "points", "amount": points });
        body["tenders"] = if points == 0 { json!([rest]) } else { json!([by_points, rest]) };
        body
    };
    checkout(&pair, pay(1, 0)).await.expect(201);
    let beyond = checkout(&pair, pay(2, 200)).await;
    assert_eq!(refused(&beyond, 409, "points-beyond", "")["may_spend"], 112);
    let sold = checkout(&pair, pay(2, 100)).await.expect(201);
    assert_eq!(sold["points"]["spent"], 100, "{sold}");
    let path = format!("/v1/members/{member}/points");
    let points = pair.store.get(&path).await.expect(200);
    assert_eq!(points["balance"]["points"], 62 + 52 - 100, "{points}");
    let asked = pair.store.post(&format!("{path}/ask"), "a", json!({ "points": 5 })).await;
    assert_eq!(asked.status.as_u16(), 201, "{}", asked.text());
    refused(&pair.store.post(&format!("{path}/ask"), "b", json!({})).await, 422, "invalid-field", "points");
    refused(&pair.store.post(&format!("{path}/eat"), "c", json!({})).await, 422, "invalid-field", "action");
    let unknown = pair.store.get("/v1/members/00000000000000aa/points").await;
    assert_eq!(unknown.status.as_u16(), 404);
}

#[tokio::test]
async fn each_bad_coupon_is_a_problem_of_its_own_and_leaves_nothing_behind() {
    let pair = club().await;
    let issue = json!({ "first": 0, "count": 1, "store": 1 });
    let (used, again) = (code(&pair, "one", 0).await, code(&pair, "one", 1).await);
    let issued = pair.hub.post("/v1/campaigns/one/coupons", "i", issue.clone()).await.expect(201);
    assert_eq!((&issued["count"], &issued["store"]), (&json!(1), &json!(1)));
    refused(&pair.hub.post("/v1/campaigns/one/coupons", "i2", issue).await, 409, "conflict", "");
    paid(&pair, 1, &[&used], 529).await.expect(201);
    paid(&pair, 2, &["pool"], 529).await.expect(201);
    let (old, elsewhere, poor) =
        (code(&pair, "old", 0).await, code(&pair, "elsewhere", 0).await, code(&pair, "poor", 0).await);
    for (shown, status, kind) in [
        ("one-0000000000000000ff", 422, "coupon-wrong"),
        ("nothing", 422, "coupon-wrong"),
        (&old, 409, "coupon-expired"),
        (&elsewhere, 409, "coupon-other-store"),
        (&used, 409, "coupon-used"),
        (&again, 409, "coupon-not-here"),
        ("pool", 409, "coupon-budget-gone"),
        (&poor, 409, "coupon-budget-gone"),
        ("hers", 409, "coupon-member"),
    ] {
        let problem = refused(&paid(&pair, 3, &[shown], 529).await, status, kind, "coupons[0]");
        let quote = checkout(&pair, basket(3, "quote", &[shown])).await.expect(200);
        assert_eq!(quote["coupons"][0]["refused"]["type"], problem["type"], "{quote}");
        assert_eq!((&quote["coupons"][0]["taken"], &quote["total"]), (&json!(false), &json!(629)));
        if kind == "coupon-used" {
            assert_eq!((&problem["store"], problem["at"].is_string()), (&json!(1), true), "{problem}");
        }
    }
    assert_eq!(pair.store.get("/v1/tills/3").await.expect(200)["next_till_seq"], 3, "nothing was written");
    let shown = pair.store.get(&format!("/v1/coupons/{used}")).await.expect(200);
    assert_eq!((&shown["used"]["store"], &shown["kind"]), (&json!(1), &json!("single")));
    let wrong = pair.store.get("/v1/coupons/nothing").await;
    refused(&wrong, 422, "coupon-wrong", "code");
    pair.store.post(&format!("/v1/coupons/{again}/ask"), "ask", json!({})).await.expect(201);
    assert_eq!(pair.store.get(&format!("/v1/coupons/{again}")).await.expect(200)["placed_at"], 1);
    paid(&pair, 3, &[&again], 529).await.expect(201);
    pair.store.send(Method::POST, "/v1/checkout", None, basket(4, "quote", &[&again, &again])).await.expect(422);
}

#[tokio::test]
async fn a_campaign_says_how_far_it_went_and_its_codes_are_given_out_at_the_hub() {
    let pair = club().await;
    let (first, second) = (code(&pair, "paper", 0).await, code(&pair, "paper", 1).await);
    paid(&pair, 1, &[&first], 529).await.expect(201);
    paid(&pair, 2, &[&second], 529).await.expect(201);
    let gone = pair.hub.get("/v1/campaigns/paper").await.expect(200);
    assert_eq!((&gone["coupons"], &gone["redeemed"], &gone["left"]), (&json!(20), &json!(2), &json!(18)), "{gone}");
    assert_eq!((&gone["stores"][0]["worth"], &gone["doubles"]), (&json!(200), &json!([])));
    pair.cut.send(true).await.unwrap();
    let third = code(&pair, "paper", 2).await;
    paid(&pair, 3, &[&third], 529).await.expect(201);
    let codes = pair.hub.get("/v1/campaigns/paper/codes").await.expect(200);
    assert_eq!((codes["items"].as_array().unwrap().len(), &codes["next"]), (20, &Value::Null));
    let page = pair.hub.get("/v1/campaigns/paper/codes?first=5&count=2").await.expect(200);
    assert_eq!((&page["items"][1]["serial"], &page["next"]), (&json!(6), &json!(7)));
    for (query, field) in [("first=20", "first"), ("count=0", "count"), ("first=19&count=2", "count")] {
        refused(&pair.hub.get(&format!("/v1/campaigns/paper/codes?{query}")).await, 422, "invalid-field", field);
    }
    refused(&pair.hub.get("/v1/campaigns/pool/codes").await, 409, "conflict", "");
    refused(&pair.store.get("/v1/campaigns/paper/codes").await, 409, "not-here", "");
    assert_eq!(pair.hub.get("/v1/campaigns/nobody").await.status.as_u16(), 404);
    let listed = pair.store.get("/v1/campaigns").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 7);
    assert!(!listed.to_string().contains("secret"));
    refused(&put(&pair, "far-too-long-a-name", json!({ "kind": { "single": 1 } })).await, 422, "invalid-field", "id");
    refused(
        &put(&pair, "minus", json!({ "kind": { "single": 1 }, "budget": -1 })).await,
        422,
        "invalid-field",
        "budget",
    );
    refused(&put(&pair, "none", json!({ "kind": { "single": 0 } })).await, 422, "invalid-field", "coupons");
}
