//! Every bound of one replica in one place, with the reason for its value. What is policy rather than a bound is in `tuning`.

/// Bytes of one frame between nodes. Small enough that an urgent frame never waits long behind it on a thin link.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Credit that a link must have before anything is sent on it. A frame may be longer and overdraw it; the transport allows
/// that from this much on.
pub const CREDIT_BYTES_MIN: i64 = 8 * 1024;

/// Runs in one frame.
pub const FRAME_RUNS_MAX: usize = 512;

/// Cells in one state frame.
pub const FRAME_CELLS_MAX: usize = 2_048;

/// Scopes that one peer may subscribe to: a hub of 1,000 stores with a few scopes each.
pub const WANTS_MAX: usize = 8_192;

/// Logs that one node can name in a handshake: epochs of its own in a handful of scopes.
pub const HEADS_MAX: usize = 4_096;

/// Links that one core keeps: a hub's children and peers.
pub const LINKS_MAX: usize = 2_048;

/// Runs that wait for a prerequisite, per replica. More than this and the sender must come again later.
pub const PARKED_RUNS_MAX: usize = 1_024;

/// Bytes of all parked runs.
pub const PARKED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Parked runs of one sender: an eighth of all, so that no single one uses up the room.
pub const PARKED_RUNS_OF_ONE_MAX: usize = PARKED_RUNS_MAX / 8;

/// Bytes of the parked runs of one sender.
pub const PARKED_BYTES_OF_ONE_MAX: usize = PARKED_BYTES_MAX / 8;

/// How long a run waits for what it builds on. What is on its way arrives within seconds; after an hour it comes no more, or
/// comes again together with the run.
pub const PARKED_MS_MAX: u64 = 3_600_000;

/// How long a running node opens no further epoch because of what others know of it. With two processes of one identity, which is
/// when it matters, 65,535 epochs last for 450 days.
pub const REOPEN_AFTER_MS: u64 = 600_000;

/// Bytes of one parcel.
pub const PARCEL_BYTES_MAX: usize = 128 * 1024;

/// Frames that wait on a link beside its feeds before more of those that may be lost (pulses, introductions, parcels) are
/// dropped, and before a peer that asks on without listening is cut.
pub const LINK_QUEUE_MAX: usize = 64;

/// Heads that one peer's subscriptions name over the life of a link: 8,192 scopes with a few epochs each.
pub const LINK_HEADS_MAX: usize = 65_536;

/// Parcels that a carrier keeps altogether: 16 MiB of the memory that a store may use.
pub const PARCELS_HELD_MAX: usize = 128;

/// Parcels that a carrier keeps for one addressee; older ones go first.
pub const PARCELS_CARRIED_MAX: usize = 64;

/// Days for which a retry key of a write other than a sale is remembered.
pub const RETRY_KEY_DAYS: u64 = 30;

/// How far ahead of the node's clock a till's time of a sale may lie.
pub const TILL_AHEAD_MS_MAX: u64 = 24 * 3_600 * 1_000;

/// Positions that one row of an account may hold, however a replica is tuned: a row is read and written with every sale.
pub const ACCOUNT_PLACES_MAX: usize = 1_024;

/// Wrong PINs in a row after which the next try has to wait.
pub const WRONG_PINS_MAX: u32 = 5;

/// How long it has to wait first. Each further wrong PIN doubles it.
pub const PIN_WAIT_MS: u64 = 30_000;

/// How long it has to wait at most: 96 tries a day, so that a PIN of four digits lasts for weeks, and nobody is kept from a till for longer
/// than a break.
pub const PIN_WAIT_MS_MAX: u64 = 900_000;

/// Products or prices in one command.
pub const IMPORT_ITEMS_MAX: usize = 512;

/// Scans that one count session may hold.
pub const SCANS_MAX: usize = 50_000;

/// When a transfer is due if nobody said: a week, after which a chain's own lorry has been by.
pub const TRANSFER_DUE_MS: u64 = 7 * 24 * 3_600 * 1_000;

/// Tries at finding a number for a transfer that this store has not given out yet. Of ten billion, the second is nearly always free.
pub const TRANSFER_ATTEMPTS_MAX: u32 = 16;

/// Points in the search for the last common entry of two branches: 2^48 entries are out of reach of any log.
pub const LOCATE_POINTS_MAX: usize = 64;

/// Logs of which one end of a link asks the other where their histories part, over the life of the link: epochs of a few
/// hundred stores that were all set back. An answer costs a search in the hashes of that log, and is given once.
pub const SEARCHES_MAX: usize = 1_024;

/// Of these, those that are open at a time: fewer than the answers that a peer may let wait.
pub const SEARCHES_AT_ONCE: usize = LINK_QUEUE_MAX / 4;

/// Entries or rows that one read answers at most.
pub const PAGE_MAX: usize = 1_000;

/// Stores of one group that follow each other's rights, but for one: each of them costs every other a log to follow.
pub const MATES_MAX: usize = 31;

/// Stores that one reservation looks at.
pub const RESERVE_STORES_MAX: usize = 64;

/// Accounts that nobody waits for which one commit looks at: a few milliseconds, in which a till waits.
pub const SETTLE_LATER_MAX: usize = 64;

/// Entries of a store's log of rights that one question "what moved these rights" reads back at most: a busy week.
pub const TRAIL_ENTRIES_MAX: usize = 50_000;

/// Rounds in which what follows from what follows is written into one commit: a release frees goods, which become rights, which
/// are granted, and a few to spare.
pub const SETTLE_ROUNDS_MAX: usize = 8;

/// Peers that a hub introduces to one store.
pub const INTRODUCED_MAX: usize = 32;

/// Changes of a note after which its home folds them into a snapshot: so many are merged whenever somebody reads it.
pub const NOTE_FOLD_AFTER: usize = 64;

/// Changes of one note that a node writes without its home having folded: a day of two people who write all the time.
pub const NOTE_UNFOLDED_MAX: usize = 512;

/// Edits of one request.
pub const NOTE_EDITS_MAX: usize = 16;

const _: () = assert!(PARCEL_BYTES_MAX < FRAME_BYTES_MAX, "a parcel travels in one frame");

/// How long before its start a price is put on shelves: a night shift does it for the next day.
pub const LABEL_AHEAD_MS: u64 = 24 * 3_600_000;

/// How long after its start a price may be missing on a shelf before a manager is warned: until the first customers have complained.
pub const LABEL_LATE_MS: u64 = 2 * 3_600_000;
/// For how long a store may use keys of members after it last heard its hub: an outage of a long weekend leaves its own members readable, and
/// somebody who was erased meanwhile is unreadable there within a week.
pub const MEMBER_LEASE_MS: u64 = 7 * 24 * 3_600 * 1_000;

/// How often running time is written down while a lease counts on it, and how much of it a start assumes to be lost.
pub const RUN_NOTED_MS: u64 = 600_000;

/// After so long without a visit a store lets go of members of other stores.
pub const MEMBER_FORGET_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// How often it looks for them.
pub const MEMBER_SWEEP_MS: u64 = 24 * 3_600 * 1_000;

/// How long a question to the hub about a member waits for an answer: a customer stands at the till.
pub const FETCH_MS_MAX: u64 = 10_000;

/// Questions that wait at a time: one for each till of a large store.
pub const FETCHES_MAX: usize = 64;

/// Keys or members in one frame: 40 KB.
pub const KEYS_IN_FRAME_MAX: usize = 1_000;

/// Accounts that one commit looks at: each may cost a hub a few copies.
pub const MEMBERS_SETTLED_MAX: usize = 64;

/// Accounts with one identifier that are believed to be one person, or a family.
pub const CLASS_LOOKUP_MAX: usize = 8;

const _: () = assert!(KEYS_IN_FRAME_MAX * 42 < FRAME_BYTES_MAX, "a full frame of keys can be sent");

/// Bytes of rows that are held in memory between two commits while a database is written anew.
pub const COMPACT_BYTES_GOAL: usize = 16 * 1024 * 1024;
