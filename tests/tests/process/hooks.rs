//! Webhooks of a real node: configured and made over the API, through a receiver that fails and a node that is killed.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stockroom::webhooks::signature::{Headers, Secret, verify};
use stockroom_tests::receiver::{Heard, Receiver, Reply};

use super::binary::{is, wait_until};
use super::fleet::{Fleet, Node};
use super::till::Till;

#[test]
fn every_sale_is_told_through_failures_and_a_kill() {
    let mut fleet = Fleet::of(1);
    let (configured, made) = (Receiver::start().expect("a free port"), Receiver::start().expect("a free port"));
    let store = fleet.store(1);
    store.stop();
    let endpoint = format!("name = 'erp'\nurl = '{}'\nevents = ['sale.*', 'alarm.*']", configured.url());
    let config = format!("[webhooks]\nallow_loopback = true\n[[webhooks.endpoints]]\n{endpoint}\n");
    fs::write(store.data().join("stockroom.toml"), config).expect("the folder is there");
    store.start();
    let body = json!({ "url": made.url(), "events": ["sale.recorded"] });
    let answer = store.door().post("/v1/webhooks", None, &body).and_then(super::door::Reply::good);
    let answer = answer.expect("loopback is allowed");
    let path = format!("/v1/webhooks/{}/test", answer["id"].as_str().expect("it has an id"));
    let tested = store.door().post(&path, None, &json!({})).and_then(super::door::Reply::good);
    assert_eq!(tested.expect("it is there")["delivered"], true);

    let mut till = Till::new(1, 1);
    let mut sell = |store: &Node| till.try_sell(store.door()).expect("the store sells");
    made.reply([Reply::Status(500), Reply::Silence]);
    (0..3).for_each(|_| sell(store));
    wait_until(TOLD_MAX, "both that fail were tried", || is(&sales(&made).len(), &3));
    store.kill();
    store.start();
    (0..2).for_each(|_| sell(store));
    wait_until(TOLD_MAX, "the configured one has five sales", || is(&ids(&configured).len(), &5));
    wait_until(TOLD_MAX, "the other one has them too", || is(&ids(&made).len(), &5));
    assert_eq!(ids(&made), ids(&configured), "an entry has one id");

    let secrets = [
        (&configured, fs::read_to_string(store.data().join("webhook-erp.secret")).expect("it was made")),
        (&made, answer["secret"].as_str().expect("it is shown once").to_owned()),
    ];
    for (receiver, secret) in secrets {
        let secret = Secret::parse(&secret).expect("a whole secret");
        for heard in receiver.heard() {
            let headers = Headers { id: &heard.id, timestamp: &heard.timestamp, signature: &heard.signature };
            assert_eq!(verify(headers, &heard.body, std::slice::from_ref(&secret), now_s()), Ok(()));
        }
    }
    store.stop();
}

/// Requests about sales; the first was a test.
fn sales(receiver: &Receiver) -> Vec<Heard> {
    let about = |heard: &Heard| {
        let event: Value = serde_json::from_slice(&heard.body).expect("a body is JSON");
        event["type"] == "dev.stockroom.sale.recorded"
    };
    receiver.heard().into_iter().filter(about).collect()
}

fn ids(receiver: &Receiver) -> BTreeSet<String> {
    sales(receiver).into_iter().map(|heard| heard.id).collect()
}

fn now_s() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

/// A retry comes after five to six seconds, and the node starts once meanwhile.
const TOLD_MAX: Duration = Duration::from_secs(30);
