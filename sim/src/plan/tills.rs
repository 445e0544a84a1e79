//! Baskets that nodes price, in a plan: who buys what, how it is paid, what a payment terminal does about it, and what things cost.

/// A basket that a till rings up for its node to price.
#[derive(Clone, Debug)]
pub struct Ringing {
    /// Names it for what is done about it later.
    pub ring: u32,
    /// At which store.
    pub store: u32,
    /// At which till.
    pub till: u32,
    /// Products and units.
    pub lines: Vec<(u16, i64)>,
    /// What becomes of it.
    pub pays: Pays,
    /// How long the customer looks at the total before she says yes, milliseconds.
    pub looks_ms: u64,
    /// She takes it also when a price changed meanwhile.
    pub accepts: bool,
    /// What the terminal does when it is asked for the first time.
    pub fate: Fate,
    /// How long everybody waits for a terminal before the cashier does something else, milliseconds.
    pub patience_ms: u64,
    /// What the cashier does then, and when a terminal declined.
    pub otherwise: Otherwise,
    /// Who buys, by her number, if she is a member.
    pub member: Option<u32>,
    /// Coupons that are shown: the campaign's number, and the coupon's, if it has one.
    pub coupons: Vec<(u16, Option<u32>)>,
    /// She pays with all points that she may.
    pub points: bool,
    /// The receipt is taken back as a whole, if it was paid in cash.
    pub voided: bool,
}

/// What head office offers members and whoever has a coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// Points that a member may spend at a store without a right to them.
    pub offline_limit: u64,
    /// Points of a member that lie ready at her store.
    pub share: u64,
    /// Campaigns, numbered from 0.
    pub campaigns: Vec<CouponPlan>,
}

/// A campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CouponPlan {
    /// How many coupons there are, and where they are good.
    pub kind: CouponsAre,
    /// Minor units off a basket.
    pub off: i64,
    /// A coupon whose goods all come back may be used again.
    pub returns: bool,
}

/// Kinds of coupons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponsAre {
    /// So many rights of one, placed with stores in turn.
    Single(u32),
    /// The first so many.
    Pool(u32),
    /// So many printed codes; a store gives at most so many minor units for them until its hub has seen it.
    Printed(u32, i64),
}

/// What becomes of a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pays {
    /// Cash.
    Cash,
    /// All of it at a terminal.
    Card,
    /// So many percent in cash, the rest at a terminal.
    Mixed(u8),
    /// It is put aside; so much later somebody goes on with it at another till and pays in cash, or throws it away.
    Suspended {
        /// At which till.
        till: u32,
        /// After how long, milliseconds.
        after_ms: u64,
        /// The customer came back.
        back: bool,
    },
    /// It is a counter's slip; so much later it is paid at a cash desk.
    Slip {
        /// At which till.
        till: u32,
        /// After how long, milliseconds.
        after_ms: u64,
        /// At the terminal there.
        card: bool,
    },
}

/// What a terminal does when it is asked for money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It takes the money and says so.
    Approves,
    /// It takes the money without asking its bank.
    ApprovesOffline,
    /// It takes so many percent of it: less, or more, which it must give back.
    ApprovesPart(u8),
    /// It takes nothing.
    Declines,
    /// The question never reaches it.
    Deaf,
    /// It takes the money, and the answer gets lost.
    LosesAnswer,
    /// The customer takes her time, so many milliseconds; then it takes the money.
    Late(u64),
}

/// What a cashier does when no terminal pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The basket is thrown away.
    Abandon,
    /// The customer pays in cash.
    Cash,
    /// A terminal is asked again, once it said no.
    Again,
}

/// What somebody does about a drawer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawerDo {
    /// Takes it, with so much in it.
    Open(i64),
    /// Puts so much in.
    PaidIn(i64),
    /// Takes so much out for something.
    PaidOut(i64),
    /// Takes so much to the safe.
    Drop(i64),
    /// Counts it and gives it back.
    Close,
}

/// What head office says about prices.
#[derive(Clone, Debug, Default)]
pub struct Tariff {
    /// From when on it holds, milliseconds from now; negative for what should have been said before.
    pub from_in_ms: i64,
    /// Products and minor units for each.
    pub prices: Vec<(u16, i64)>,
    /// A promotion: its number, products, percent off, and how long it lasts.
    pub promotion: Option<(u16, Vec<u16>, u8, u64)>,
}
