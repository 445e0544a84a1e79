//! Planted bugs: faults that we know, turned on one at a time, to see that the simulator's checks find them.
//!
//! Only the feature `planted` compiles them in, and no shipped binary may have it: the daemon does not compile with it. Without it
//! every question here is answered with a constant no, and the optimiser removes what stands behind.

/// A bug that can be turned on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Plant {
    /// Commits are not synced.
    SkipSync,
    /// Every third batch is told of before it is written.
    TellBeforeDurable,
    /// A database that was set back goes on in its old epoch.
    KeepEpoch,
    /// Of two counts the one that arrived last wins.
    LastCountWins,
    /// A run that overlaps what is held is applied again.
    CountTwice,
    /// Seals are not verified.
    AnySeal,
    /// The first sale after a start is not looked up among those that were made before.
    ForgetKeys,
    /// Forks are seen and not proven.
    NoForkProof,
    /// Receipt numbers begin again after a start.
    ReceiptsAgain,
    /// Status says that the hub has everything.
    AlwaysGreen,
    /// The clock's floor is lost with a start.
    ForgetClock,
    /// Stores follow the rights of all stores, also outside of their group, and their hub shows them.
    LeakRights,
    /// Credit below nothing is not given back.
    LoseCredit,
    /// After a while a wake plans the next wake for now.
    BusyWake,
    /// Fences change nothing.
    IgnoreFences,
    /// A frame that cannot be read ends the process, if its length can be divided by three.
    PanicOnFrame,
    /// A line of more than two units moves two.
    CutLines,
    /// A day's takings count its first sale twice.
    TakeTwice,
    /// Who has no rights left promises all the same.
    RightsFromNothing,
    /// A row of rights that comes again grants again.
    GrantTwice,
    /// A donor takes back what it granted to a node that it cannot reach.
    DonorReclaims,
    /// A home makes rights without knowing what its earlier life made.
    MintUnknown,
    /// A home makes rights for everything in the book, whatever is promised already.
    MintFromBook,
    /// Nobody is told that goods are missing.
    HideShortage,
    /// An order is offered where no right to its goods is held.
    RouteWithoutRight,
    /// A code or a pass works a second time.
    HandOverTwice,
    /// A store that has to stand down keeps the goods.
    LoserKeeps,
    /// Time limits of orders follow the clock on the wall.
    WallClockLimits,
    /// A cancel is paid back before the store that holds the goods confirmed it.
    RefundEarly,
    /// A sale that a terminal paid is written without the terminal's word.
    SaleWithoutTender,
    /// A till that sends its basket again has the terminal asked again.
    ChargeAgain,
    /// The second line of a basket has the price of an hour later.
    MixedPrices,
    /// A Z report forgets what was taken to the safe.
    ZForgets,
    /// A coupon is taken wherever it is shown, whether or not the right to it is there.
    DoubleCoupon,
    /// Points are counted for each entry, not for each sale. Not in [`ALL`]: no scenario sends a member's sale to a node that was set back; a
    /// story of `sim/tests/loyalty` does, and finds it.
    PointsTwice,
    /// Without a right, a store lets points be spent without a limit.
    SoftWithoutLimit,
    /// A store that hears that a member is to be forgotten keeps her key.
    KeyKept,
}

/// All of them: scenarios ought to find each.
pub const ALL: &[Plant] = &[
    Plant::SkipSync,
    Plant::TellBeforeDurable,
    Plant::KeepEpoch,
    Plant::LastCountWins,
    Plant::CountTwice,
    Plant::AnySeal,
    Plant::ForgetKeys,
    Plant::NoForkProof,
    Plant::ReceiptsAgain,
    Plant::AlwaysGreen,
    Plant::ForgetClock,
    Plant::LeakRights,
    Plant::LoseCredit,
    Plant::BusyWake,
    Plant::IgnoreFences,
    Plant::PanicOnFrame,
    Plant::CutLines,
    Plant::TakeTwice,
    Plant::RightsFromNothing,
    Plant::GrantTwice,
    Plant::DonorReclaims,
    Plant::MintUnknown,
    Plant::MintFromBook,
    Plant::HideShortage,
    Plant::RouteWithoutRight,
    Plant::HandOverTwice,
    Plant::LoserKeeps,
    Plant::WallClockLimits,
    Plant::RefundEarly,
    Plant::SaleWithoutTender,
    Plant::ChargeAgain,
    Plant::MixedPrices,
    Plant::ZForgets,
    Plant::DoubleCoupon,
    Plant::SoftWithoutLimit,
    Plant::KeyKept,
];

impl Plant {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        self.story().0
    }

    /// What is wrong with it.
    pub const fn meaning(self) -> &'static str {
        self.story().1
    }

    /// Scenarios in which it ought to be found.
    pub const fn scenarios(self) -> &'static [&'static str] {
        self.story().2
    }

    const fn story(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::SkipSync => ("skip-sync", "commits are not synced", &["power-cut"]),
            Self::TellBeforeDurable => (
                "tell-before-durable",
                "every third batch is told of before it is written",
                &["crash", "day", "rights"],
            ),
            Self::KeepEpoch => {
                ("keep-epoch", "a database that was set back goes on in its old epoch", &["restore", "rights-restore"])
            }
            Self::LastCountWins => {
                ("last-count-wins", "of two counts the one that arrived last wins", &["restore", "clone"])
            }
            Self::CountTwice => {
                ("count-twice", "a run that overlaps what is held is applied again", &["crash", "flapping"])
            }
            Self::AnySeal => ("any-seal", "seals are not verified", &["hostile"]),
            Self::ForgetKeys => ("forget-keys", "the first sale after a start is not looked up", &["crash"]),
            Self::NoForkProof => ("no-fork-proof", "forks are seen and not proven", &["clone", "hostile"]),
            Self::ReceiptsAgain => ("receipts-again", "receipt numbers begin again after a start", &["crash"]),
            Self::AlwaysGreen => ("always-green", "status says that the hub has everything", &["outage"]),
            Self::ForgetClock => ("forget-clock", "the clock's floor is lost with a start", &["clock"]),
            Self::LeakRights => ("leak-rights", "stores follow the rights of stores outside of their group", &["calm"]),
            Self::LoseCredit => ("lose-credit", "credit below nothing is not given back", &["outage", "storm"]),
            Self::BusyWake => ("busy-wake", "after a while a wake plans the next wake for now", &["calm"]),
            Self::IgnoreFences => ("ignore-fences", "fences change nothing", &["hostile"]),
            Self::PanicOnFrame => ("panic-on-frame", "a frame of a certain form ends the process", &["hostile"]),
            Self::CutLines => ("cut-lines", "a line of more than two units moves two", &["calm"]),
            Self::TakeTwice => ("take-twice", "a day's takings count its first sale twice", &["day", "calm"]),
            Self::RightsFromNothing => (
                "rights-from-nothing",
                "who has no rights left takes some from nothing, as a grant to oneself would",
                &["rights"],
            ),
            Self::GrantTwice => ("grant-twice", "a row of rights that comes again grants again", &["rights"]),
            Self::DonorReclaims => {
                ("donor-reclaims", "a donor takes back what it granted to a node that it cannot reach", &["rights"])
            }
            Self::MintUnknown => (
                "mint-unknown",
                "a home that was set back makes rights before it knows what it made before",
                &["rights-restore"],
            ),
            Self::MintFromBook => {
                ("mint-from-book", "a home makes rights for everything in its book, whatever it owes", &["rights"])
            }
            Self::HideShortage => (
                "hide-shortage",
                "nobody is told that promised goods are missing",
                &["stocktake", "last-unit", "rights"],
            ),
            Self::RouteWithoutRight => (
                "route-without-right",
                "an order is offered where no right to its goods is held",
                &["pickup-rush", "double-route"],
            ),
            Self::HandOverTwice => {
                ("hand-over-twice", "a code or a pass works a second time", &["pickup-rush", "cancel-race"])
            }
            Self::LoserKeeps => {
                ("loser-keeps", "a store that has to stand down keeps the goods", &["double-route", "cancel-race"])
            }
            Self::WallClockLimits => {
                ("wall-clock-limits", "time limits of orders follow the clock on the wall", &["double-route"])
            }
            Self::RefundEarly => (
                "refund-early",
                "a cancel is paid back before the store that holds the goods confirmed it",
                &["cancel-race"],
            ),
            Self::SaleWithoutTender => (
                "sale-without-tender",
                "a sale that a terminal paid is written without the terminal's word",
                &["terminal-unknown"],
            ),
            Self::ChargeAgain => {
                ("charge-again", "a basket that is sent again has the terminal asked again", &["terminal-unknown"])
            }
            Self::MixedPrices => {
                ("mixed-prices", "the second line of a basket has the price of an hour later", &["price-change"])
            }
            Self::ZForgets => {
                ("z-forgets", "a Z report forgets what was taken to the safe", &["terminal-unknown", "price-change"])
            }
            Self::DoubleCoupon => ("double-coupon", "a coupon is taken wherever it is shown", &["coupon-storm"]),
            Self::PointsTwice => {
                ("points-twice", "points are counted for each entry, not for each sale", &["member-roams"])
            }
            Self::KeyKept => {
                ("key-kept", "a store that hears that a member is forgotten keeps her key", &["erase-during-sync"])
            }
            Self::SoftWithoutLimit => {
                ("soft-without-limit", "points are spent without a right and without a limit", &["coupon-storm"])
            }
        }
    }

    /// Turns one bug on for this thread, or all off.
    #[cfg(feature = "planted")]
    pub fn set(plant: Option<Self>) {
        ON.set(plant);
    }
}

/// True while a bug is turned on.
#[cfg(feature = "planted")]
pub(crate) fn planted(plant: Plant) -> bool {
    ON.get() == Some(plant)
}

/// No bug is ever turned on.
#[cfg(not(feature = "planted"))]
pub(crate) const fn planted(_: Plant) -> bool {
    false
}

/// Whether bugs can be turned on in this build.
pub const CAN_BE_PLANTED: bool = cfg!(feature = "planted");

#[cfg(feature = "planted")]
thread_local! {
    static ON: std::cell::Cell<Option<Plant>> = const { std::cell::Cell::new(None) };
}
