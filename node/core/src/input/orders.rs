//! Requests about orders.

use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::step::{Step, StepLine};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::product::Channel;

/// A customer's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRequest {
    /// How the customer gets the goods.
    pub channel: Channel,
    /// Where it was placed.
    pub source: Code,
    /// Its number there.
    pub reference: Code,
    /// The legal entity that sells; empty for the fulfilling store's own.
    pub entity: Code,
    /// Of all amounts; the first store's if absent.
    pub currency: Option<Currency>,
    /// Until when it is to be ready, or delivered, milliseconds since 1970; as the limits say if absent.
    pub due_ms: Option<u64>,
    /// Nobody picks it before, milliseconds since 1970; 0 for at once.
    pub release_ms: u64,
    /// When goods are missing, the lower goes without first.
    pub priority: u8,
    /// Where it is to be delivered, or where the customer is.
    pub place: Option<Coordinates>,
    /// The stores where the customer would collect it, the best first; for a delivery, the only ones that may send it. Empty for any.
    pub stores: Vec<StoreId>,
    /// Name, phone and address in the caller's own form, to be sealed; empty for none.
    pub contact: Vec<u8>,
    /// The last four digits of the customer's phone; empty if unknown.
    pub phone_end: Code,
    /// What may be captured, minor units; as much as the order costs if absent.
    pub authorised: Option<i64>,
    /// What was captured already.
    pub captured: i64,
    /// The gateway's number.
    pub payment: Code,
    /// A part is better than nothing: what nobody has is given up at once.
    pub partial: bool,
    /// What is ordered.
    pub lines: Vec<PlaceLine>,
}

/// One line of a [`PlaceRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceLine {
    /// What.
    pub sku: Sku,
    /// In which unit; the product's if absent.
    pub unit: Option<Unit>,
    /// How many, at least 1.
    pub quantity: i64,
    /// Minor units per piece or per kilogram; from the price book if absent.
    pub unit_price: Option<i64>,
    /// What the customer wants when it is not there.
    pub preference: Preference,
    /// By how much more it may weigh, percent; as the limits say if absent.
    pub tolerance_percent: Option<u8>,
}

/// Something is said of an order at its home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SayRequest {
    /// Of which.
    pub order: OrderId,
    /// What: only what people say, see [`SayRequest::is_for_people`].
    pub saying: Saying,
    /// About which units more; empty for all that are left.
    pub lines: Vec<LineUnits>,
    /// Why, or what exactly.
    pub note: Code,
    /// By whom.
    pub by: Code,
    /// For a choice of another store: which ones.
    pub stores: Vec<StoreId>,
}

impl SayRequest {
    /// True for what people say; the rest follows from it.
    pub fn is_for_people(saying: Saying) -> bool {
        match saying {
            Saying::AskCancel
            | Saying::Choose
            | Saying::Hold
            | Saying::Resume
            | Saying::RiskRefund
            | Saying::GiveUp
            | Saying::Arrive => true,
            Saying::Withdraw | Saying::StandDown | Saying::Cancel | Saying::IssuePass => false,
        }
    }
}

/// A customer's phone wants a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassRequest {
    /// For which order.
    pub order: OrderId,
    /// At which store, if parts of it are at several.
    pub store: Option<StoreId>,
    /// Whom the customer sends, in a word; empty if the customer comes.
    pub delegate: Code,
}

/// Something is said about a fulfillment: by the store that holds it, or at the hub by whoever drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FulfilRequest {
    /// Of which order.
    pub order: OrderId,
    /// At which store; the own one if absent.
    pub store: Option<StoreId>,
    /// Which offer; the newest that is open there if absent.
    pub generation: Option<u16>,
    /// What.
    pub step: Step,
    /// About which lines; empty for all.
    pub lines: Vec<StepLine>,
    /// Why, where, how many bags.
    pub note: Code,
    /// By whom.
    pub staff: Code,
    /// At which till or handheld, 0 for none.
    pub device: u32,
    /// On what ground goods are given away.
    pub proof: Proof,
    /// The hash of what a handheld shows that took it along; empty for everybody else.
    pub holder: Code,
    /// Of picked lines: only those that nobody has picked before, so that two people do not overwrite each other.
    pub anew: bool,
}

/// On what ground goods are given to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Proof {
    /// None was shown.
    #[default]
    None,
    /// The code that the customer was given.
    Code(String),
    /// The signed pass.
    Pass(Vec<u8>),
    /// A manager looked at the customer and the order, and takes it on.
    Manager(Code),
}

/// What was paid for an order so far, as its gateway says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayRequest {
    /// For which.
    pub order: OrderId,
    /// What may be captured at most, in all.
    pub authorised: i64,
    /// What was captured, in all.
    pub captured: i64,
    /// What was refunded, in all.
    pub refunded: i64,
    /// The gateway's number.
    pub reference: Code,
}

/// A compensation was carried out, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedressRequest {
    /// For which order.
    pub order: OrderId,
    /// Which, as the order's outcome names it.
    pub id: [u8; 16],
    /// Minor units.
    pub amount: i64,
    /// Whether it was.
    pub done: bool,
    /// The gateway's number, or why it could not be.
    pub reference: Code,
    /// Who carried it out.
    pub staff: Code,
}
