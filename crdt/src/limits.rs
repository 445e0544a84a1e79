//! Every bound of the data model in one place, with the reason for its value.

/// Canonical bytes of one entry. A sale of 1,000 lines at 60 bytes fits; anything larger is not a shop's fact.
pub const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// Entries in one run. A seal covers at most this many, so a fork proof never needs more of them.
pub const RUN_ENTRIES_MAX: usize = 256;

/// Canonical bytes that one encoded run may expand to, per encoded byte. Columns of equal values compress well; a bomb
/// would ask for more, and the encoder falls back to rows before it does.
pub const RUN_EXPANSION_MAX: usize = 16;

/// Canonical bytes a run may always expand to, however short it is.
pub const RUN_EXPANSION_FLOOR: usize = 4 * 1024;

/// Entries since the last seal after which a log is sealed at once.
pub const SEAL_ENTRIES_MAX: u64 = 256;

/// Canonical bytes since the last seal after which a log is sealed at once.
pub const SEAL_BYTES_MAX: u64 = 64 * 1024;

/// Lines of one sale, receipt or count. The till's paper ends long before.
pub const LINES_MAX: usize = 1_000;

/// Tenders of one sale: more than this is a mistake or an attack on change-giving.
pub const TENDERS_MAX: usize = 16;

/// Barcodes of one product: each, inner, case, pallet and a history of package changes.
pub const BARCODES_MAX: usize = 32;

/// Bytes of a short text: codes, reasons, staff ids, lot numbers (GS1 AI 10 allows 20).
pub const CODE_BYTES_MAX: usize = 32;

/// Bytes of a name or remark.
pub const NAME_BYTES_MAX: usize = 200;

/// Bytes of an opaque fiscal attachment (signature, QR text of a fiscal device).
pub const FISCAL_BYTES_MAX: usize = 4 * 1024;

/// Units (pieces or grams) in one line: ten million grams are ten tonnes; more in one line is a scanner fault.
pub const QUANTITY_MAX: i64 = 10_000_000;

/// Minor units of money in one amount: ten billion cents.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// How far ahead of our own clock another node's time may pull our hybrid clock (milliseconds).
pub const CLOCK_FORWARD_MS_MAX: u64 = 5 * 60 * 1000;

/// Capabilities in one chain: root to hub, hub to node, and one level to spare.
pub const CAPABILITY_CHAIN_MAX: usize = 3;

/// Logs of one store that a count can name in its cut: epochs of its own node and of those that write for it.
pub const CUT_LOGS_MAX: usize = 64;

/// Scopes a fence can cut: every log that one actor can have.
pub const FENCE_CUTS_MAX: usize = 64;

/// Units of rights in one number of a row: a million deliveries of [`QUANTITY_MAX`], so sums of rows fit 64 bits.
pub const RIGHTS_MAX: u64 = 10_000_000_000_000;

/// Actors that one actor grants to, or answers, for one account: its hubs, the stores of its group, and their later epochs.
pub const RIGHTS_PARTNERS_MAX: usize = 512;

/// Lines of one order: what fits into a pass that a phone shows and a scanner reads, with room. Larger orders are several.
pub const ORDER_LINES_MAX: usize = 200;

/// Bytes of a sealed contact: a name, a phone and an address in any script, with 48 bytes of key and tag.
pub const SEALED_BYTES_MAX: usize = 1024;

/// Bytes of a pass: what the largest QR code holds.
pub const PASS_BYTES_MAX: usize = 2_900;

/// Promotions that one line may bear: more than a cashier could explain.
pub const REDUCTIONS_MAX: usize = 16;

/// Products, and departments, that one promotion names: a leaflet's worth. A larger one names departments.
pub const PROMOTION_GOODS_MAX: usize = 1_000;

/// Stores that one promotion names one by one; for more there is "all".
pub const PROMOTION_STORES_MAX: usize = 500;

/// Stores that one person works at, named one by one.
pub const STAFF_STORES_MAX: usize = 100;

/// Bytes of a hashed PIN: a PHC string of argon2id with 16 bytes of salt and 32 of hash has 97.
pub const PIN_HASH_BYTES_MAX: usize = 160;

/// Taxes of one shift: codes times rates.
pub const TAX_SUMS_MAX: usize = 64;

/// Points in one number: a million receipts of a million points, so sums of rows fit 64 bits.
pub const POINTS_MAX: u64 = 1_000_000_000_000;

/// Tiers of a programme: more nobody could explain.
pub const TIERS_MAX: usize = 16;

/// Promotions that a tier has for itself.
pub const TIER_PROMOTIONS_MAX: usize = 64;

/// Coupons of one basket: as many reductions as a line may bear, with room for promotions.
pub const COUPONS_MAX: usize = 8;

/// Accounts of one person of which one basket spends points.
pub const ACCOUNTS_MAX: usize = 16;

/// Bytes of a campaign's name in a coupon's code: with a serial number and its check it fits a code.
pub const CAMPAIGN_BYTES_MAX: usize = 12;

/// Coupons of one campaign that are rights of one: each has a row where it lies.
pub const CAMPAIGN_COUPONS_MAX: u32 = 10_000_000;
/// Values of one field that a member has: a few telephones, cards of years.
pub const MEMBER_SLOTS_MAX: u8 = 8;

/// Bytes of one value of a member, before it is sealed.
pub const MEMBER_VALUE_BYTES_MAX: usize = 200;

/// Accounts of one person. Somebody with more of them is several people, or a fault of the links: a person looks.
pub const CLASS_MEMBERS_MAX: usize = 16;
/// Bytes of one text of a note, as somebody enters it: three pages.
pub const NOTE_TEXT_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one text that a snapshot keeps. What several people pasted at once beyond it is in the log only.
pub const NOTE_TEXT_KEPT_MAX: usize = NOTE_TEXT_BYTES_MAX;

/// Values of one note: with texts and conflicts they fit a snapshot.
pub const NOTE_VALUES_MAX: usize = 20;

/// Values that a snapshot keeps: two people may add that many at the same time.
pub const NOTE_VALUES_KEPT_MAX: usize = 2 * NOTE_VALUES_MAX;

/// Concurrent values of one name that a snapshot keeps, the newest first: nobody settles more by hand. Half of them in a note with too many
/// values.
pub const NOTE_CANDIDATES_MAX: usize = 4;

/// Bytes of one message in a conversation.
pub const NOTE_MESSAGE_BYTES_MAX: usize = 500;

/// Bytes of a conversation that a snapshot keeps, with who said what: the newest messages. Earlier ones are in the log only.
pub const NOTE_CHAT_KEPT_MAX: usize = 8 * 1024;

/// Bytes of one change of a note: two texts anew, with what automerge and a seal add.
pub const NOTE_CHANGE_BYTES_MAX: usize = 24 * 1024;

/// Bytes of a snapshot: an entry's, less its other fields.
pub const NOTE_SNAPSHOT_BYTES_MAX: usize = 54 * 1024;

/// Changes that one snapshot covers. The home folds long before; several writers who were cut off together may bring more.
pub const NOTE_COVERS_MAX: usize = 1_024;

/// Operations of one change: each character that comes or goes is one.
pub const NOTE_OPS_MAX: usize = 64 * 1024;

/// Changes against one snapshot that are merged at once; later ones wait for the home to fold.
pub const NOTE_MERGED_MAX: usize = 1_024;

/// Operation numbers of a document. One generation needs a small part; whoever jumps ahead would leave none to others.
pub const NOTE_OP_NUMBER_MAX: u64 = 1 << 28;
