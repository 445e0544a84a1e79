//! Scopes: the unit of interest, authority, retention, contiguity and lane.
//!
//! A scope has exactly one lane and follows from the fact alone; a fact elsewhere is invalid. A log is per (actor, scope), so
//! that a peer always gets a gap-free prefix of whatever it may see.

use std::fmt;

use crate::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use crate::ids::{Code, StoreId};

/// Where a fact lives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Certificates, fences, stores, homes and policies of the whole tenant. Every node holds it.
    Control,
    /// A store's rights, and the starts of its nodes.
    StoreRights(StoreId),
    /// A store's fulfillments and promises.
    StoreOrders(StoreId),
    /// A store's goods: sales, receipts, counts, business days.
    StoreStock(StoreId),
    /// A store's journals, which nobody waits for.
    StoreHistory(StoreId),
    /// Members that a store knows: what it said of them, and what its hub told it.
    StoreMembers(StoreId),
    /// Prices of one price book.
    Prices(Code),
    /// Products.
    Catalog,
    /// Orders as their hub keeps them.
    Orders(u32),
}

/// How urgent a scope's bytes are on a link. Lower goes first, strictly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Fences, rights, clock, and the handshake.
    Control = 0,
    /// Orders and promises.
    Orders = 1,
    /// Stock and members.
    Stock = 2,
    /// History.
    History = 3,
    /// Catalogue and images.
    Catalog = 4,
}

impl Lane {
    /// All lanes, most urgent first.
    pub const ALL: [Self; 5] = [Self::Control, Self::Orders, Self::Stock, Self::History, Self::Catalog];
}

impl Scope {
    /// The one lane of this scope.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Control | Self::StoreRights(_) => Lane::Control,
            Self::StoreOrders(_) | Self::Orders(_) => Lane::Orders,
            Self::StoreStock(_) | Self::StoreMembers(_) => Lane::Stock,
            Self::StoreHistory(_) => Lane::History,
            Self::Prices(_) | Self::Catalog => Lane::Catalog,
        }
    }

    /// The store whose scope this is, if it is one of a store's own scopes.
    pub fn store(&self) -> Option<StoreId> {
        match self {
            Self::StoreRights(s)
            | Self::StoreOrders(s)
            | Self::StoreStock(s)
            | Self::StoreMembers(s)
            | Self::StoreHistory(s) => Some(*s),
            Self::Control | Self::Prices(_) | Self::Catalog | Self::Orders(_) => None,
        }
    }

    /// True for scopes that travel down as the newest value per cell instead of as whole logs.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Prices(_) | Self::Catalog)
    }

    /// Writes kind and parameter.
    pub fn encode(&self, sink: &mut impl Sink) {
        let (kind, id) = match self {
            Self::Control => (0, 0),
            Self::StoreRights(s) => (1, u64::from(s.0)),
            Self::StoreOrders(s) => (2, u64::from(s.0)),
            Self::StoreStock(s) => (3, u64::from(s.0)),
            Self::StoreHistory(s) => (4, u64::from(s.0)),
            Self::StoreMembers(s) => (5, u64::from(s.0)),
            Self::Prices(_) => (6, 0),
            Self::Catalog => (8, 0),
            Self::Orders(hub) => (9, u64::from(*hub)),
        };
        sink.uint(col::SCOPE, kind);
        match self {
            Self::Prices(book) => book.encode(sink, col::REFERENCE),
            Self::Control | Self::Catalog => {}
            Self::StoreRights(_)
            | Self::StoreOrders(_)
            | Self::StoreStock(_)
            | Self::StoreHistory(_)
            | Self::StoreMembers(_)
            | Self::Orders(_) => sink.uint(col::SCOPE_ID, id),
        }
    }

    /// Reads what [`Scope::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let kind = source.uint(col::SCOPE)?;
        let store = |source: &mut _| Ok(StoreId(Source::u32(source, col::SCOPE_ID)?));
        Ok(match kind {
            0 => Self::Control,
            1 => Self::StoreRights(store(source)?),
            2 => Self::StoreOrders(store(source)?),
            3 => Self::StoreStock(store(source)?),
            4 => Self::StoreHistory(store(source)?),
            5 => Self::StoreMembers(store(source)?),
            6 => Self::Prices(Code::decode(source, col::REFERENCE)?),
            8 => Self::Catalog,
            9 => Self::Orders(source.u32(col::SCOPE_ID)?),
            _ => return Err(DecodeError::Value("scope")),
        })
    }

    /// Canonical bytes, for hashes and database keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| self.encode(sink))
    }

    /// From [`Scope::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        let scope = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(scope)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("control"),
            Self::StoreRights(s) => write!(f, "store/{}/rights", s.0),
            Self::StoreOrders(s) => write!(f, "store/{}/orders", s.0),
            Self::StoreStock(s) => write!(f, "store/{}/stock", s.0),
            Self::StoreHistory(s) => write!(f, "store/{}/history", s.0),
            Self::StoreMembers(s) => write!(f, "store/{}/members", s.0),
            Self::Prices(book) => write!(f, "prices/{book}"),
            Self::Catalog => f.write_str("catalog"),
            Self::Orders(hub) => write!(f, "orders/{hub}"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_round_trips_and_has_one_lane() {
        let s = StoreId(70_000);
        let all = [
            (Scope::Control, Lane::Control),
            (Scope::StoreRights(s), Lane::Control),
            (Scope::StoreOrders(s), Lane::Orders),
            (Scope::StoreStock(s), Lane::Stock),
            (Scope::StoreHistory(s), Lane::History),
            (Scope::StoreMembers(s), Lane::Stock),
            (Scope::Prices(Code::parse("north").unwrap()), Lane::Catalog),
            (Scope::Catalog, Lane::Catalog),
            (Scope::Orders(3), Lane::Orders),
        ];
        for (scope, lane) in all {
            assert_eq!(Scope::from_bytes(&scope.to_bytes()), Ok(scope.clone()));
            assert_eq!(scope.lane(), lane);
        }
        assert!(Scope::from_bytes(&[10]).is_err());
    }
}
