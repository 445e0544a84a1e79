//! What enters and what leaves: one [`Input`] enum, one [`Output`] enum. Nothing else crosses.

pub mod checkout;
pub mod enrolment;
pub mod goods;
pub mod loyalty;
pub mod members;
pub mod notes;
pub mod orders;
pub mod promises;
pub mod returns;
pub mod sales;

use stockroom_crdt::capability::Role;
use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::checkout::quote::Quote;
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::checkout::staff::StaffRecord;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId};
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Product, Recall};
use stockroom_crdt::receiving::{Adjustment, Decision, GoodsReceipt};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::scope::{Lane, Scope};
use stockroom_crdt::stock::custody::Consent;
use stockroom_crdt::stock::policy::PolicyRule;
use stockroom_crdt::stock::promise::Promise;

use crate::journal::Place;
use crate::policy::route::plan::Plan;
use crate::storage::StoreError;

/// A connection to another node, numbered by the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct LinkId(pub u64);

/// A request of the shell, answered under the same number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct RequestId(pub u64);

/// Who is at the other end of a link, from its verified certificate only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its node id.
    pub node: NodeId,
    /// What it is.
    pub role: Role,
    /// Its store, 0 for a hub.
    pub store: StoreId,
    /// Where others can reach it, if the shell knows.
    pub address: Option<String>,
}

/// Everything that can happen to a replica.
#[derive(Debug)]
pub enum Input {
    /// A till, a person or an enrolling node asks for something.
    Command(RequestId, Box<Command>),
    /// A link to a verified peer is up.
    LinkUp(LinkId, Peer),
    /// A link is gone.
    LinkDown(LinkId),
    /// A verified peer does not let this node in.
    TurnedAway(NodeId),
    /// A frame arrived.
    Frame(LinkId, Vec<u8>),
    /// The link takes this many more bytes.
    Writable(LinkId, usize),
    /// The local zone's offset from UTC changed (daylight saving).
    Zone {
        /// Seconds east of UTC.
        offset_s: i32,
    },
    /// Offsets of stores' local times from UTC, minutes: what a hub reckons opening hours with.
    Zones(Vec<(StoreId, i32)>),
    /// Free space on the disk.
    Disk(DiskSpace),
    /// Nothing: a deadline passed.
    Wake,
    /// The node stops: seal what is open.
    Stop,
}

/// Everything that a replica asks of its shell. To be carried out in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write the continuity token and sync it, before anything that follows.
    Token(Vec<u8>),
    /// The answer to a command.
    Reply(RequestId, Result<Answer, Refusal>),
    /// Send a frame.
    Send(LinkId, Lane, Vec<u8>),
    /// Close a link, and say why.
    Close(LinkId, String),
    /// Something that watchers may want to know.
    Event(Event),
    /// Peers to dial, as the hub introduced them. Replaces the list before.
    Introduced(Vec<(NodeId, String)>),
}

/// How much room the disk has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DiskSpace {
    /// Enough.
    Ample,
    /// Imports, history and catalogue stop; sales go on.
    Low,
    /// Only sales and what they need are written.
    Critical,
}

/// A client's key for a write that has no natural id: the SHA-256 of the key (scoped to its caller), and of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryKey {
    /// Of the key.
    pub key: Digest,
    /// Of the request.
    pub body: Digest,
}

/// What a replica can be asked to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ring up a sale or a return.
    Sell(sales::SellRequest),
    /// Take back a whole receipt.
    Void(sales::VoidRequest),
    /// Book goods in.
    Receive(RetryKey, GoodsReceipt),
    /// Correct the book for a reason.
    Adjust(RetryKey, Adjustment),
    /// One scan of a count.
    CountScan(RetryKey, stockroom_crdt::count::CountScan),
    /// Reset the book to what a session's scans say.
    CountClose {
        /// Retry key.
        retry: RetryKey,
        /// Which session.
        session: u64,
        /// By whom.
        staff: Code,
        /// What becomes of products that must be counted again.
        doubtful: goods::Doubtful,
        /// What becomes of products of the sheet that nobody counted.
        uncounted: goods::Uncounted,
    },
    /// Put down what is to be counted in a session.
    CountOpen(RetryKey, stockroom_crdt::count::CountOpen),
    /// Decide about goods in quarantine.
    Decide(RetryKey, Decision),
    /// Ask another store for goods.
    AskTransfer(RetryKey, goods::AskRequest),
    /// Ship goods to another store.
    ShipTransfer(RetryKey, goods::ShipRequest),
    /// Receive goods from another store.
    ReceiveTransfer(RetryKey, goods::ReceiveRequest),
    /// Open the business day by hand.
    DayOpen(RetryKey, Code),
    /// Close the business day by hand.
    DayClose(RetryKey, Code),
    /// Put products into the catalogue (at a hub).
    Products(RetryKey, Vec<Product>),
    /// Put prices into their books (at a hub).
    Prices(RetryKey, Vec<Price>),
    /// Start or lift a product recall (at a hub).
    Recall(RetryKey, Recall),
    /// Lay out in-store codes (at a hub).
    Template(RetryKey, stockroom_crdt::gtin::Template),
    /// Reserve goods.
    Reserve(RetryKey, promises::ReserveRequest),
    /// Confirm, release, pick, hand over.
    Step(RetryKey, promises::StepRequest),
    /// Place an order (at its home).
    PlaceOrder(RetryKey, Box<orders::PlaceRequest>),
    /// Say something of an order (at its home).
    SayOrder(RetryKey, orders::SayRequest),
    /// Give a customer's phone a pass (at the order's home).
    IssuePass(RetryKey, orders::PassRequest),
    /// Take a pass that a customer shows (at a store).
    ShowPass(RetryKey, Vec<u8>),
    /// Say what becomes of a fulfillment.
    Fulfil(RetryKey, Box<orders::FulfilRequest>),
    /// Open the sealed contact of an order (at its home, or at the store that delivers it). Writes nothing.
    ReadContact(OrderId),
    /// Take what a payment gateway says (at the order's home).
    Pay(RetryKey, orders::PayRequest),
    /// Take that a compensation was carried out (at the order's home).
    Redress(RetryKey, orders::RedressRequest),
    /// Take goods back that a customer brings (at a store).
    ReturnGoods(RetryKey, Box<returns::ReturnRequest>),
    /// Take goods back and sell others for them (at a store).
    Exchange(RetryKey, Box<returns::ExchangeRequest>),
    /// Take that the refund of a return was given (at the store that took the goods, or at a hub).
    PayReturn(RetryKey, returns::PayReturnRequest),
    /// Sign a receipt of this store, for returns elsewhere.
    SignReceipt(ReceiptNumber),
    /// Say how orders are routed (at a hub).
    Routing(RetryKey, Box<RoutingRules>),
    /// Say when a store is open (at a hub).
    Service(RetryKey, Box<StoreService>),
    /// Say how long things may take (at a hub).
    OrderLimits(RetryKey, Box<OrderLimits>),
    /// Say how goods may be promised (at a hub).
    PolicyRule(RetryKey, PolicyRule),
    /// Let others promise goods of another owner (at the store).
    Consent(RetryKey, Consent),
    /// Write off the rights of a node that is gone (at a hub).
    Retire(RetryKey, promises::DecreeRequest),
    /// Make a node the home of its store's goods (at a hub).
    Promote(RetryKey, enrolment::HomeRequest),
    /// Allow one node to enrol for a store (at a hub).
    IssueToken(enrolment::TokenRequest),
    /// Enrol a node that shows a token (at a hub).
    Enrol(enrolment::EnrolRequest),
    /// Stop believing a node (at a hub).
    Fence {
        /// Which node.
        node: NodeId,
        /// Why.
        reason: Code,
    },
    /// Open a new epoch.
    NewEpoch(EpochReason),
    /// Price a basket, and pay it, let it wait, or put it on a slip.
    Checkout(Box<checkout::CheckoutRequest>),
    /// Say what becomes of a basket that waits.
    Basket(RetryKey, Box<checkout::BasketRequest>),
    /// Take what a payment terminal says.
    TerminalSaid(checkout::TerminalSaid),
    /// Put tax rates down (at a hub).
    TaxRates(RetryKey, Vec<TaxRate>),
    /// Put promotions into their price books (at a hub).
    Promotions(RetryKey, Vec<Promotion>),
    /// Say what a store's tills follow (at a hub).
    TillRules(RetryKey, Box<TillRules>),
    /// Say when goods of a department are sold (at a hub).
    SaleHours(RetryKey, Box<SaleHours>),
    /// Say who somebody is and what she may do (at a hub).
    Staff(RetryKey, StaffRecord),
    /// Say what points are worth (at a hub).
    Loyalty(RetryKey, Box<LoyaltyRules>),
    /// Put campaigns down (at a hub). One with a secret of zeros gets one.
    Campaigns(RetryKey, Vec<Campaign>),
    /// Place rights to coupons with a store (at a hub).
    IssueCoupons(RetryKey, loyalty::IssueRequest),
    /// Ask for the right to a coupon, or give it up (at a store).
    Coupon(RetryKey, loyalty::CouponRequest),
    /// Ask for the right to points, or give it back (at a store).
    Points(RetryKey, loyalty::PointsRequest),
    /// Make an account for a new member (at her store, or at its hub).
    EnrolMember(RetryKey, Box<members::EnrolMember>),
    /// Say something of a member: values, consents, links, that she is to be forgotten.
    Member(RetryKey, Box<members::MemberRequest>),
    /// Look for a member; a store that does not know her asks its hub.
    FindMember(members::Sought),
    /// Somebody entered a PIN.
    SignIn(checkout::SignInRequest),
    /// Take a till's drawer, move cash, or count it and give it back (at the store).
    Drawer(RetryKey, checkout::DrawerRequest),
    /// Say that labels were put up on shelves (at the store).
    Labels(RetryKey, checkout::LabelsRequest),
    /// Edit a note.
    Note(RetryKey, notes::NoteRequest),
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An entry was written, or had been written by an earlier try.
    Written {
        /// Where it stands.
        place: Place,
        /// True when this was a retry.
        replayed: bool,
    },
    /// Goods are promised.
    Reserved {
        /// The promise.
        promise: Promise,
        /// Where it stands.
        place: Place,
        /// Stores that were looked at, the last of them or the soft one was chosen.
        considered: Vec<promises::Considered>,
        /// True when this was a retry.
        replayed: bool,
    },
    /// No goods could be promised. Nothing was written but requests for rights.
    TurnedDown {
        /// Stores that were looked at.
        considered: Vec<promises::Considered>,
        /// Stores for whose goods rights were asked for: another try in a moment may succeed.
        asked: Vec<StoreId>,
    },
    /// An order stands, its goods are promised and offered.
    Placed {
        /// Its name.
        order: OrderId,
        /// Where it stands.
        place: Place,
        /// Who was asked, and why; absent for a retry.
        plan: Option<Box<Plan>>,
        /// With which the customer collects it, or takes the delivery.
        code: String,
        /// True when this was a retry.
        replayed: bool,
    },
    /// An order was not placed: its goods cannot be promised. Nothing was written but requests for rights.
    NotPlaced {
        /// What was looked at.
        plan: Box<Plan>,
        /// Stores for whose goods rights were asked for: another try in a moment may succeed.
        asked: Vec<StoreId>,
    },
    /// Goods came back and others were sold.
    Exchanged {
        /// Where the return stands.
        returned: Place,
        /// Where the sale stands.
        sale: Place,
        /// True when this was a retry.
        replayed: bool,
    },
    /// A receipt with a signature.
    SignedReceipt {
        /// For a QR code.
        bytes: Vec<u8>,
    },
    /// A pass.
    Pass {
        /// For which order.
        order: OrderId,
        /// At which store.
        store: StoreId,
        /// When it runs out, milliseconds since 1970.
        until_ms: u64,
        /// What the phone shows.
        bytes: Vec<u8>,
    },
    /// A pass was shown and is good.
    PassShown {
        /// For which order.
        order: OrderId,
        /// Which offer of it.
        generation: u16,
        /// Whom the customer sent, in a word; empty if the customer comes.
        delegate: Code,
    },
    /// The contact of an order, in the form of whoever placed it.
    Contact {
        /// As it was placed.
        bytes: Vec<u8>,
    },
    /// The code was wrong; it was written down.
    CodeWrong {
        /// Tries that are left.
        left: u32,
    },
    /// A drawer's count differs by more than the store allows. The shift stays open; that it was counted is written down, and from now on
    /// nobody closes it without an approver. What should be there is not said: whoever counts must not know.
    CountDiffers,
    /// Several entries were written.
    Imported {
        /// How many.
        count: usize,
    },
    /// A token is good from now on.
    TokenIssued {
        /// Until when, milliseconds since 1970.
        expires_ms: u64,
    },
    /// A node is enrolled.
    Enrolled {
        /// From the root to the new node.
        chain: Vec<stockroom_crdt::capability::Capability>,
        /// Its store.
        store: StoreId,
    },
    /// Somebody entered a PIN.
    SignIn(checkout::SignInAnswer),
    /// Who a member is.
    Member(members::MemberAnswer),
    /// Where a basket stands.
    Checkout(checkout::CheckoutAnswer),
    /// Done; nothing more to say.
    Done,
}

/// Why a command was not carried out. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field's value cannot be.
    #[error("{field}: {message}")]
    Invalid {
        /// Path of the field in the request.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Something named in the request does not exist.
    #[error("{field}: no such {what}")]
    Unknown {
        /// Path of the field.
        field: String,
        /// What was looked for.
        what: &'static str,
    },
    /// The key was used for another request.
    #[error("this retry key was used for another request")]
    RetryMismatch,
    /// A recall or another rule stops the line; an approver may override it where the law allows.
    #[error("{field}: {reason}")]
    Stopped {
        /// Path of the line.
        field: String,
        /// What stops it.
        reason: String,
    },
    /// The basket costs something else than the customer was told.
    #[error("the price has changed: it is {} now", .0.total)]
    PriceChanged(Box<Quote>),
    /// A coupon is not taken.
    #[error("{field}: {why}")]
    Coupon {
        /// Path of the coupon in the request.
        field: String,
        /// Why, and what can be done.
        why: loyalty::CouponRefused,
    },
    /// More points than may be spent here.
    #[error(
        "{wanted} points are more than the {may} that may be spent here: ask the hub for more, or take the rest otherwise"
    )]
    Points {
        /// How many are wanted.
        wanted: u64,
        /// How many may be spent, by right or within the limit.
        may: u64,
    },
    /// The request does not fit the state that things are in.
    #[error("{0}")]
    State(String),
    /// This node is not the place where that is written.
    #[error("{0}")]
    NotHere(String),
    /// The disk is nearly full, and this is not a sale.
    #[error("the disk is nearly full: only sales are written")]
    DiskFull,
    /// A one-time token that is not known, was used, or is too old.
    #[error("the token is unknown, used or expired")]
    Token,
}

impl Refusal {
    /// A field is wrong.
    pub fn invalid(field: impl Into<String>, message: impl std::fmt::Display) -> Self {
        Self::Invalid { field: field.into(), message: message.to_string() }
    }
}

/// Something that happened, for watchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry became durable here.
    Entry {
        /// Its scope.
        scope: Scope,
        /// Its kind.
        kind: u16,
        /// Where it stands.
        place: Place,
    },
    /// Newest values of a shared scope came from the hub: prices, products.
    Values(Scope),
    /// A link came up and both sides know each other.
    Connected(NodeId),
    /// A link went down.
    Disconnected(NodeId),
    /// A new epoch was opened.
    EpochOpened(EpochReason),
    /// Somebody must look: a fork, an unauthorised entry, a clock far off, a quarantined entry.
    Alarm(String),
}

/// Why the core cannot go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CoreError {
    /// The disk failed. Stop the process; say so; do not retry.
    #[error(transparent)]
    Storage(#[from] StoreError),
    /// Applying one entry crashed. Drop this core, open it again from disk with [`crate::core::Config::quarantine`] naming the entry.
    #[error("applying an entry crashed")]
    Poisoned(Digest),
    /// The database belongs to another node or another version.
    #[error("this database cannot be opened: {0}")]
    Mismatch(String),
}
