//! Two nodes in one store: which of them keeps its goods, and a manager who changes that.

use axum::http::Method;
use serde_json::json;
use stockroom_core::input::enrolment::EnrolRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_core::sealed::public_key;
use stockroom_crdt::capability::Signer;

use super::pair::{Pair, Reply};
use super::work::stocked;
use crate::enrol::{Token, digest_of};

/// A second box joins store 1; gives its id.
async fn second_box(pair: &Pair) -> u32 {
    let issued = pair.hub.send(Method::POST, "/v1/enrolment-tokens", None, json!({ "store": 1 })).await.expect(201);
    let token = Token::parse(issued["token"].as_str().unwrap()).unwrap();
    let log_key = Signer::from_seed(&[3; 32]).public();
    let request = EnrolRequest { token: digest_of(&token.secret), log_key, seal_key: public_key(&[3; 32]) };
    let (handle, ..) = &pair.hub.parts;
    match handle.ask(Command::Enrol(request)).await.unwrap().unwrap() {
        Answer::Enrolled { chain, .. } => chain.last().unwrap().node.0,
        answer => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_manager_makes_another_node_the_home_of_its_stores_goods() {
    let pair = stocked().await;
    let before = pair.hub.get("/v1/stores/1/home").await.expect(200);
    assert_eq!((&before["home"], &before["nodes"].as_array().unwrap().len()), (&json!(2), &1), "{before}");
    let second = second_box(&pair).await;
    let joined = pair.hub.get("/v1/stores/1/home").await.expect(200);
    assert_eq!(joined["home"], second, "who joined last is the home");
    assert_eq!(joined["nodes"][0]["node"], 2, "{joined}");
    assert_eq!((&joined["nodes"][0]["connected"], &joined["nodes"][1]["connected"]), (&json!(true), &json!(false)));

    let wish = json!({ "node": 2, "reason": "the new box is a spare", "staff": "mia" });
    let named = pair.hub.post("/v1/stores/1/home", "a", wish.clone()).await.expect(201);
    assert_eq!((&named["home"], &named["accepted"]), (&json!(2), &json!(0)), "{named}");
    assert_eq!(named["term"].as_u64(), joined["term"].as_u64().map(|term| term + 1));
    let again = pair.hub.post("/v1/stores/1/home", "a", wish.clone()).await.expect(200);
    assert_eq!(again, named, "the same key says the same");
    let heard = pair.store.get("/v1/stores/1/home").await.expect(200);
    assert_eq!((&heard["home"], &heard["term"]), (&json!(2), &named["term"]), "the store has heard of it");
    assert_eq!(pair.store.get("/v1/stores/1").await.expect(200)["home"], 2);
}

#[tokio::test]
async fn a_home_is_not_changed_by_mistake() {
    let pair = stocked().await;
    let second = second_box(&pair).await;
    let ask = async |path: &str, key: &str, body| problem(&pair.hub.post(path, key, body).await).0;
    let wish = |node: u32| json!({ "node": node, "reason": "x" });
    assert_eq!(ask("/v1/stores/9/home", "a", wish(2)).await, "not-found");
    assert_eq!(ask("/v1/stores/1/home", "b", wish(99)).await, "unknown-reference");
    assert_eq!(ask("/v1/stores/1/home", "c", wish(1)).await, "unknown-reference", "a hub keeps no goods");
    assert_eq!(ask("/v1/stores/1/home", "d", json!({ "node": 2, "reason": "" })).await, "invalid-field");
    assert_eq!(ask("/v1/stores/1/home", "e", wish(second)).await, "conflict", "it is the home already");
    let refused = pair.hub.post("/v1/stores/1/home", "f", json!({ "node": 2, "reason": "x", "accept": 7 })).await;
    assert_eq!(problem(&refused), ("invalid-field".into(), Some("accept".into())), "nothing is at risk");
    assert_eq!(problem(&pair.store.post("/v1/stores/1/home", "g", wish(2)).await).0, "not-here");
    pair.hub.post("/v1/stores/1/home", "i", wish(2)).await.expect(201);
    pair.hub
        .send(Method::POST, &format!("/v1/nodes/{second}/fence"), None, json!({ "reason": "stolen" }))
        .await
        .expect(200);
    assert_eq!(ask("/v1/stores/1/home", "h", wish(second)).await, "conflict", "nobody believes it");
}

/// A problem's kind and its field.
fn problem(reply: &Reply) -> (String, Option<String>) {
    let body = reply.json();
    let kind = body["type"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    (kind, body["field"].as_str().map(str::to_owned))
}
