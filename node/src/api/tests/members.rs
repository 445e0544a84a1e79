//! Members and notes through the API: found by scan, masked by role, every reading written down, nothing personal where it does not belong.

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Pair, Reply, call};
use super::work::stocked;

/// A shop on whose network a till asks, with a cashier and a manager, and a member.
struct Shop {
    pair: Pair,
    bearer: String,
    member: String,
}

impl Shop {
    async fn open() -> Self {
        let pair = stocked().await;
        let bearer = format!("Bearer {}", pair.store.devices.add("till 3", 0).unwrap());
        for (staff, name, role, pin) in [("ann", "Ann", "cashier", "8305"), ("mia", "Mia", "manager", "720416")] {
            let body = json!({ "name": name, "role": role, "stores": [1], "pin": pin });
            pair.hub
                .send(Method::PUT, &format!("/v1/staff/{staff}"), Some(&format!("new-{staff}")), body)
                .await
                .expect(200);
        }
        let enrolled = pair.store.post("/v1/members", "enrol", enrolment()).await.expect(201);
        let member = enrolled["member"].as_str().unwrap().to_owned();
        Self { pair, bearer, member }
    }

    async fn session(&self, staff: &str, pin: &str) -> String {
        let reply = self.ask(Method::POST, "/v1/sign-in", None, None, &json!({ "staff": staff, "pin": pin })).await;
        reply.expect(201)["session"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, method: Method, path: &str, session: Option<&str>, key: Option<&str>, body: &Value) -> Reply {
        let mut headers = vec![("content-type", "application/json"), ("authorization", self.bearer.as_str())];
        headers.extend(session.map(|session| ("stockroom-session", session)));
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let lan: &Router = &self.pair.store.lan;
        call(lan, method, path, &headers, body.to_string().into_bytes()).await
    }

    async fn find(&self, session: &str, field: &str, value: &str) -> Reply {
        self.ask(Method::POST, "/v1/members/find", Some(session), None, &json!({ "field": field, "value": value }))
            .await
    }
}

fn enrolment() -> Value {
    json!({
        "values": [
            { "field": "name", "value": NAME },
            { "field": "phone", "value": PHONE },
            { "field": "birthday", "value": "1990-05-17" },
        ],
        "consents": [{ "purpose": "membership", "given": true, "source": "form" }],
        "staff": "ann",
    })
}

fn value_of(person: &Value, slot: &str) -> Value {
    person["values"].as_array().unwrap().iter().find(|value| value["slot"] == slot).unwrap()["value"].clone()
}

fn refused(reply: &Reply, status: u16, kind: &str) -> Value {
    let body = reply.expect(status);
    assert_eq!(body["type"], format!("/problems/{kind}"), "{body}");
    body
}

#[tokio::test]
async fn a_cashier_sees_a_masked_member_and_a_manager_all_of_her_and_both_are_written_down() {
    let shop = Shop::open().await;
    let (ann, mia) = (shop.session("ann", "8305").await, shop.session("mia", "720416").await);
    refused(&shop.ask(Method::POST, "/v1/members/find", None, None, &json!({})).await, 401, "sign-in-needed");
    let found = shop.find(&ann, "phone", "+86 138-1234-5678").await.expect(200);
    assert_eq!((&found["state"], &found["members"][0]["member"]), (&json!("found"), &json!(shop.member)));
    let seen = &found["members"][0];
    assert_eq!((value_of(seen, "phone-0"), value_of(seen, "name-0")), (json!("861****5678"), json!("李****")));
    assert_eq!(value_of(seen, "birthday-0"), "****");
    let path = format!("/v1/members/{}", shop.member);
    let full = shop.ask(Method::GET, &path, Some(&mia), None, &Value::Null).await.expect(200);
    assert_eq!((value_of(&full, "phone-0"), value_of(&full, "name-0")), (json!(PHONE), json!(NAME)));
    assert_eq!(full["agrees"], json!(["membership"]));
    let forbidden = shop.ask(Method::GET, "/v1/members/reads", Some(&ann), None, &Value::Null).await;
    refused(&forbidden, 403, "role-needed");
    let reads = shop.ask(Method::GET, "/v1/members/reads", Some(&mia), None, &Value::Null).await;
    let items = reads.expect(200)["items"].clone();
    let who: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["staff"].clone(), item["how"].clone(), item["masked"].clone()))
        .collect();
    assert_eq!(who, [(json!("mia"), json!("show"), json!(false)), (json!("ann"), json!("find"), json!(true))]);
    assert_eq!(items[0]["device"], "device till 3");
    assert!(items[1]["fields"].as_array().unwrap().contains(&json!("phone")));
    assert!(!reads.text().contains("5678") && !reads.text().contains(NAME), "{}", reads.text());
}

#[tokio::test]
async fn who_is_not_known_at_the_store_is_asked_for_at_the_hub() {
    let shop = Shop::open().await;
    let body = json!({ "home": 1, "values": [{ "field": "card", "value": "AB 99-1" }], "staff": "" });
    let at_hub = shop.pair.hub.post("/v1/members", "at-hub", body).await.expect(201);
    let local = |body: Value| shop.pair.store.send(Method::POST, "/v1/members/find", None, body);
    let found = local(json!({ "field": "card", "value": "ab991" })).await.expect(200);
    let found = match found["asked"].as_u64() {
        None => found,
        Some(number) => shop.pair.store.get(&format!("/v1/members/asked/{number}")).await.expect(200),
    };
    assert_eq!(found["members"][0]["member"], at_hub["member"], "{found}");
    let nobody = local(json!({ "field": "phone", "value": "13900000000" })).await;
    assert!(!nobody.text().contains("13900000000"), "{}", nobody.text());
    refused(&local(json!({ "field": "name", "value": "x" })).await, 422, "invalid-field");
    refused(&local(json!({ "field": "phone" })).await, 422, "invalid-field");
    shop.pair.cut.send(true).await.unwrap();
    let cut_off = local(json!({ "field": "phone", "value": "13900000001" })).await;
    let said = refused(&cut_off, 409, "not-here")["detail"].as_str().unwrap().to_owned();
    assert!(said.contains("hub cannot be asked"), "{said}");
}

#[tokio::test]
async fn values_consents_links_and_the_end() {
    let shop = Shop::open().await;
    let (store, path) = (&shop.pair.store, |rest: &str| format!("/v1/members/{}{rest}", shop.member));
    let second = json!({ "value": { "field": "phone", "value": "13700002222" }, "staff": "ann" });
    store.post(&path("/values"), "v1", second.clone()).await.expect(200);
    assert_eq!(store.post(&path("/values"), "v1", second).await.headers["idempotent-replay"], "true");
    store.post(&path("/values/phone-1/remove"), "r1", json!({ "staff": "ann" })).await.expect(200);
    let again = store.post(&path("/values/phone-1/remove"), "r2", json!({ "staff": "ann" })).await;
    refused(&again, 422, "unknown-reference");
    let consent = json!({ "consent": { "purpose": "messages", "given": true, "source": "counter" }, "staff": "ann" });
    store.post(&path("/consents"), "c1", consent).await.expect(200);
    let shown = store.get(&path("")).await.expect(200);
    assert_eq!(shown["agrees"], json!(["membership", "messages"]));
    assert!(!shown.to_string().contains("13700002222"), "{shown}");
    let other = store.post("/v1/members", "other", json!({ "values": [{ "field": "card", "value": "77" }] })).await;
    let other = other.expect(201)["member"].clone();
    let link = json!({ "other": other, "evidence": "staff", "staff": "ann" });
    store.post(&path("/link"), "l1", link).await.expect(200);
    assert_eq!(store.get(&path("")).await.expect(200)["perhaps"], json!([other]));
    store.post(&path("/unlink"), "u1", json!({ "other": other, "reason": "twins", "staff": "mia" })).await.expect(200);
    assert_eq!(store.get(&path("")).await.expect(200)["perhaps"], json!([]));
    let report = store.get(&path("/report")).await.expect(200);
    assert_eq!(report["consents"].as_array().unwrap().len(), 2);
    assert!(report["readings"].as_array().unwrap().len() >= 3 && report.to_string().contains(PHONE), "{report}");
    let note = format!("/v1/notes/members/{}", shop.member);
    let edit = json!({ "staff": "ann", "edits": [{ "do": "text", "name": "remark", "text": "likes plums" }] });
    store.post(&note, "n1", edit).await.expect(200);
    assert!(store.get(&path("/report")).await.text().contains("likes plums"), "her notes are hers");
    let ann = shop.session("ann", "8305").await;
    let body = json!({ "reason": "asked" });
    let refusal = shop.ask(Method::POST, &path("/erase"), Some(&ann), Some("e0"), &body).await;
    refused(&refusal, 403, "role-needed");
    let mia = shop.session("mia", "720416").await;
    shop.ask(Method::POST, &path("/erase"), Some(&mia), Some("e1"), &body).await.expect(200);
    for node in [&shop.pair.store, &shop.pair.hub] {
        let gone = node.get(&path("")).await;
        assert!(!gone.text().contains(PHONE) && !gone.text().contains(NAME), "{}", gone.text());
        assert_eq!(gone.expect(200)["standing"], "erased");
        let note = node.get(&format!("{note}?store=1")).await.expect(200);
        assert_eq!((&note["standing"], &note["texts"]), (&json!("sealed"), &json!({})));
    }
}

#[tokio::test]
async fn no_error_repeats_what_somebody_said_of_herself() {
    let shop = Shop::open().await;
    for (at, body) in [
        json!({ "values": [{ "field": "phone", "value": "no-138secret" }] }),
        json!({ "values": [{ "field": "phone", "value": 138_777_666 }] }),
        json!({ "values": [{ "field": "phone", "value": ["138secret"] }] }),
        json!({ "values": [{ "field": "phone", "value": "13811112222", "verified": true }] }),
        json!({ "values": [{ "field": "birthday", "value": "138secret" }] }),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = shop.pair.store.post("/v1/members", &format!("bad-{at}"), body).await;
        assert_eq!(reply.status.as_u16(), 422, "{}", reply.text());
        let text = reply.text();
        assert!(!["138secret", "138777666", "13811112222"].iter().any(|value| text.contains(value)), "{text}");
        let field = reply.json()["field"].as_str().unwrap().to_owned();
        assert!(field.starts_with("values[0]") && !field.contains("text"), "{field}");
    }
    let metrics = shop.pair.store.get("/metrics").await.text();
    assert!(!metrics.contains(&shop.member) && metrics.contains("/v1/members"), "routes, not their contents");
}

#[tokio::test]
async fn a_note_shows_what_it_says_who_wrote_it_and_what_is_in_conflict() {
    let shop = Shop::open().await;
    let (store, hub) = (&shop.pair.store, &shop.pair.hub);
    let path = "/v1/notes/stores/1";
    let set = |staff: &str, name: &str, text: &str| json!({ "staff": staff, "edits": [{ "do": "set", "name": name, "text": text }] });
    store.post(path, "1", set("mia", "close", "20:00")).await.expect(200);
    shop.pair.cut.send(true).await.unwrap();
    store.post(path, "2", set("mia", "close", "21:00")).await.expect(200);
    hub.post(path, "3", set("zoe", "close", "18:00")).await.expect(200);
    shop.pair.cut.send(false).await.unwrap();
    store.post(path, "4", set("mia", "music", "off")).await.expect(200);
    for node in [store, hub] {
        let note = node.get(path).await.expect(200);
        assert_eq!(note["conflicts"], json!(["close"]), "{note}");
        let close = note["values"]["close"].as_array().unwrap();
        let mut said: Vec<_> = close.iter().map(|said| (said["text"].clone(), said["by"]["staff"].clone())).collect();
        said.sort_by_key(|(text, _)| text.to_string());
        assert_eq!(said, [(json!("18:00"), json!("zoe")), (json!("21:00"), json!("mia"))]);
        assert_eq!(note["history"].as_array().unwrap().len(), 4);
    }
    let again = store.post(path, "4", set("mia", "music", "off")).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    for (key, to, body, status, field) in [
        ("b1", "/v1/notes/stores/x", set("mia", "a", "b"), 422, "id"),
        ("b2", "/v1/notes/shops/1", set("mia", "a", "b"), 422, "about"),
        ("b3", path, json!({ "staff": "mia", "edits": [] }), 422, "edits"),
        ("b4", path, json!({ "staff": "mia", "edits": [{ "do": "set", "name": "a" }] }), 422, "edits[0].text"),
        ("b5", path, json!({ "staff": "mia", "edits": [{ "do": "say", "text": "hello" }] }), 422, "edits[0]"),
        ("b6", path, set("", "a", "b"), 422, "staff"),
    ] {
        let reply = store.post(to, key, body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["field"]), (status, &json!(field)), "{}", reply.text());
    }
    refused(&store.post("/v1/notes/products/BREAD", "p", set("mia", "a", "b")).await, 409, "not-here");
    hub.post("/v1/notes/products/BREAD", "p", set("zoe", "origin", "here")).await.expect(200);
    assert_eq!(store.get("/v1/notes/products/BREAD").await.expect(200)["values"]["origin"][0]["text"], "here");
    assert_eq!(store.get(&format!("{path}?generation=5")).await.status.as_u16(), 404);
}

const NAME: &str = "李伟";
const PHONE: &str = "8613812345678";
