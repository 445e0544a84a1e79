//! Every bound of this crate, with the reason for its value.
//!
//! Worst case of a store with the defaults (64 links, all of them hostile but enrolled), MiB: receive windows 64 x 0.5, half
//! assembled frames 64 x 1.3, QUIC send buffers 64 x 0.6, queues 64 x 0.5, event channel 32, handshakes 8. Together under 230, inside
//! DESIGN 9's 256.

use std::time::Duration;

/// Lanes of a link. Five meanings exist (rights, orders, stock, history, catalogue); a sixth needs a protocol version.
pub const LANES: usize = 5;

/// QUIC stream priority of each lane: strict between levels, so only the order matters.
pub const LANE_PRIORITY: [i32; LANES] = [100, 50, 0, -50, -100];

/// Longest frame, payload bytes. Larger than any entry (64 KiB, S21) and a snapshot block, small enough that five half-received
/// ones per link fit the memory budget.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the length that precedes each frame.
pub const FRAME_HEADER_BYTES: usize = 4;

/// Frames waiting in one link's queue. Credit bounds bytes; this bounds the bookkeeping of very short frames.
pub const QUEUE_FRAMES_MAX: usize = 8 * 1024;

/// Smallest send window. Below about ten packets loss recovery starves, and one ordinary frame must always fit.
pub const WINDOW_BYTES_MIN: usize = 16 * 1024;

/// Largest send window of bytes that have not left yet. Everything in it was chosen too early to be superseded.
pub const WINDOW_BYTES_MAX: usize = 256 * 1024;

/// Credit that suffices for a frame of any length. Half the smallest window: when nothing waits, at least this much is granted, so a
/// caller that follows the rule never stalls.
pub const FRAME_CREDIT_BYTES: usize = WINDOW_BYTES_MIN / 2;

/// What lane 0 may overdraw, so that a fence or a handshake reply never waits for credit.
pub const LANE0_RESERVE_BYTES: usize = 4 * 1024;

/// Extra room in QUIC's send buffer for lanes 0 and 1, which bulk data in flight must not take from them.
pub const URGENT_BYTES: [u64; 2] = [64 * 1024, 32 * 1024];

/// Most bytes QUIC itself may hold for one link, sent and not yet acknowledged included: 100 ms at 40 Mbit/s.
pub const QUIC_SEND_BYTES_MAX: u64 = 512 * 1024;

/// Frames taken from one lane for a single write: long enough to fill a packet train, short enough to look at lane 0 again.
pub const WRITE_BATCH_FRAMES: usize = 16;

/// Bytes after which a write batch stops growing.
pub const WRITE_BATCH_BYTES: usize = 16 * 1024;

/// Events waiting for the caller. When full, readers wait, QUIC's windows fill and the peer stops: at most 128 x 256 KiB.
pub const EVENTS_MAX: usize = 128;

/// Longest payload of a datagram: with its kind and QUIC's heads it fits the smallest packet that every path must carry.
pub const DATAGRAM_BYTES_MAX: usize = 1024;

/// Datagrams per link and second, each way: a hundred couriers that say where they are every five seconds, five times over.
pub const DATAGRAMS_PER_S: u64 = 100;

/// Datagrams at once, after a pause.
pub const DATAGRAMS_BURST: u64 = 100;

/// Bytes of datagrams that QUIC holds per link and direction. When full, the oldest goes.
pub const DATAGRAM_BUFFER_BYTES: usize = 32 * 1024;

/// Largest receive window of a link whatever the budget (S22).
pub const RECEIVE_WINDOW_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Smallest receive window of a link: under it a single frame takes too many round trips.
pub const RECEIVE_WINDOW_BYTES_MIN: u64 = 128 * 1024;

/// Lanes share the link's receive window; one lane may take this part of it (one half), so that bulk which nobody reads leaves room
/// for lane 0.
pub const STREAM_WINDOW_PART: u64 = 2;

/// Default budget of all receive windows together. 64 links get 512 KiB each.
pub const RECEIVE_BUDGET_BYTES: u64 = 32 * 1024 * 1024;

/// Default number of live links. A store has a hub, a spare hub and its neighbours.
pub const LINKS_MAX: usize = 64;

/// Connections that quinn keeps waiting for the accepting task (S22).
pub const INCOMING_MAX: usize = 256;

/// Bytes buffered for one connection before it is accepted: a ClientHello with its certificates fits easily.
pub const INCOMING_BYTES: u64 = 32 * 1024;

/// Bytes buffered for all connections that are not accepted yet (S22).
pub const INCOMING_BYTES_TOTAL: u64 = 8 * 1024 * 1024;

/// Handshakes from unvalidated addresses beyond which an address must first prove itself by a Retry (S22).
pub const UNVALIDATED_MAX: usize = 32;

/// Handshakes in progress beyond which new ones are dropped.
pub const HANDSHAKES_MAX: usize = 256;

/// From first packet to a kept link (S22). Four round trips at 800 ms and one loss fit.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Unvalidated, and separately failed, handshakes per address and second (S22). Successful ones are never counted: many stores may
/// stand behind one address.
pub const ADDRESS_RATE_PER_S: u32 = 10;

/// Addresses whose rate is remembered. When full, a new address counts as over its rate and has to answer a Retry.
pub const ADDRESSES_MAX: usize = 4096;

/// First and largest pause between dials of one address, before jitter of plus or minus 50%: 200,000 stores after a hub restart
/// must spread out.
pub const BACKOFF_MS_MIN: u64 = 100;

/// See [`BACKOFF_MS_MIN`].
pub const BACKOFF_MS_MAX: u64 = 30_000;

/// A link that lived this long was a success: the next pause starts from the minimum again.
pub const LINK_SETTLED: Duration = Duration::from_secs(10);

/// Addresses to dial, from all sources together.
pub const TARGETS_MAX: usize = 512;

/// Dials at one time. Dials wait for the network, so a few cover every useful address quickly.
pub const DIALS_MAX: usize = 16;

/// Addresses tried for one host name.
pub const RESOLVED_MAX: usize = 4;

/// Addresses heard by mDNS that are remembered (S24).
pub const DISCOVERED_MAX: usize = 32;

/// Dials per second to addresses heard by mDNS, all together: a phone that floods the LAN buys itself nothing (S24).
pub const DISCOVERED_DIALS_PER_S: u32 = 2;

/// Hints waiting from the mDNS thread. When full, hints are dropped; mDNS repeats itself.
pub const HINTS_MAX: usize = 64;

/// First and longest pause before a failed mDNS daemon is started again.
pub const DISCOVERY_RESTART_S: (u64, u64) = (5, 60);

/// Idle time after which a silent link is dead.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after which an idle link sends a packet: several fit into [`IDLE_TIMEOUT`], and NAT bindings live about 30 s.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How often live links are admitted anew and their certificates looked at again (S8 asks for 24 h).
pub const RECHECK: Duration = Duration::from_secs(3600);

/// How long shutdown waits for tasks, and again for peers to be quiet. The farewell itself leaves at once; an address that never
/// answered would be waited for much longer.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// Longest reason that is sent to or believed from a peer.
pub const REASON_BYTES_MAX: usize = 128;

/// Nodes whose byte totals are kept. Identities are certified, so only an enormous tenant gets here; then new nodes are not counted.
pub const TOTALS_MAX: usize = 65_536;

/// Certificates in a presented chain: leaf, the hub's issuer, and the root where enrolment shows it.
pub const CHAIN_MAX: usize = 3;

/// Longest certificate that is parsed. Ours are about 700 bytes.
pub const CERT_BYTES_MAX: usize = 4096;

/// Extra names in a leaf. A store page has a name, `localhost` and a few addresses.
pub const EXTRA_NAMES_MAX: usize = 16;

/// Longest signing request that an issuer parses.
pub const CSR_BYTES_MAX: usize = 2048;

/// No clock is believed below this second: 2026-11-01, before this code was written. It moves forward with releases (S9).
pub const BUILD_FLOOR_UNIX_S: u64 = 1_793_491_200;

/// Life of the tenant's root: longer than any store's hardware.
pub const ROOT_DAYS: u64 = 20 * 365;

/// Life of a hub's issuer.
pub const ISSUER_DAYS: u64 = 10 * 365;

/// Life of a leaf: the longest that browsers on handhelds take from a private authority.
pub const LEAF_DAYS: u64 = 825;

/// Life of a certificate for pages, which a node renews by itself: long enough that a box whose clock stopped for months is still
/// believed, short enough for every phone (825 days at most).
pub const PAGE_LEAF_DAYS: u64 = 397;

/// Names, and addresses, in a certificate for pages.
pub const PAGE_NAMES_MAX: usize = 32;

/// Certificates begin this long before they are issued, because clocks of shop boxes are wrong.
pub const BACKDATE_DAYS: u64 = 2;

/// Longest enrolment request: a token, a signing request and a few names.
pub const ENROL_REQUEST_BYTES_MAX: usize = 16 * 1024;

/// Longest enrolment answer after its status byte: a chain, a configuration, a list of peers.
pub const ENROL_RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// From connection to answer, for each side.
pub const ENROL_TIMEOUT: Duration = Duration::from_secs(10);

/// Enrolments served at one time. Installers come one by one.
pub const ENROL_CONNECTIONS_MAX: usize = 8;
