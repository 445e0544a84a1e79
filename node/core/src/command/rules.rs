//! How orders are routed, how long things may take, when stores are open, and what tills follow: decisions of a hub.

use stockroom_crdt::checkout::rules::{SaleHours, TillRules};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::scope::Scope;

use super::{Failed, at_hub, check_fact};
use crate::input::Refusal;
use crate::journal::Place;
use crate::replica::Replica;
use crate::view::View;

/// Puts routing rules down.
pub fn routing(replica: &mut Replica, rules: RoutingRules) -> Result<Place, Failed> {
    at_hub(replica)?;
    rules.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    decide(replica, Fact::Routing(rules))
}

/// Puts a store's opening hours down.
pub fn service(replica: &mut Replica, service: StoreService) -> Result<Place, Failed> {
    at_hub(replica)?;
    check_store(replica, service.store)?;
    service.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    decide(replica, Fact::Service(service))
}

/// Puts time limits down.
pub fn limits(replica: &mut Replica, limits: OrderLimits) -> Result<Place, Failed> {
    at_hub(replica)?;
    if let Some(store) = limits.store {
        check_store(replica, store)?;
    }
    limits.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    decide(replica, Fact::OrderLimits(limits))
}

/// Puts down what tills follow.
pub fn tills(replica: &mut Replica, rules: TillRules) -> Result<Place, Failed> {
    at_hub(replica)?;
    if let Some(store) = rules.store {
        check_store(replica, store)?;
    }
    rules.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    decide(replica, Fact::TillRules(rules))
}

/// Puts down when goods of a department are sold.
pub fn sale_hours(replica: &mut Replica, hours: SaleHours) -> Result<Place, Failed> {
    at_hub(replica)?;
    if let Some(store) = hours.store {
        check_store(replica, store)?;
    }
    hours.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    decide(replica, Fact::SaleHours(hours))
}

fn check_store(replica: &Replica, store: StoreId) -> Result<(), Failed> {
    match View::new(&replica.overlay).store(store)? {
        Some(_) => Ok(()),
        None => Err(Refusal::Unknown { field: "store".into(), what: "store" }.into()),
    }
}

fn decide(replica: &mut Replica, fact: Fact) -> Result<Place, Failed> {
    check_fact(&fact, "rules")?;
    Ok(replica.write(&Scope::Control, vec![fact])?[0])
}
