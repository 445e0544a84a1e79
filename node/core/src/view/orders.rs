//! Reading orders: what is known of one, what it adds up to, and who has to work on what.

use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Known, Outcome, resolve};
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;

use super::View;
use crate::books::orders::{self as book, Work};
use crate::books::plans::{self, Choice};
use crate::orders;
use crate::storage::{Snapshot, StoreError};

/// How orders are routed, how long things may take, and when stores are open.
pub type OrderRules = (Vec<RoutingRules>, Vec<OrderLimits>, Vec<StoreService>);

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// Everything that is known here of an order.
    pub fn order(&self, order: OrderId) -> Result<Known, StoreError> {
        book::known(self.snapshot, order)
    }

    /// Why this node gave an order to the stores that it chose, the first choice first; none at a node that chose nothing.
    pub fn choices(&self, order: OrderId) -> Result<Vec<Choice>, StoreError> {
        plans::of(self.snapshot, order)
    }

    /// What is known of an order in the scopes of one store.
    pub fn order_at(&self, store: StoreId, order: OrderId) -> Result<Known, StoreError> {
        book::known_at(self.snapshot, store, order)
    }

    /// What an order adds up to; `None` where the order itself is not known.
    pub fn outcome(&self, order: OrderId) -> Result<Option<Outcome>, StoreError> {
        Ok(resolve(&book::known(self.snapshot, order)?))
    }

    /// At most `limit` fulfillments that a store has to work on, the first due first.
    pub fn works(&self, store: StoreId, after: Option<Work>, limit: usize) -> Result<Vec<Work>, StoreError> {
        book::works_of(self.snapshot, store, after, limit)
    }

    /// At most `limit` orders that are not settled, where the orders themselves are known, the first due first.
    pub fn open_orders(&self, after: Option<Work>, limit: usize) -> Result<Vec<Work>, StoreError> {
        book::works_of(self.snapshot, book::NOBODY, after, limit)
    }

    /// At most `limit` orders after one, open or not: those that a store has parts of, or those that homes took.
    pub fn orders(
        &self,
        store: Option<StoreId>,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, StoreError> {
        book::orders(self.snapshot, store.unwrap_or(book::NOBODY), after, limit)
    }

    /// The time limits that hold for a store.
    pub fn limits_for(&self, store: StoreId) -> Result<OrderLimits, StoreError> {
        let all = orders::limits(self.snapshot)?;
        Ok(OrderLimits::narrowest(all.iter(), store).cloned().unwrap_or_default())
    }

    /// Routing rules, time limits and opening hours as they were put down.
    pub fn order_rules(&self) -> Result<OrderRules, StoreError> {
        Ok((orders::rules(self.snapshot)?, orders::limits(self.snapshot)?, orders::services(self.snapshot)?))
    }
}
