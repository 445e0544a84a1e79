//! What this node does about orders by itself: route what nobody has, ask the next store when one is silent, tell losers to stand down, and
//! at a store answer cancels that were asked, and give up what its home took back.
//!
//! Nothing here is asked for by a person. Whatever is said of an order marks it; before each commit [`Replica::settle_orders`] looks at the
//! marked ones and writes what follows, in the same commit. What follows depends on the books alone, and on time limits that have
//! passed on the monotonic clock, which does not jump; a start begins them anew, which makes them longer and never shorter.
//!
//! | module | what it knows |
//! |---|---|
//! | [`desk`] | marks and timers between commits |
//! | [`home`] | the order's home: routing, silence, losers, what nobody has |
//! | [`routing`] | from the rights that are held to a plan, and from a plan to offers with promises behind them |
//! | [`returns`] | goods that come back to another store than the seller |
//! | [`store`] | the store that holds a fulfillment: answers to its home, goods that are missing |

pub mod desk;
pub mod home;
pub mod returns;
pub mod routing;
pub mod store;

use std::collections::BTreeMap;

use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::product::Channel;
use stockroom_crdt::scope::Scope;

use crate::books::cells;
use crate::input::CoreError;
use crate::limits::SETTLE_ROUNDS_MAX;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError};

impl Replica {
    /// Writes what follows from orders that something was said of, until nothing follows any more.
    pub(crate) fn settle_orders(&mut self) -> Result<(), CoreError> {
        if self.desk.resting {
            return Ok(());
        }
        for _ in 0..SETTLE_ROUNDS_MAX {
            let touched = std::mem::take(&mut self.order_desk.touched);
            let mut is_quiet = true;
            for order in touched {
                let follows = match self.own_store() {
                    Some(own) if order.home != self.actor().node => store::follows(self, own, order)?,
                    Some(own) => [store::follows(self, own, order)?, home::follows(self, order)?].concat(),
                    None => home::follows(self, order)?,
                };
                // Written before the next one is looked at: it may want the same rights.
                let mut facts: BTreeMap<Scope, Vec<Fact>> = BTreeMap::new();
                for (scope, fact) in follows {
                    facts.entry(scope).or_default().push(fact);
                }
                is_quiet &= facts.is_empty();
                for (scope, facts) in facts {
                    self.write(&scope, facts)?;
                }
            }
            for id in std::mem::take(&mut self.order_desk.returns) {
                for (scope, fact) in returns::follows(self, id)? {
                    is_quiet = false;
                    self.write(&scope, vec![fact])?;
                }
            }
            if is_quiet {
                return Ok(());
            }
        }
        self.reached("orders were not settled in one commit");
        Ok(())
    }

    /// The scope in which this node writes what it says of its own orders.
    pub(crate) fn orders_scope(&self) -> Scope {
        self.own_store().map_or(Scope::Orders(self.actor().node.0), Scope::StoreOrders)
    }

    /// The time limits that hold for a store.
    pub fn limits_for(&self, store: StoreId) -> Result<OrderLimits, StoreError> {
        let all = limits(&self.overlay)?;
        Ok(OrderLimits::narrowest(all.iter(), store).cloned().unwrap_or_default())
    }

    /// The rules by which orders of a channel are routed.
    pub fn routing_for(&self, channel: Channel) -> Result<RoutingRules, StoreError> {
        let all = rules(&self.overlay)?;
        Ok(RoutingRules::narrowest(all.iter(), channel).cloned().unwrap_or_default())
    }

    /// The name of an order as promises refer to it.
    pub(crate) fn order_reference(order: OrderId) -> stockroom_crdt::ids::Code {
        stockroom_crdt::ids::Code::parse(&order.to_string()).expect("an order's name is a code")
    }
}

/// Time limits that hold, for all stores or for one.
pub fn limits(snapshot: &(impl Snapshot + ?Sized)) -> Result<Vec<OrderLimits>, StoreError> {
    decisions(snapshot, kind::ORDER_LIMITS, |fact| match fact {
        Fact::OrderLimits(limits) => Some(limits),
        _ => None,
    })
}

/// Routing rules that hold, for all channels or for one.
pub fn rules(snapshot: &(impl Snapshot + ?Sized)) -> Result<Vec<RoutingRules>, StoreError> {
    decisions(snapshot, kind::ROUTING, |fact| match fact {
        Fact::Routing(rules) => Some(rules),
        _ => None,
    })
}

/// When stores are open.
pub fn services(snapshot: &(impl Snapshot + ?Sized)) -> Result<Vec<StoreService>, StoreError> {
    decisions(snapshot, kind::SERVICE, |fact| match fact {
        Fact::Service(service) => Some(service),
        _ => None,
    })
}

fn decisions<T>(
    snapshot: &(impl Snapshot + ?Sized),
    kind: u16,
    pick: impl Fn(Fact) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let Some(control) = cells::scope_number(snapshot, &Scope::Control)? else { return Ok(Vec::new()) };
    let entries = cells::winners(snapshot, control, kind, &[])?;
    Ok(entries.into_iter().filter_map(|entry| pick(entry.fact)).collect())
}
