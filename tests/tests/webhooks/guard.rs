//! A name that leads to a private address is found when the connection is made, not before.

use std::collections::BTreeMap;

use stockroom::webhooks::endpoint::Settings;
use stockroom::webhooks::ladder::Outcome;
use stockroom::webhooks::outbox::Message;
use stockroom::webhooks::service::Webhooks;
use stockroom_tests::receiver::Receiver;

use super::bench::NOON_MS;

#[test]
fn a_name_that_leads_to_this_machine_is_not_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let receiver = Receiver::start().expect("a free port");
    let port = receiver.url().rsplit(':').next().map(str::to_owned).expect("a URL has a port");
    let url = format!("http://localhost:{port}");
    let message = Message { id: "evt_1".into(), kind: "sale.recorded".into(), body: "{}".into() };
    let tell = |allow_loopback| {
        let settings = Settings { allow_loopback, ..Settings::default() };
        let webhooks = Webhooks::open(folder.path(), &settings, &BTreeMap::new(), NOON_MS);
        let (shown, _) = webhooks.add(&url, &[], BTreeMap::new(), NOON_MS).expect("a name may be anybody's");
        webhooks.try_out(&shown.endpoint.id, &message, NOON_MS).expect("it is there")
    };
    let refused = tell(false);
    assert!(matches!(&refused, Outcome::Failed { what, .. } if what.contains("this machine")), "{refused:?}");
    assert_eq!(receiver.heard().len(), 0);
    assert_eq!(tell(true), Outcome::Delivered);
    assert_eq!(receiver.heard().len(), 1);
}
