//! Exchanges: goods come back and others go out, both in one commit or neither.
//!
//! What comes back is worth cash at this counter, and pays for what goes out: the return books it out of the drawer, a tender of the sale books
//! it in again, and the other tenders are the difference. Both bear one reference.

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::returns::{Refund, ReturnId};
use stockroom_crdt::sale::{Tender, TenderKind};

use super::{Failed, check_fact, day, earlier, own_store, remember, returns, sell};
use crate::books::{returns as book, sales};
use crate::input::returns::{ExchangeRequest, ReturnRequest};
use crate::input::sales::SellRequest;
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::Place;
use crate::replica::Replica;

/// Takes goods back and sells others for them.
pub fn exchange(replica: &mut Replica, retry: RetryKey, request: ExchangeRequest) -> Result<Answer, Failed> {
    let own = own_store(replica)?;
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        // They were written one after the other.
        let sale = Place { seq: place.seq + 1, ..place };
        return Ok(Answer::Exchanged { returned: place, sale, replayed: true });
    }
    let ExchangeRequest { returned, mut sale } = request;
    if let Some(answer) = written_before(replica, own, (retry, &sale))? {
        return Ok(answer);
    }
    let wanted = ReturnRequest { cash: true, ..returned };
    let mut returned = returns::drafted(replica, own, retry, wanted).map_err(|failed| within("returned", failed))?;
    if returned.refund != Refund::Cash {
        let message = "the money for what comes back is not this store's to give yet, the seller decides: take it back as a return, and sell the rest";
        return Err(Refusal::State(message.into()).into());
    }
    if returned.reference.is_empty() {
        returned.reference = Code::parse(&returned.id.to_string()).unwrap_or_default();
    }
    let worth = returned.amount();
    if worth > 0 {
        sale.tenders.push(Tender { kind: TenderKind::Cash, amount: worth, reference: returned.reference.clone() });
    }
    let body = sale.body;
    let sale = sell::drafted(replica, own, sale).map_err(|failed| within("sale", failed))?;
    if sale.currency != returned.currency {
        let message = format!("is {}: what comes back was paid in {}", sale.currency, returned.currency);
        return Err(Refusal::invalid("sale.currency", message).into());
    }
    let (total, paid) = (sale.total(), sale.paid());
    if total != paid {
        let message = format!(
            "add up to {}; {} are due: {total} for what goes out, less {worth} for what comes back",
            paid - worth,
            total - worth
        );
        return Err(Refusal::invalid("sale.tenders", message).into());
    }
    let facts = [Fact::GoodsReturn(returned.clone()), Fact::Sale(sale.clone())];
    facts.iter().try_for_each(|fact| check_fact(fact, "sale.lines"))?;
    (returned.day, _) = day::of_sale(replica, own, replica.now.wall_ms)?;
    let (sale, _) = sell::post(replica, own, (sale, body), vec![Fact::GoodsReturn(returned)])?;
    let returned = Place { seq: sale.seq - 1, ..sale };
    remember(replica, retry, returned, 2);
    Ok(Answer::Exchanged { returned, sale, replayed: false })
}

/// The till's number is taken: by this exchange, if a node that was set back lost its retry keys, or by something else.
fn written_before(
    replica: &mut Replica,
    own: StoreId,
    (retry, sale): (RetryKey, &SellRequest),
) -> Result<Option<Answer>, Failed> {
    let Some(sale) = sales::by_till(&replica.overlay, own, sale.till, sale.till_seq)? else { return Ok(None) };
    let id = ReturnId::of_request(own, retry.key);
    let Some(returned) = book::told_at(&replica.overlay, own, id)?.returned else {
        return Err(Refusal::RetryMismatch.into());
    };
    let writings = book::writings(&replica.overlay, own, &returned)?;
    let first = writings.first().ok_or(Refusal::RetryMismatch)?;
    replica.reached("a retry was answered from an earlier write");
    Ok(Some(Answer::Exchanged { returned: first.place, sale, replayed: true }))
}

/// The same refusal, about a field of one half of the request.
fn within(half: &str, failed: Failed) -> Failed {
    let named = |field: String| format!("{half}.{field}");
    match failed {
        Failed::Refused(Refusal::Invalid { field, message }) => {
            Refusal::Invalid { field: named(field), message }.into()
        }
        Failed::Refused(Refusal::Unknown { field, what }) => Refusal::Unknown { field: named(field), what }.into(),
        Failed::Refused(Refusal::Stopped { field, reason }) => Refusal::Stopped { field: named(field), reason }.into(),
        other => other,
    }
}
