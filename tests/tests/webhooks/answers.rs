//! What a receiver may answer, and what follows.

use stockroom::webhooks::ladder::LADDER_MS;
use stockroom::webhooks::outbox::State;
use stockroom_tests::receiver::Reply;

use super::bench::{Bench, NOON_MS};

#[test]
fn a_delivery_is_signed_and_taken_once() {
    let bench = Bench::new();
    bench.put(1);
    assert_eq!((bench.send(), bench.send()), (1, 0));
    let heard = bench.receiver.heard();
    assert_eq!((heard.len(), heard[0].id.as_str(), heard[0].body.as_slice()), (1, "evt_1", b"{\"n\":1}".as_slice()));
    assert_eq!(heard[0].content_type, "application/cloudevents+json");
    assert_eq!(heard[0].timestamp, (NOON_MS / 1_000).to_string());
    assert_eq!(bench.verified(&heard[0], std::slice::from_ref(&bench.secret)), Ok(()));
    assert_eq!(bench.shown().figures.sent, 1);
}

#[test]
fn one_that_always_fails_is_tried_ten_times_in_three_days_and_then_disabled() {
    let mut bench = Bench::new();
    bench.receiver.reply((0..10).map(|attempt| if attempt % 2 == 0 { Reply::Status(500) } else { Reply::Silence }));
    bench.put(1);
    let mut at_ms = Vec::new();
    while bench.wait() {
        assert_eq!(bench.send(), 1);
        at_ms.push(bench.now_ms);
    }
    let heard = bench.receiver.heard();
    assert_eq!((at_ms.len(), heard.len()), (10, 10));
    for (attempt, wait_ms) in LADDER_MS.iter().enumerate().skip(1) {
        let waited = at_ms[attempt] - at_ms[attempt - 1];
        assert!((*wait_ms..=wait_ms + wait_ms / 5).contains(&waited), "{waited} ms before attempt {attempt}");
    }
    assert!(heard.iter().all(|one| one.id == "evt_1" && one.body == heard[0].body), "one id for all attempts");
    assert!(heard.windows(2).all(|pair| pair[0].signature != pair[1].signature), "each attempt has its own time");
    let shown = bench.shown();
    assert!(matches!(shown.state, State::Disabled { .. }));
    assert_eq!((shown.figures.failed, shown.figures.pending), (10, 1));
    bench.webhooks.enable(&bench.id, bench.now_ms).expect("it is there");
    assert_eq!((bench.send(), bench.shown().figures.pending), (1, 0), "nothing was lost");
}

#[test]
fn a_receiver_that_says_gone_is_left_alone() {
    let mut bench = Bench::new();
    bench.receiver.reply([Reply::Status(410)]);
    bench.put(1);
    bench.send();
    bench.put(2);
    assert!(!bench.wait());
    assert_eq!((bench.send(), bench.receiver.heard().len()), (0, 1));
    assert!(matches!(bench.shown().state, State::Disabled { reason, .. } if reason.contains("410")));
}

#[test]
fn a_receiver_that_asks_for_rest_gets_it() {
    let mut bench = Bench::new();
    bench.receiver.reply([Reply::With(429, "retry-after: 90".into()), Reply::With(503, "retry-after: 3600".into())]);
    bench.put(1);
    bench.send();
    bench.put(2);
    assert_eq!(bench.send(), 0, "everything waits");
    bench.wait();
    assert_eq!(bench.now_ms, NOON_MS + 90_000);
    // Both are due; the first one's answer makes nothing of the second, which is on its way already.
    assert_eq!(bench.send(), 2);
    bench.wait();
    assert_eq!(bench.now_ms, NOON_MS + 90_000 + 3_600_000);
    assert_eq!((bench.send(), bench.shown().figures.pending), (1, 0));
}

#[test]
fn a_redirect_is_a_failure_and_is_not_followed() {
    let bench = Bench::new();
    let elsewhere = Bench::new();
    bench.receiver.reply([Reply::With(302, format!("location: {}", elsewhere.receiver.url()))]);
    bench.put(1);
    bench.send();
    assert_eq!((bench.receiver.heard().len(), elsewhere.receiver.heard().len()), (1, 0));
    assert_eq!(bench.shown().trouble.as_deref(), Some("answered 302"));
}

#[test]
fn a_restart_forgets_neither_what_waits_nor_how_often_it_was_tried() {
    let mut bench = Bench::new();
    bench.receiver.reply([Reply::Status(500), Reply::Status(500)]);
    bench.put(1);
    bench.send();
    bench.restart();
    assert_eq!(bench.send(), 0, "not before its time");
    bench.wait();
    let second_ms = bench.now_ms;
    bench.send();
    bench.restart();
    bench.wait();
    assert!((LADDER_MS[2]..=LADDER_MS[2] * 6 / 5).contains(&(bench.now_ms - second_ms)), "the third rung");
    bench.send();
    bench.restart();
    assert!(!bench.wait());
    let ids: Vec<_> = bench.receiver.heard().into_iter().map(|heard| heard.id).collect();
    assert_eq!(ids, ["evt_1"; 3]);
}

#[test]
fn a_delivery_whose_answer_was_lost_comes_again_under_the_same_id() {
    let mut bench = Bench::new();
    bench.receiver.reply([Reply::Silence]);
    bench.put(1);
    bench.send();
    bench.wait();
    bench.send();
    let heard = bench.receiver.heard();
    // A receiver that keeps the ids it has seen does the work once.
    let seen: std::collections::BTreeSet<_> = heard.iter().map(|heard| &heard.id).collect();
    assert_eq!((heard.len(), seen.len(), bench.shown().figures.sent), (2, 1, 1));
}
