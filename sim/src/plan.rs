//! A plan: everything that will be done to a world, decided before it begins.
//!
//! A scenario draws a plan from a seed; running a plan draws nothing that changes what is done. So a failing plan can be made
//! smaller by leaving steps out, and what is left still means the same.

pub mod orders;
pub mod persons;
pub mod tills;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stockroom_core::tuning::Tuning;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::stock::policy::PolicyRule;
use stockroom_crdt::stock::promise::Step as PromiseStep;

use crate::data::links::Recording;
use crate::hand::HandAct;
use crate::link::LinkSpec;
use orders::{OrderDeed, Purchase, Shopfloor};
use persons::PersonDo;
use tills::{DrawerDo, Programme, Ringing, Tariff};

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which scenario drew it.
    pub scenario: &'static str,
    /// From which seed.
    pub seed: u64,
    /// Who takes part.
    pub fleet: Fleet,
    /// What is done, by time.
    pub steps: Vec<Step>,
    /// Length of the first phase: faults strike, safety must hold.
    pub safety_ms: u64,
    /// How long the healthy core may take to come together afterwards.
    pub liveness_ms: u64,
    /// Crash images of one store alone that are tried beside it.
    pub images: u64,
    /// How the workload was scaled, in words; part of the output.
    pub scaling: String,
    /// Customers find on the shelf what is there, and no more.
    pub scarce: bool,
    /// How shops work on orders, if there are any.
    pub shopfloor: Option<Shopfloor>,
    /// What somebody did by hand when it was played first.
    pub by_hand: Vec<HandAct>,
}

/// Who takes part.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Stores, numbered from 1.
    pub stores: u32,
    /// Hubs. One is the tenant's only hub; with more, the first is the cloud and the others stand between it and the stores.
    pub hubs: u32,
    /// Stores in one neighbourhood: they share a LAN, a street's power and one group of stock. 1 for none.
    pub neighbourhood: u32,
    /// Stores have links to their hub. Without them they reach it only through neighbours.
    pub uplinks: Uplinks,
    /// What nodes keep their rows on.
    pub disk: DiskKind,
    /// Time-outs and sizes of every node.
    pub tuning: Tuning,
    /// Links between stores and hubs.
    pub wan: LinkSpec,
    /// Real links that stores have to their hubs instead, in turn.
    pub recordings: Vec<Arc<Recording>>,
    /// Links between neighbours.
    pub lan: LinkSpec,
    /// How many products there are.
    pub products: u16,
    /// Enrolled stores beyond the others whose keys a hostile hand holds. They run no node of ours.
    pub hostile: u32,
}

/// Which stores have a link to their hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uplinks {
    /// All.
    Every,
    /// The first of each neighbourhood.
    FirstOfNeighbourhood,
}

/// What nodes keep their rows on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskKind {
    /// Ordered rows in memory.
    Memory,
    /// The real database on a disk that loses and tears.
    Redb,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, milliseconds from the start of the run.
    pub at_ms: u64,
    /// What.
    pub action: Action,
}

/// What can be done to a world. Stores are numbered from 1; `Who` names nodes.
#[derive(Clone, Debug)]
pub enum Action {
    /// A till rings up a basket: product, units, amount of the line in minor units.
    Sell {
        /// At which store.
        store: u32,
        /// At which till.
        till: u32,
        /// The basket.
        lines: Vec<(u16, i64, i64)>,
        /// How often the till sends it although it was answered: its answer was lost on the LAN.
        repeats: u8,
    },
    /// Tills send their last sales again.
    RetryStorm {
        /// At which store.
        store: u32,
        /// How many of the last sales.
        last: u16,
    },
    /// A delivery is booked in.
    Receive {
        /// At which store.
        store: u32,
        /// Which product.
        product: u16,
        /// Units.
        quantity: i64,
    },
    /// A product is counted while selling goes on.
    Count {
        /// At which store.
        store: u32,
        /// Which product.
        product: u16,
    },
    /// Head office changes products and prices.
    PushCatalogue {
        /// How many products.
        products: u16,
    },
    /// Goods vanish, unseen by any book.
    Shrink {
        /// At which store.
        store: u32,
        /// Which product.
        product: u16,
        /// Units.
        quantity: i64,
    },
    /// Head office stops believing the stores whose keys are in hostile hands.
    FenceHostile,
    /// Head office says how goods may be promised.
    Rule(Box<PolicyRule>),
    /// A customer wants goods kept.
    Reserve(Box<Wanted>),
    /// Somebody says something about the promise that an order got, if it got one.
    Say {
        /// The order's number.
        order: u32,
        /// What is said: by the promise's issuer, or by the store where the goods are.
        step: PromiseStep,
    },
    /// A product is counted, and the figure is wrong by so much.
    Miscount {
        /// At which store.
        store: u32,
        /// Which product.
        product: u16,
        /// Counted beyond what is there, or short of it.
        off: i64,
    },
    /// Head office says how long everything about an order may take.
    Limits(Box<OrderLimits>),
    /// A customer orders.
    Order(Box<Purchase>),
    /// Something is done about an order, if it was placed.
    OrderDeed(u32, OrderDeed),
    /// A till rings up a basket that its node prices.
    Ring(Box<Ringing>),
    /// Somebody does something about a till's drawer.
    Drawer {
        /// At which store.
        store: u32,
        /// Which till's.
        till: u32,
        /// What.
        deed: DrawerDo,
    },
    /// Head office sets prices and promotions.
    Tariff(Box<Tariff>),
    /// Head office says what points are worth, and makes campaigns.
    Programme(Box<Programme>),
    /// Something happens to a member's account, by her number.
    Person(u32, PersonDo),
    /// Head office writes off the rights of a node, at whatever risk it names.
    Retire(Who),
    /// A store's box is gone for good; another one is enrolled for the store.
    Replace(u32),
    /// Something goes wrong.
    Fault(Fault),
}

/// What a customer wants kept.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Names the order for later steps.
    pub order: u32,
    /// Who is asked.
    pub at: Who,
    /// Which product.
    pub product: u16,
    /// Units.
    pub quantity: u64,
    /// Where the goods may be, the best first.
    pub stores: Vec<u32>,
    /// A promise that is confirmed later will do.
    pub soft: bool,
    /// How long it is kept unless it is confirmed; the rule's time if absent.
    pub hold_ms: Option<u64>,
    /// How often the customer asks until there is a promise.
    pub tries: u8,
}

/// A node of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// A store's node.
    Store(u32),
    /// A hub, numbered from 1; the first is the cloud if there are several.
    Hub(u32),
}

/// What can go wrong. Names are those of the injectors in the list.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The path between two nodes is gone for a while; what was on its way is lost with the connection.
    Cut(Who, Who, u64),
    /// Nothing gets through one way.
    CutOneWay(Who, Who, u64),
    /// The path comes and goes: so many times, with this period in milliseconds.
    Flap(Who, Who, u32, u64),
    /// A node reaches nobody.
    Isolate(Who, u64),
    /// Each node of a set is clogged for a time of its own and let go in another order.
    Swizzle(Vec<Who>, u64),
    /// The path gets worse for a while.
    Degrade(Who, Who, LinkSpec, u64),
    /// The connection is lost, the path is not.
    Reset(Who, Who),
    /// The process dies and comes back after a while, or never ([`NEVER`]); after so many more effects, if that is named.
    Crash(Who, Option<u8>, u64),
    /// It dies again while it recovers, so many times.
    CrashLoop(Who, u8),
    /// The machine is suspended.
    Pause(Who, u64),
    /// A shop switches its box off in good order.
    SwitchOff(Who, u64),
    /// A street, a district or a hub loses its power at once.
    Blackout(Vec<Who>, u64),
    /// The carrier is down: all paths between these nodes and hubs are gone.
    CarrierDown(Vec<Who>, u64),
    /// The power goes in the middle of a commit, after so many more steps of the disk.
    PowerCut(Who, u64, u64),
    /// The n-th call to the disk from now fails.
    DiskError(Who, u64),
    /// The disk is full from now on.
    DiskFull(Who),
    /// Bits flip at rest, seen when the node starts again.
    Rot(Who, u64),
    /// The disk says that it wrote and did not; seen when the power goes.
    LyingSync(Who, u64),
    /// An image of the disk is kept.
    TakeImage(Who),
    /// The disk is set back to the image that was kept.
    Restore(Who, TokenFate),
    /// The image is started as a second process with the same identity, for a while.
    Clone(Who, u64),
    /// Two stores' disks are swapped, and swapped back after a while.
    SwapDisks(Who, Who, u64),
    /// The disk is replaced by an empty one.
    Wipe(Who),
    /// The clock runs fast or slow, parts per million.
    Drift(Who, i32),
    /// The clock jumps by so many milliseconds.
    StepClock(Who, i64),
    /// The node is restarted and its clock shows this.
    BootAt(Who, u64),
    /// Whoever holds a store's keys does something to a node.
    Hostile(Hostile, Who),
    /// All stores lose their links and dial again at once.
    ReconnectStorm(u64),
}

/// A fault that is not taken back: what is broken stays broken.
pub const NEVER: u64 = u64::MAX;

/// What becomes of a node's continuity token when its disk is set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFate {
    /// It stays as it is: ahead of the disk.
    Kept,
    /// It is set back with the disk.
    SetBack,
    /// It is lost.
    Lost,
}

/// What hostile nodes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hostile {
    /// Entries in another author's name.
    ForgedAuthor,
    /// Entries in a scope that is not its own.
    WrongScope,
    /// Two histories of its own log, one to each side.
    Equivocation,
    /// Frames of an earlier session, again.
    Replay,
    /// Huge ranges, huge counts.
    HugeRanges,
    /// Frames with bytes changed.
    MutatedFrames,
    /// Cells and entries as a hub that has none of the right keys.
    FalseHub,
    /// Entries dated far ahead.
    FutureDates,
}
