//! Rules of orders as people set them from a file, through the command line and the socket of a hub.

use serde_json::{Value, json};
use tokio::sync::watch;

use super::pair::start;
use crate::api::{Listeners, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_set_from_a_file_and_come_back_as_they_were_shown() {
    let pair = start();
    let (handle, info, config) = pair.hub.parts.clone();
    let listeners = Listeners::bind(&config).unwrap();
    let address = listeners.loopback().unwrap().to_string();
    let (stop, stopping) = watch::channel(false);
    let served = tokio::spawn(serve(handle, info, config, listeners, stopping));
    let folder = tempfile::tempdir().unwrap();
    let put = async |subject: &'static str, rules: Value| {
        let file = folder.path().join(subject);
        std::fs::write(&file, rules.to_string()).unwrap();
        let words = ["stockroom", "orders", "rules", "set", subject, file.to_str().unwrap(), "--api", &address];
        let words: Vec<_> = words.into_iter().map(Into::into).collect();
        let done = tokio::task::spawn_blocking(move || crate::cli::main(words.into_iter())).await.unwrap();
        done == std::process::ExitCode::SUCCESS
    };
    let week = json!([[{ "from": "08:00", "until": "20:00" }], [], [], [], [], [], []]);
    assert!(put("service", json!([{ "store": 1, "week": week, "parts_per_day": 40 }])).await);
    assert!(put("limits", json!({ "accept_within_s": 600 })).await);
    let service = pair.hub.get("/v1/order-rules/service").await.expect(200);
    assert_eq!((&service["items"][0]["week"], &service["items"][0]["parts_per_day"]), (&week, &json!(40)));
    let limits = pair.hub.get("/v1/order-rules/limits").await.expect(200);
    assert_eq!((limits["items"].as_array().unwrap().len(), &limits["items"][0]["accept_within_s"]), (1, &json!(600)));
    assert!(put("limits", limits.clone()).await, "what was shown can be set");
    assert_eq!(pair.hub.get("/v1/order-rules/limits").await.expect(200), limits);
    assert!(!put("routing", json!({ "parts_max": 7 })).await, "the hub refuses it");
    assert!(!put("routing", json!([])).await, "there is no rule in it");
    assert_eq!(pair.hub.get("/v1/order-rules/routing").await.expect(200)["items"], json!([]));
    stop.send_replace(true);
    served.await.unwrap().unwrap();
}
