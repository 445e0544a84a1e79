//! Secrets as a receiver sees them: rotation, a wrong one, a delivery that is played again.

use stockroom::webhooks::book::ROTATION_MS;
use stockroom::webhooks::signature::{Secret, VerifyError};

use super::bench::Bench;

#[test]
fn while_a_secret_is_rotated_receivers_with_either_believe() {
    let mut bench = Bench::new();
    let new = bench.webhooks.rotate(&bench.id, bench.now_ms).expect("it is there");
    bench.put(1);
    bench.send();
    let during = bench.receiver.heard().remove(0);
    assert_eq!(during.signature.split(' ').count(), 2);
    for secret in [&bench.secret, &new] {
        assert_eq!(bench.verified(&during, std::slice::from_ref(secret)), Ok(()));
    }
    bench.now_ms += ROTATION_MS;
    bench.restart();
    bench.put(2);
    bench.send();
    let after = bench.receiver.heard().remove(1);
    assert_eq!(bench.verified(&after, std::slice::from_ref(&new)), Ok(()));
    assert_eq!(bench.verified(&after, std::slice::from_ref(&bench.secret)), Err(VerifyError::Signature));
}

#[test]
fn a_receiver_refuses_what_was_changed_replayed_or_signed_by_another() {
    let mut bench = Bench::new();
    bench.put(1);
    bench.send();
    let heard = bench.receiver.heard().remove(0);
    let known = [bench.secret.clone()];
    let stranger = [Secret::generate().expect("there is randomness")];
    assert_eq!(bench.verified(&heard, &stranger), Err(VerifyError::Signature));
    let mut changed = heard.clone();
    changed.body = b"{\"n\":2}".to_vec();
    assert_eq!(bench.verified(&changed, &known), Err(VerifyError::Signature));
    bench.now_ms += 301_000;
    assert_eq!(bench.verified(&heard, &known), Err(VerifyError::TooOld));
}

#[test]
fn a_test_is_signed_like_everything_else_and_changes_no_figure() {
    let bench = Bench::new();
    let message =
        stockroom::webhooks::outbox::Message { id: "api_1".into(), kind: "webhook.tested".into(), body: "{}".into() };
    let outcome = bench.webhooks.try_out(&bench.id, &message, bench.now_ms).expect("it is there");
    assert_eq!(outcome, stockroom::webhooks::ladder::Outcome::Delivered);
    let heard = bench.receiver.heard().remove(0);
    assert_eq!(bench.verified(&heard, std::slice::from_ref(&bench.secret)), Ok(()));
    assert_eq!(bench.shown().figures.sent, 0);
}
