//! What couriers report, in the words of an order's log, and whether that can be written yet. Pure.

use stockroom_crdt::order::resolve::State as PartState;
use stockroom_crdt::order::step::Step;

use crate::courier::delivery::{CourierEvent, Standing};
use crate::courier::report::{Reason, State};

/// What becomes of a step that waits to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The order's log takes it now.
    Write,
    /// The store has not said yet that the goods left.
    Wait,
    /// It says nothing new any more.
    Drop,
}

/// The step that follows from what a courier reported, with its note. What only the store says is not among them.
pub fn of_event(event: &CourierEvent, goods_are_out: bool) -> Option<(Step, String)> {
    let provider = event.provider.clone().unwrap_or_default();
    let why = || reason_word(event.reason.unwrap_or(Reason::System)).to_owned();
    match event.state {
        State::CourierAssigned => Some((Step::AssignCourier, provider)),
        State::CourierAtStore => Some((Step::CourierAtStore, provider)),
        State::Delivered => Some((Step::Deliver, provider)),
        State::Failed if goods_are_out => Some((Step::FailDelivery, why())),
        State::Returning => Some((Step::Return, why())),
        State::Failed | State::Expired | State::Cancelled if !goods_are_out && event.standing == Standing::Manual => {
            Some((Step::CourierRefused, why()))
        }
        State::Requested
        | State::Accepted
        | State::PickedUp
        | State::NearDropoff
        | State::Expired
        | State::Cancelled
        | State::Failed
        | State::Returned => None,
    }
}

/// Whether a step can be written where its fulfillment stands.
pub fn fate(step: Step, state: PartState) -> Fate {
    let has_left = matches!(state, PartState::Out | PartState::Returning);
    match step {
        Step::RequestCourier | Step::AssignCourier | Step::CourierAtStore | Step::CourierRefused => {
            if state <= PartState::Awaited { Fate::Write } else { Fate::Drop }
        }
        Step::Deliver | Step::FailDelivery | Step::Return | Step::Lose if has_left => Fate::Write,
        Step::Deliver | Step::FailDelivery | Step::Return | Step::Lose if state <= PartState::Awaited => Fate::Wait,
        _ => Fate::Drop,
    }
}

/// A reason as it stands in a log.
pub fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::NoCourier => "no-courier",
        Reason::CourierLate => "courier-late",
        Reason::StoreNotReady => "store-not-ready",
        Reason::CustomerUnreachable => "customer-unreachable",
        Reason::AddressWrong => "address-wrong",
        Reason::CustomerRefused => "customer-refused",
        Reason::CustomerCancelled => "customer-cancelled",
        Reason::AgeCheckFailed => "age-check-failed",
        Reason::GoodsDamaged => "goods-damaged",
        Reason::MerchantCancel => "merchant-cancel",
        Reason::System => "system",
        Reason::ForceMajeure => "force-majeure",
    }
}

/// Takes the word that [`reason_word`] gives, of the reasons that a rider may have.
pub fn rider_reason(word: &str) -> Option<Reason> {
    RIDER_REASONS.into_iter().find(|reason| reason_word(*reason) == word)
}

/// Why a rider comes back with the goods.
pub const RIDER_REASONS: [Reason; 6] = [
    Reason::CustomerUnreachable,
    Reason::AddressWrong,
    Reason::CustomerRefused,
    Reason::AgeCheckFailed,
    Reason::GoodsDamaged,
    Reason::ForceMajeure,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_waits_for_the_store_s_own_step_and_for_nothing_else() {
        for state in [PartState::Packed, PartState::Ready, PartState::Awaited] {
            assert_eq!(fate(Step::Deliver, state), Fate::Wait, "{state:?}");
            assert_eq!(fate(Step::AssignCourier, state), Fate::Write, "{state:?}");
        }
        assert_eq!(fate(Step::Deliver, PartState::Out), Fate::Write);
        assert_eq!(fate(Step::Deliver, PartState::Returning), Fate::Write);
        assert_eq!(fate(Step::AssignCourier, PartState::Out), Fate::Drop);
        for over in [PartState::Delivered, PartState::Cancelled, PartState::Returned, PartState::Lost] {
            assert_eq!(fate(Step::Deliver, over), Fate::Drop, "{over:?}");
        }
    }

    #[test]
    fn every_reason_of_a_rider_is_read_back() {
        for reason in RIDER_REASONS {
            assert_eq!(rider_reason(reason_word(reason)), Some(reason));
        }
        assert_eq!(rider_reason("merchant-cancel"), None);
    }
}
