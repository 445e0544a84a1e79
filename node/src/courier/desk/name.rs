//! What a delivery is called: the fulfillment that it brings, and how often it was begun anew. Courier services see these names.

use stockroom_crdt::ids::StoreId;
use stockroom_crdt::order::OrderId;

use crate::courier::job::DeliveryId;

/// The fulfillment that a delivery brings to the customer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PartName {
    /// Of which order.
    pub order: OrderId,
    /// Which offer.
    pub generation: u16,
    /// From which store.
    pub store: StoreId,
}

impl PartName {
    /// The delivery that was begun as the `round`-th for it, from 1.
    pub fn delivery(self, round: u32) -> DeliveryId {
        let text = format!("{}.{}.{}.{round}", self.order, self.generation, self.store.0);
        DeliveryId::parse(&text).expect("digits, dots and a dash, 41 at most")
    }

    /// Reads what [`PartName::delivery`] made, with its round.
    pub fn of(id: &DeliveryId) -> Option<(Self, u32)> {
        let mut words = id.as_str().split('.');
        let order = OrderId::parse(words.next()?)?;
        let generation = words.next()?.parse().ok()?;
        let store = StoreId(words.next()?.parse().ok()?);
        let round = words.next()?.parse().ok()?;
        let name = Self { order, generation, store };
        (name.delivery(round) == *id).then_some((name, round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_another_one_is_nobody_s() {
        let order = OrderId::parse("4294967295-0123456789").unwrap();
        let name = PartName { order, generation: u16::MAX, store: StoreId(u32::MAX) };
        assert_eq!(PartName::of(&name.delivery(u32::MAX)), Some((name, u32::MAX)));
        for strange in ["a", "7-0123456789.1.1", "7-0123456789.01.1.1", "7-1.1.1.1", "7-0123456789.1.1.1.1"] {
            assert_eq!(PartName::of(&DeliveryId::parse(strange).unwrap()), None, "{strange}");
        }
    }
}
