//! Webhooks through the API, and what the feeds of real cores tell an endpoint.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::pair::{Node, Pair, call};
use super::work::{sale, stocked};
use crate::api::values::now_ms;
use crate::webhooks::endpoint::Settings;
use crate::webhooks::feed;
use crate::webhooks::ladder::Outcome;
use crate::webhooks::outbox::PENDING_MAX;
use crate::webhooks::service::Webhooks;
use crate::webhooks::worker::{Grown, Worker};

const NOBODY: &str = "http://127.0.0.1:9/in";

fn worker(node: &Node) -> Worker {
    let (handle, info, config) = node.parts.clone();
    Worker { webhooks: config.webhooks, handle, info }
}

async fn create(node: &Node, body: Value) -> Value {
    node.send(Method::POST, "/v1/webhooks", None, body).await.expect(201)
}

async fn sell(pair: &Pair, number: u64) {
    let lines = json!([{ "sku": "BREAD", "quantity": 1 }]);
    pair.store.send(Method::POST, "/v1/sales", None, sale(number, lines, 250)).await.expect(201);
}

/// What is sent now, as JSON; the receiver takes all of it.
fn take(worker: &Worker) -> Vec<Value> {
    let mut told = Vec::new();
    loop {
        worker.read_now(&mut Grown::All).unwrap();
        let jobs = worker.webhooks.jobs(now_ms() + 1);
        if jobs.is_empty() {
            return told;
        }
        for job in jobs {
            let event: Value = serde_json::from_str(&job.message().body).unwrap();
            assert_eq!(event["id"], job.message().id);
            told.push(event);
            worker.webhooks.settle(&job, Outcome::Delivered, now_ms());
        }
    }
}

#[tokio::test]
async fn an_endpoint_is_told_what_is_sold_after_it_was_made_and_nothing_else() {
    let pair = stocked().await;
    sell(&pair, 1).await;
    let made = create(&pair.store, json!({ "url": NOBODY, "events": ["sale.*"] })).await;
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let worker = worker(&pair.store);
    assert_eq!(take(&worker), Vec::<Value>::new());
    sell(&pair, 2).await;
    sell(&pair, 3).await;
    let told = take(&worker);
    let kinds: Vec<_> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["dev.stockroom.sale.recorded"; 2]);
    assert_eq!((&told[0]["data"]["till_seq"], &told[0]["data"]["total"]), (&json!(2), &json!(250)));
    assert_eq!(
        (&told[0]["specversion"], &told[0]["source"]),
        (&json!("1.0"), &json!(format!("stockroom/{}/2", "00".repeat(16))))
    );
    assert_eq!(take(&worker), Vec::<Value>::new(), "once");
    let id = made["id"].as_str().unwrap();
    let shown = pair.store.get(&format!("/v1/webhooks/{id}")).await.expect(200);
    assert_eq!((&shown["sent"], &shown["pending"], &shown["secret"]), (&json!(2), &json!(0), &Value::Null));
    let figures = pair.store.get("/metrics").await.text();
    assert!(figures.contains("stockroom_webhooks_sent_total 2"), "{figures}");
    assert!(
        figures.contains("stockroom_webhooks_pending 0") && figures.contains("stockroom_webhooks_oldest_seconds 0")
    );
}

#[tokio::test]
async fn hub_and_store_give_one_entry_the_same_id() {
    let pair = stocked().await;
    for node in [&pair.hub, &pair.store] {
        create(node, json!({ "url": NOBODY, "events": ["sale.*"] })).await;
    }
    sell(&pair, 1).await;
    let ids = |node| take(&worker(node)).iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    let (hub, store) = (ids(&pair.hub), ids(&pair.store));
    assert_eq!((hub.len(), &hub), (1, &store));
}

#[tokio::test]
async fn a_full_outbox_stops_reading_and_nothing_is_lost_or_doubled() {
    let pair = stocked().await;
    create(&pair.store, json!({ "url": NOBODY, "events": ["sale.*"] })).await;
    let worker = worker(&pair.store);
    let many = PENDING_MAX as u64 + 40;
    for number in 1..=many {
        sell(&pair, number).await;
    }
    let mut grown = Grown::All;
    worker.read_now(&mut grown).unwrap();
    assert_eq!(worker.webhooks.figures().pending, PENDING_MAX as u64);
    assert_ne!(grown, Grown::Some(BTreeSet::new()), "a scope is still to be read");
    let told = take(&worker);
    let numbers: Vec<_> = told.iter().map(|event| event["data"]["till_seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=many).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let pair = stocked().await;
    create(&pair.store, json!({ "url": NOBODY, "events": ["sale.*"] })).await;
    let before = worker(&pair.store);
    sell(&pair, 1).await;
    before.read_now(&mut Grown::All).unwrap();
    let [job] = &before.webhooks.jobs(now_ms() + 1)[..] else { panic!("one sale is one job") };
    let id = job.message().id.clone();
    before.webhooks.save();
    sell(&pair, 2).await;
    // The process ends here: the answer to the first is never heard, the second was never read.
    let dir = &before.info.data_dir;
    let settings = Settings { allow_loopback: true, ..Settings::default() };
    let ends = feed::ends(&*before.handle.snapshot().unwrap()).unwrap();
    let webhooks = Webhooks::open(dir, &settings, &ends, now_ms());
    let after = Worker { webhooks, ..before };
    let told = take(&after);
    let numbers: Vec<_> = told.iter().map(|event| event["data"]["till_seq"].as_u64().unwrap()).collect();
    assert_eq!((numbers, &told[0]["id"]), (vec![1, 2], &json!(id)));
}

#[tokio::test]
async fn endpoints_are_made_shown_rotated_enabled_and_removed() {
    let pair = stocked().await;
    let node = &pair.hub;
    let made = create(node, json!({ "url": NOBODY })).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    let act = async |action: &str| node.send(Method::POST, &format!("{path}/{action}"), None, json!({})).await;
    let listed = node.get("/v1/webhooks").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains("whsec_"), "a secret is shown once");
    let rotated = act("rotate").await.expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!((&rotated["secrets"], rotated["old_secret_until"].is_string()), (&json!(2), true));
    let tested = act("test").await.expect(200);
    assert_eq!(tested["delivered"], false);
    assert_eq!(act("enable").await.expect(200)["state"], "active");
    assert_eq!(act("explode").await.expect(422)["field"], "action");
    call(&node.local, Method::DELETE, &path, &[], Vec::new()).await.expect(200);
    assert_eq!(node.get(&path).await.expect(404)["type"], "/problems/not-found");
    assert_eq!(act("test").await.expect(404)["type"], "/problems/not-found");
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_is_refused_with_its_field() {
    let pair = stocked().await;
    let try_one = async |body: Value| pair.hub.send(Method::POST, "/v1/webhooks", None, body).await.expect(422);
    for url in
        ["https://10.0.0.1/", "https://169.254.169.254/latest", "http://93.184.216.34/", "file:///etc/passwd", ""]
    {
        assert_eq!(try_one(json!({ "url": url })).await["field"], "url", "{url}");
    }
    assert_eq!(try_one(json!({ "url": NOBODY, "events": ["Sale"] })).await["field"], "events");
    assert_eq!(try_one(json!({ "url": NOBODY, "secret": "mine" })).await["field"], "secret");
    assert_eq!(pair.hub.get("/v1/webhooks").await.expect(200)["items"], json!([]));
    let token = pair.hub.devices.add("till 1", 1).unwrap();
    let headers = [("authorization", format!("Bearer {token}"))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = call(&pair.hub.lan, Method::GET, "/v1/webhooks", &headers, Vec::new()).await.expect(403);
    assert_eq!(refused["type"], "/problems/forbidden");
}

#[tokio::test]
async fn a_disabled_endpoint_is_an_event_that_others_are_told() {
    let pair = stocked().await;
    let watcher = create(&pair.store, json!({ "url": NOBODY, "events": ["webhook.*"] })).await;
    create(&pair.store, json!({ "url": NOBODY, "events": ["sale.*"] })).await;
    let worker = worker(&pair.store);
    let mut announced = worker.webhooks.announced().unwrap();
    sell(&pair, 1).await;
    worker.read_now(&mut Grown::All).unwrap();
    let jobs = worker.webhooks.jobs(now_ms() + 1);
    worker.webhooks.settle(&jobs[0], Outcome::Gone, now_ms());
    let event = announced.try_recv().unwrap();
    assert_eq!((event.kind, event.data["webhook"].as_str()), ("webhook.disabled", Some(jobs[0].endpoint.as_str())));
    worker.webhooks.put_fleeting(&feed::of_api(&worker.info, &event, now_ms(), 1), now_ms());
    let jobs = worker.webhooks.jobs(now_ms() + 1);
    assert_eq!((jobs.len(), jobs[0].endpoint.as_str()), (1, watcher["id"].as_str().unwrap()));
}
