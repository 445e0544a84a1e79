//! Orders as events: what each entry is about. No personal data: numbers, words and amounts only.

use serde_json::{Value, json};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{StoreId, hex};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::step::{FulfillmentStep, Step};
use stockroom_crdt::order::{LineUnits, OrderId};

/// Subject and data of what an entry says about orders; nothing for other facts.
pub fn about(store: Option<StoreId>, fact: &Fact) -> Option<(Option<String>, Value)> {
    let store = store.map(|store| store.0);
    Some(match fact {
        Fact::Order(order) => {
            let data = json!({
                "order": order.id.to_string(), "channel": order.channel.as_str(), "source": order.source.as_str(),
                "reference": order.reference.as_str(), "lines": order.lines.len(), "total": order.total(),
                "currency": order.currency.as_str(),
            });
            (subject(order.id), data)
        }
        Fact::Offer(offer) => {
            let data = json!({
                "order": offer.order.to_string(), "generation": offer.generation, "store": store,
                "channel": offer.channel.as_str(), "lines": offer.lines.len(), "speculative": offer.speculative,
            });
            (subject(offer.order), data)
        }
        Fact::FulfillmentStep(step) => {
            let lines: Vec<Value> = step
                .lines
                .iter()
                .map(|line| json!({ "line": line.line + 1, "quantity": line.quantity, "reason": line.reason.as_str() }))
                .collect();
            let data = json!({
                "order": step.order.to_string(), "generation": step.generation, "store": store,
                "step": step.step.as_str(), "lines": lines, "note": note_of(step), "device": step.device,
            });
            (subject(step.order), data)
        }
        Fact::OrderStep(step) => {
            let data = json!({
                "order": step.order.to_string(), "generation": step.generation, "store": store,
                "saying": step.saying.as_str(), "lines": units(&step.lines), "note": said_note(step),
            });
            (subject(step.order), data)
        }
        Fact::Payment(payment) => {
            let data = json!({
                "order": payment.order.to_string(), "authorised": payment.authorised, "captured": payment.captured,
                "refunded": payment.refunded,
            });
            (subject(payment.order), data)
        }
        Fact::Redress(redress) => {
            let data = json!({
                "order": redress.order.to_string(), "compensation": hex(&redress.id), "amount": redress.amount,
                "done": redress.done,
            });
            (subject(redress.order), data)
        }
        Fact::PassShown(shown) => {
            let pass = &shown.pass;
            let data = json!({ "order": pass.order.to_string(), "generation": pass.generation, "store": pass.store.0 });
            (subject(pass.order), data)
        }
        Fact::Routing(rules) => {
            (None, json!({ "channel": rules.channel.map(|channel| channel.as_str()), "ended": rules.ended }))
        }
        Fact::OrderLimits(limits) => {
            (None, json!({ "store": limits.store.map(|store| store.0), "ended": limits.ended }))
        }
        Fact::Service(service) => (Some(format!("store/{}", service.store.0)), json!({ "store": service.store.0 })),
        _ => return None,
    })
}

/// The type of an event about orders; nothing for other kinds. A step has the type of what was said.
pub fn word(number: u16, fact: Option<&Fact>) -> Option<&'static str> {
    Some(match number {
        kind::ORDER => "order.placed",
        kind::OFFER => "fulfillment.offered",
        kind::FULFILLMENT_STEP => match fact {
            Some(Fact::FulfillmentStep(step)) => step_word(step.step),
            _ => "fulfillment.changed",
        },
        kind::ORDER_STEP => match fact {
            Some(Fact::OrderStep(step)) => saying_word(step.saying),
            _ => "order.changed",
        },
        kind::PAYMENT => "order.paid",
        kind::REDRESS => "order.compensated",
        kind::PASS_SHOWN => "order.pass-shown",
        kind::ROUTING => "order-rules.routing-changed",
        kind::SERVICE => "order-rules.service-changed",
        kind::ORDER_LIMITS => "order-rules.limits-changed",
        _ => return None,
    })
}

fn step_word(step: Step) -> &'static str {
    match step {
        Step::Accept => "fulfillment.accepted",
        Step::Refuse => "fulfillment.refused",
        Step::StartPicking => "fulfillment.picking",
        Step::Pick => "fulfillment.picked",
        Step::Pack => "fulfillment.packed",
        Step::Stage => "fulfillment.staged",
        Step::Ready => "fulfillment.ready",
        Step::Arrive => "fulfillment.arrived",
        Step::HandOver => "fulfillment.handed-over",
        Step::Decline => "fulfillment.declined",
        Step::Uncollected => "fulfillment.uncollected",
        Step::PutBack => "fulfillment.put-back",
        Step::ConfirmCancel => "fulfillment.cancel-confirmed",
        Step::DenyCancel => "fulfillment.cancel-denied",
        Step::StandDown => "fulfillment.stood-down",
        Step::WrongCode => "fulfillment.wrong-code",
        Step::CheckAge => "fulfillment.age-checked",
        Step::Hold => "fulfillment.held",
        Step::Resume => "fulfillment.resumed",
        Step::RequestCourier => "fulfillment.courier-requested",
        Step::AssignCourier => "fulfillment.courier-assigned",
        Step::CourierAtStore => "fulfillment.courier-at-store",
        Step::Dispatch => "fulfillment.dispatched",
        Step::Deliver => "fulfillment.delivered",
        Step::FailDelivery => "fulfillment.delivery-failed",
        Step::Return => "fulfillment.returning",
        Step::Returned => "fulfillment.returned",
        Step::Lose => "fulfillment.lost",
        Step::CourierRefused => "fulfillment.courier-refused",
        Step::TakeAlong => "fulfillment.taken-along",
        Step::BringBack => "fulfillment.brought-back",
    }
}

fn saying_word(saying: Saying) -> &'static str {
    match saying {
        Saying::AskCancel => "order.cancel-asked",
        Saying::Withdraw => "order.offer-withdrawn",
        Saying::Cancel => "order.cancelled",
        Saying::IssuePass => "order.pass-issued",
        Saying::Choose => "order.choice-made",
        Saying::Hold => "order.held",
        Saying::Resume => "order.resumed",
        Saying::StandDown => "order.stand-down-asked",
        Saying::RiskRefund => "order.refund-at-risk",
        Saying::GiveUp => "order.given-up",
        Saying::Arrive => "order.customer-arrived",
    }
}

/// The note, without the name of the manager who took a handover on, or of whoever has lost goods.
fn note_of(step: &FulfillmentStep) -> &str {
    match step.step {
        Step::HandOver => step.note.as_str().split_whitespace().next().unwrap_or_default(),
        Step::Lose => "",
        _ => step.note.as_str(),
    }
}

/// The note, without whom a customer sends, or who bears a loss.
fn said_note(step: &OrderStep) -> &str {
    match step.saying {
        Saying::IssuePass | Saying::RiskRefund => "",
        _ => step.note.as_str(),
    }
}

fn units(lines: &[LineUnits]) -> Vec<Value> {
    lines.iter().map(|units| json!({ "line": units.line + 1, "quantity": units.quantity })).collect()
}

fn subject(order: OrderId) -> Option<String> {
    Some(format!("order/{order}"))
}
