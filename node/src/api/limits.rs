//! Every bound of the HTTP API in one place, with the reason for its value.

use std::time::Duration;

/// How often the certificate for the shop's network is looked at: a new address of the machine is in it before people wonder.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(30);

/// Bytes of a request's body: a sale of 1,000 lines at 200 bytes of JSON fits.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a product import: 50,000 lines at 300 bytes fit.
pub const IMPORT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Products or prices in one command to the core. A sale waits for at most one of these to be written.
pub const IMPORT_CHUNK: usize = stockroom_core::limits::IMPORT_ITEMS_MAX;

/// Connections per listener. More than the tills and handhelds of a large store, with a few each.
pub const CONNECTIONS_MAX: usize = 512;

/// Requests that are being answered at the same time. Above it a client is told to come again: a queue would only hide that.
pub const REQUESTS_MAX: usize = 256;

/// Clients that follow the events. Each one holds a connection for as long as it likes.
pub const STREAMS_MAX: usize = 64;

/// How long a request may take, body included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// How long an import or a backup may take: 50,000 products are a hundred commits.
pub const SLOW_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a client may take to send its request's head, and may keep a connection without one. Longer than clients keep theirs.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a stop waits for requests that are under way.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a quiet event stream says that it is alive.
pub const STREAM_PULSE: Duration = Duration::from_secs(15);

/// Characters of an Idempotency-Key.
pub const KEY_CHARS_MAX: usize = 128;

/// Rows of one page unless the client asks for another number.
pub const PAGE_DEFAULT: usize = 100;

/// Rows of one page.
pub const PAGE_MAX: usize = stockroom_core::limits::PAGE_MAX;

/// Entries that one history answers; the newest ones if there are more.
pub const HISTORY_MAX: usize = 10_000;

/// Business days of one answer: a quarter.
pub const DAYS_MAX: usize = 92;

/// How far ahead a price may start. Later is a typing error.
pub const PRICE_AHEAD_MS_MAX: u64 = 5 * 366 * 86_400_000;

/// Digits of an article number in an in-store code: a template has at most 6.
pub const ITEM_NUMBER_MAX: u32 = 999_999;

/// The largest age that a product may ask of its buyer.
pub const AGE_MAX: u8 = 99;

/// Pieces in one pack: a container of small parts.
pub const PACK_MAX: u32 = 1_000_000;

/// How long a reservation may wait for rights from elsewhere, milliseconds: a customer waits for a page no longer.
pub const RESERVE_WAIT_MS_MAX: u64 = 5_000;

/// Pause before a waiting reservation asks again: rows of rights come in bursts.
pub const RESERVE_AGAIN: Duration = Duration::from_millis(20);

/// How long an unconfirmed reservation may be held, seconds: a week, as for rules.
pub const HOLD_S_MAX: u64 = 7 * 86_400;

/// Entries about rights that one answer shows; the newest ones if there are more.
pub const TRAIL_MAX: usize = 200;

/// How long an answer waits for a payment terminal unless it is told, seconds: most customers have paid by then.
pub const TERMINAL_WAIT_S: u64 = 10;

/// How long it may wait: less than [`REQUEST_TIMEOUT`], so that who asks hears where the basket stands.
pub const TERMINAL_WAIT_S_MAX: u64 = 12;

/// Lines of an acquirer's file: a large store's day, several times.
pub const SETTLEMENT_LINES_MAX: usize = 50_000;

/// Tasks of one kind in one answer: more than a shift can do.
pub const TASKS_MAX: usize = 1_000;

/// Events of the API that wait for a slow client.
pub const TOLD_MAX: usize = 256;

/// Fulfillments, and orders, that one answer about figures reads: a few seconds off the threads that serve requests.
pub const FIGURES_CASES_MAX: usize = 100_000;

/// How long a span of figures may be: a quarter.
pub const FIGURES_SPAN_MS_MAX: u64 = 92 * 86_400_000;

/// Of how long a time the figures for Prometheus are.
pub const METRICS_SPAN_MS: u64 = 86_400_000;

/// Fulfillments, and orders, that the figures for Prometheus read at most: the newest.
pub const METRICS_CASES_MAX: usize = 5_000;

/// For how long figures for Prometheus are shown before they are read again.
pub const METRICS_AGE: Duration = Duration::from_secs(60);

/// Codes of coupons in one answer: a box of paper for a printer that puts ten on a sheet.
pub const CODES_MAX: u32 = 10_000;

/// Coupons that were redeemed twice, in one answer: more than somebody looks into one by one.
pub const DOUBLES_MAX: usize = 1_000;

/// Sales of a member that one answer about her points shows; the newest ones if there are more.
pub const POINTS_SALES_MAX: usize = 1_000;
