//! People who work in stores: who they are to a node, and what they may do. Head office decides; every node of the chain holds it, so that they
//! can sign in while the store is cut off.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, StoreId};
use crate::limits::{NAME_BYTES_MAX, PIN_HASH_BYTES_MAX, STAFF_STORES_MAX};

/// What somebody is. Each may do what those before may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Sells.
    Cashier = 0,
    /// Receives, counts, picks and hands over as well.
    Associate = 1,
    /// Approves, voids, closes days.
    Manager = 2,
    /// Decides for all stores.
    HeadOffice = 3,
}

/// Somebody who works in stores. Stands in `control`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaffRecord {
    /// Short name, as sales and steps hold it.
    pub staff: Code,
    /// Name on displays and receipts.
    pub name: String,
    /// What she is.
    pub role: Role,
    /// Where, ascending; empty for every store.
    pub stores: Vec<StoreId>,
    /// Hash of the PIN as a PHC string (argon2id); empty for somebody who does not sign in.
    pub pin: String,
    /// She does not work here any more.
    pub ended: bool,
}

impl Role {
    /// All of them, ascending.
    pub const ALL: [Self; 4] = [Self::Cashier, Self::Associate, Self::Manager, Self::HeadOffice];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Associate => "associate",
            Self::Manager => "manager",
            Self::HeadOffice => "head-office",
        }
    }

    /// Takes the word that [`Role::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl StaffRecord {
    /// The cell's entity.
    pub fn entity(&self) -> Vec<u8> {
        self.staff.as_str().as_bytes().to_vec()
    }

    /// True when she works at a store.
    pub fn works_at(&self, store: StoreId) -> bool {
        !self.ended && (self.stores.is_empty() || self.stores.binary_search(&store).is_ok())
    }

    /// Writes the record.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.staff.encode(sink, col::STAFF);
        sink.blob(col::NAME, self.name.as_bytes());
        sink.uint(col::FLAGS, (self.role as u64) << 1 | u64::from(self.ended));
        sink.uint(col::COUNT, self.stores.len() as u64);
        self.stores.iter().for_each(|store| sink.uint(col::STORE, u64::from(store.0)));
        sink.blob(col::RAW, self.pin.as_bytes());
    }

    /// Reads what [`StaffRecord::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let staff = Code::decode(source, col::STAFF)?;
        let name = source.text(col::NAME, NAME_BYTES_MAX)?;
        let flags = source.u8(col::FLAGS)?;
        let role = Role::ALL.get(usize::from(flags >> 1)).copied().ok_or(DecodeError::Value("role"))?;
        let mut stores = Vec::new();
        for _ in 0..source.count(col::COUNT, STAFF_STORES_MAX, "stores")? {
            stores.push(StoreId(source.u32(col::STORE)?));
        }
        let pin = source.text(col::RAW, PIN_HASH_BYTES_MAX)?;
        let record = Self { staff, name, role, stores, pin, ended: flags & 1 == 1 };
        record.validate().map_err(DecodeError::Value)?;
        Ok(record)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.staff.is_empty() {
            return Err("staff");
        }
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Err("name");
        }
        let ascending = self.stores.windows(2).all(|two| two[0] < two[1]);
        if !ascending || self.stores.len() > STAFF_STORES_MAX {
            return Err("stores");
        }
        let is_hash = self.pin.is_empty() || self.pin.starts_with("$argon2id$");
        if is_hash && self.pin.len() <= PIN_HASH_BYTES_MAX { Ok(()) } else { Err("pin") }
    }
}
