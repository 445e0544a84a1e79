//! Deliveries, riders and their page through the API.

use axum::http::{Method, header};
use serde_json::{Value, json};

use super::orders::{act, bread, make_ready, market, placed};
use super::pair::{Pair, Reply, call};
use crate::api::values::{Moment, Word, now_ms};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// A delivery that is ready at the store, with "ann" to bring it.
async fn ready(pair: &Pair) -> (String, String) {
    let mut body = bread(2);
    (body["channel"], body["currency"]) = (json!("delivery"), json!("EUR"));
    body["place"] = json!({ "lat": 52.51, "lon": 13.41 });
    body["contact"]["name"] = json!("<b>Li</b>");
    let (order, code) = placed(pair, "o1", body).await;
    make_ready(pair, &order).await;
    (order, code)
}

async fn hub(pair: &Pair, path: &str, body: Value) -> Reply {
    pair.hub.send(Method::POST, path, None, body).await
}

/// From a phone: through the LAN door, without a device's token.
async fn phone(pair: &Pair, path: &str, body: Value) -> Reply {
    call(&pair.hub.lan, Method::POST, path, &JSON, body.to_string().into_bytes()).await
}

async fn page_of_ann(pair: &Pair) -> String {
    let ann = json!({ "id": "ann", "name": "Ann", "phone": "1", "store": 1 });
    assert_eq!(hub(pair, "/v1/riders", ann).await.expect(200)["has_token"], false);
    hub(pair, "/v1/riders/ann/token", json!({})).await.expect(200)["page"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rider_brings_an_order_and_says_so_on_the_page() {
    let pair = market().await;
    let (order, code) = ready(&pair).await;
    let page = page_of_ann(&pair).await;
    pair.hub.get(&format!("/v1/deliveries/{order}")).await.expect(404);
    let given = hub(&pair, &format!("/v1/deliveries/{order}/assign"), json!({ "rider": "ann" })).await.expect(200);
    let attempt = &given["items"][0]["attempts"][0];
    assert_eq!((&attempt["courier"], &attempt["state"]), (&json!("riders"), &json!("courier_assigned")), "{given}");
    assert_eq!(given["items"][0]["fulfillment"], "courier-assigned");
    let sheet = pair.hub.get("/v1/riders/ann/sheet").await.expect(200);
    assert_eq!(sheet["stops"][0]["order"], json!(order));
    assert!(!sheet.to_string().contains("Nanjing"), "addresses stand on the page only");
    act(&pair, &order, "dispatch", json!({ "staff": "anna" })).await.expect(200);

    let shown = call(&pair.hub.lan, Method::GET, &page, &[], Vec::new()).await;
    let text = shown.text();
    assert!(shown.status.is_success() && text.contains("Nanjing Road 1") && text.contains("&lt;b&gt;Li"), "{text}");
    assert!(!text.contains("<b>Li"), "what others wrote is escaped");
    let policy = shown.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");

    let place = json!({ "place": { "lat": 52.505, "lon": 13.405 } });
    assert_eq!(phone(&pair, &format!("{page}/position"), place).await.expect(200)["taken"], 1);
    let seen = pair.hub.get(&format!("/v1/deliveries/{order}")).await.expect(200);
    assert_eq!(seen["items"][0]["position"]["place"]["lat"], 52.505, "{seen}");

    let id = sheet["stops"][0]["id"].clone();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let say = |key: &str, code: &str| json!({ "key": key, "id": id, "act": "delivered", "at": Moment(now_ms()).write(), "code": code });
    let acts = format!("{page}/acts");
    let refused = phone(&pair, &acts, say("1", wrong)).await.expect(422);
    assert!(refused["field"] == "code" && refused["detail"].as_str().unwrap().contains("4 tries"), "{refused}");
    assert_eq!(phone(&pair, &acts, say("2", &code)).await.expect(200)["taken"], "written");
    assert_eq!(phone(&pair, &acts, say("2", &code)).await.expect(200)["taken"], "repeated");
    let whole = pair.hub.get(&format!("/v1/orders/{order}")).await.expect(200);
    assert_eq!((&whole["state"], &whole["charge"]), (&json!("completed"), &json!(500)), "{whole}");
}

#[tokio::test]
async fn what_a_phone_says_is_checked_and_a_revoked_page_is_gone() {
    let pair = market().await;
    let (order, _) = ready(&pair).await;
    let page = page_of_ann(&pair).await;
    let assign = format!("/v1/deliveries/{order}/assign");
    assert_eq!(hub(&pair, &assign, json!({})).await.expect(422)["field"], "rider");
    hub(&pair, &assign, json!({ "rider": "ann" })).await.expect(200);
    let acts = format!("{page}/acts");
    let at = Moment(now_ms()).write();
    let id = format!("{order}.1.1.1~1");
    for (body, field) in [
        (json!({ "key": "", "id": id, "act": "returning", "at": at }), "key"),
        (json!({ "key": "k", "id": "x", "act": "returning", "at": at }), "id"),
        (json!({ "key": "k", "id": id, "act": "eaten", "at": at }), "act"),
        (json!({ "key": "k", "id": id, "act": "failed", "at": at, "reason": "merchant-cancel" }), "reason"),
        (json!({ "key": "k", "id": id, "act": "delivered", "at": at }), "code"),
        (json!({ "key": "k", "id": id, "act": "delivered", "at": at, "code": "12345" }), "code"),
        (json!({ "key": "k", "id": id, "act": "delivered", "at": at, "photo": "a b" }), "photo"),
    ] {
        assert_eq!(phone(&pair, &acts, body.clone()).await.expect(422)["field"], field, "{body}");
    }
    let strange = json!({ "key": "k", "id": "1-0000000009.1.1.1~1", "act": "returning", "at": at });
    phone(&pair, &acts, strange).await.expect(404);
    call(&pair.hub.local, Method::DELETE, "/v1/riders/ann/token", &[], Vec::new()).await.expect(200);
    call(&pair.hub.lan, Method::GET, &page, &[], Vec::new()).await.expect(404);
    phone(&pair, &acts, json!({ "key": "k", "id": id, "act": "returning", "at": at })).await.expect(404);
}

#[tokio::test]
async fn a_callback_needs_no_device_but_a_service_that_is_set_up() {
    let pair = market().await;
    let answered = phone(&pair, "/v1/couriers/fengniao/callbacks", json!({})).await.expect(404);
    assert!(answered["detail"].as_str().unwrap().contains("no courier service"), "{answered}");
    call(&pair.hub.lan, Method::GET, "/v1/deliveries", &[], Vec::new()).await.expect(401);
    assert_eq!(pair.hub.get("/v1/deliveries").await.expect(200)["items"], json!([]));
}
