//! The figures about orders, as the API and Prometheus show them: over orders that two real cores worked on.

use serde_json::{Value, json};
use stockroom_core::input::orders::{FulfilRequest, PlaceLine, PlaceRequest, Proof, SayRequest};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::step::{Step, StepLine};
use stockroom_crdt::product::Channel;

use super::pair::{Node, Pair};
use super::work::stocked;

fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[b"figures", words.as_bytes()]), body: Digest::of(&[words.as_bytes()]) }
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

async fn place(pair: &Pair, reference: &str, lines: &[(&str, i64)]) -> (OrderId, String) {
    let line = |(sku, quantity): &(&str, i64)| PlaceLine {
        sku: Sku::parse(sku).unwrap(),
        unit: None,
        quantity: *quantity,
        unit_price: None,
        preference: Preference::Ask,
        tolerance_percent: None,
    };
    let request = PlaceRequest {
        channel: Channel::Pickup,
        source: code("app"),
        reference: code(reference),
        entity: Code::default(),
        currency: None,
        due_ms: None,
        release_ms: 0,
        priority: 0,
        place: None,
        stores: vec![StoreId(1)],
        contact: Vec::new(),
        phone_end: Code::default(),
        authorised: None,
        captured: 0,
        payment: Code::default(),
        partial: false,
        lines: lines.iter().map(line).collect(),
    };
    let answer = pair.hub.parts.0.ask(Command::PlaceOrder(key(reference), Box::new(request))).await.unwrap().unwrap();
    let Answer::Placed { order, code, .. } = answer else { panic!("{answer:?}") };
    (order, code)
}

async fn fulfil(node: &Node, (order, step): (OrderId, Step), lines: &[(u16, i64, &str)], proof: Proof) {
    let line = |(line, quantity, reason): &(u16, i64, &str)| StepLine {
        line: *line,
        quantity: *quantity,
        reason: code(reason),
        substitute: None,
    };
    let request = FulfilRequest {
        order,
        store: None,
        generation: None,
        step,
        lines: lines.iter().map(line).collect(),
        note: if step == Step::Refuse { code("too-busy") } else { Code::default() },
        staff: code("anna"),
        device: 1,
        proof,
        holder: Code::default(),
        anew: false,
    };
    let words = format!("{request:?}");
    node.parts.0.ask(Command::Fulfil(key(&words), Box::new(request))).await.unwrap().unwrap();
}

async fn cancel(pair: &Pair, order: OrderId) {
    let (note, by) = (code("changed her mind"), code("customer"));
    let request = SayRequest { order, saying: Saying::AskCancel, lines: Vec::new(), note, by, stores: Vec::new() };
    pair.hub.parts.0.ask(Command::SayOrder(key("cancel"), request)).await.unwrap().unwrap();
}

/// Of four orders one is handed over as ordered, one with a piece missing, one is refused and one cancelled.
async fn with_four_orders() -> Pair {
    let pair = stocked().await;
    let rule = json!({ "allocation": "hub-only", "lead_min": 0 });
    pair.hub.send(axum::http::Method::PUT, "/v1/policies", Some("rule"), rule).await.expect(200);
    let receipt = json!({ "lines": [{ "sku": "BREAD", "quantity": 20 }, { "sku": "MILK", "quantity": 20 }] });
    pair.store.post("/v1/goods-receipts", "goods", receipt).await.expect(201);
    let (good, good_code) = place(&pair, "1", &[("BREAD", 2), ("MILK", 1)]).await;
    let (short, short_code) = place(&pair, "2", &[("BREAD", 4)]).await;
    let (refused, _) = place(&pair, "3", &[("MILK", 1)]).await;
    let (cancelled, _) = place(&pair, "4", &[("MILK", 2)]).await;
    for (order, lines) in [(good, &[][..]), (short, &[(0, 3, "damaged")])] {
        fulfil(&pair.store, (order, Step::Accept), &[], Proof::None).await;
        fulfil(&pair.store, (order, Step::StartPicking), &[], Proof::None).await;
        fulfil(&pair.store, (order, Step::Pick), lines, Proof::None).await;
        fulfil(&pair.store, (order, Step::Ready), &[], Proof::None).await;
    }
    fulfil(&pair.store, (good, Step::Arrive), &[], Proof::None).await;
    fulfil(&pair.store, (good, Step::HandOver), &[], Proof::Code(good_code)).await;
    fulfil(&pair.store, (short, Step::HandOver), &[], Proof::Code(short_code)).await;
    fulfil(&pair.store, (refused, Step::Refuse), &[], Proof::None).await;
    fulfil(&pair.store, (cancelled, Step::Accept), &[], Proof::None).await;
    cancel(&pair, cancelled).await;
    pair
}

fn share(count: u64, of: u64) -> Value {
    json!([count, of])
}

fn pair_of(value: &Value) -> Value {
    json!([value["count"], value["of"]])
}

#[tokio::test]
async fn four_orders_give_figures_at_the_store_and_at_the_hub() {
    let pair = with_four_orders().await;
    let span = span_of(&pair).await;
    for node in [&pair.hub, &pair.store] {
        let answer = node.get(&format!("/v1/figures?{span}")).await.expect(200);
        let total = &answer["total"];
        assert_eq!((&total["offered"], &answer["is_cut"]), (&json!(4), &json!(false)), "{answer}");
        for (name, count, of) in [
            ("accept_in_time", 4, 4),
            ("ready_on_time", 2, 2),
            ("fill_pieces", 6, 7),
            ("fill_lines", 2, 3),
            ("short", 1, 3),
            ("refused", 1, 4),
            ("cancelled", 1, 4),
            ("perfect", 1, 3),
            ("uncollected", 0, 2),
            ("ready_at_arrival", 1, 1),
            ("wait_in_time", 1, 1),
            ("redispatched", 0, 0),
        ] {
            assert_eq!(pair_of(&total[name]), share(count, of), "{name} of {total}");
        }
        assert_eq!(total["fill_pieces"]["share"], 0.857143);
        assert_eq!(total["redispatched"]["share"], Value::Null, "no case, no share");
        assert_eq!(total["short_reasons"], json!([{ "reason": "damaged", "count": 1 }]));
        assert_eq!(total["refusal_reasons"], json!([{ "reason": "too-busy", "count": 1 }]));
        let cancels = json!([{ "by": "customer", "reason": "changed her mind", "count": 1 }]);
        assert_eq!(total["cancels"], cancels);
        assert_eq!((&total["accept"]["count"], &total["pick"]["count"]), (&json!(3), &json!(2)));
        let p50_s = total["ready"]["p50_s"].as_f64().unwrap();
        assert!((0.0..600.0).contains(&p50_s), "{total}");
        assert_eq!((&answer["stores"][0]["store"], &answer["stores"][0]["offered"]), (&json!(1), &json!(4)));
        let one = node.get(&format!("/v1/figures?store=1&{span}")).await.expect(200);
        assert_eq!((&one["total"], &one["stores"], &one["orders"]), (total, &Value::Null, &Value::Null));
    }
    let orders = pair.hub.get(&format!("/v1/figures?{span}")).await.expect(200)["orders"].clone();
    assert_eq!((&orders["placed"], pair_of(&orders["cancelled"])), (&json!(4), share(1, 2)), "{orders}");
    assert_eq!(pair_of(&orders["completed"]), share(1, 2));
    let at_store = pair.store.get(&format!("/v1/figures?{span}")).await.expect(200);
    assert_eq!(at_store["orders"]["placed"], 0, "the hub's orders are not known there");
}

/// A span that holds everything; one long before holds nothing.
async fn span_of(pair: &Pair) -> String {
    let none = pair.hub.get("/v1/figures?from=2020-01-01T00:00:00Z&to=2020-03-01T00:00:00Z").await.expect(200);
    assert_eq!((&none["total"]["offered"], &none["stores"]), (&json!(0), &json!([])));
    let now = jiff::Timestamp::now();
    let edge = |days: i64| (now + jiff::SignedDuration::from_hours(24 * days)).to_string();
    format!("from={}&to={}", edge(-40), edge(40))
}

#[tokio::test]
async fn a_span_that_makes_no_sense_is_refused() {
    let pair = stocked().await;
    for (query, kind, field) in [
        ("from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", "invalid-field", "from"),
        ("from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z", "invalid-field", "from"),
        ("from=yesterday", "invalid-field", "from"),
        ("store=9", "unknown-reference", "store"),
    ] {
        let body = pair.hub.get(&format!("/v1/figures?{query}")).await.json();
        assert_eq!((&body["type"], &body["field"]), (&json!(format!("/problems/{kind}")), &json!(field)), "{body}");
    }
    assert_eq!(pair.hub.get("/v1/figures?until=now").await.status.as_u16(), 422);
}

#[tokio::test]
async fn prometheus_sees_the_last_day_and_reads_it_once_a_minute() {
    let pair = with_four_orders().await;
    let text = pair.store.get("/metrics").await.text();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert_eq!(value("stockroom_fulfillments_offered_day"), 4.0);
    assert_eq!(value("stockroom_order_share_true{figure=\"refused\"}"), 1.0);
    assert_eq!(value("stockroom_order_share_cases{figure=\"refused\"}"), 4.0);
    assert_eq!(value("stockroom_order_time_cases{figure=\"dwell\"}"), 2.0);
    assert!((0.0..600.0).contains(&value("stockroom_order_time_seconds{figure=\"ready\",quantile=\"0.9\"}")));
    place(&pair, "5", &[("MILK", 1)]).await;
    let again = pair.store.get("/metrics").await.text();
    assert!(again.contains("stockroom_fulfillments_offered_day 4"), "{again}");
}
