//! One live link: its shared part, which callers send through, and its tasks, which move frames.
//!
//! A link's task owns a writer, a reader and a datagram task; when one of them ends, or the connection does, both are joined and `Down` is the
//! link's last event. Each end writes a lane as one unidirectional stream whose first byte is the lane; a stream lives as long as
//! the link, so its end is a fault.

mod datagram;
mod read;
mod write;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::frame::FrameFault;
use crate::identity::PeerIdentity;
use crate::lanes::{Lanes, Pace, SendError};
use crate::limits::{LANE_PRIORITY, REASON_BYTES_MAX};
use crate::net::NetEvent;
use crate::table::Dialer;

/// A link of this process; never used again after its `Down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// A link's figures. Bytes are UDP payload, the handshake included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Smoothed round-trip time, microseconds.
    pub rtt_us: u64,
    /// Bytes sent.
    pub udp_tx_bytes: u64,
    /// Bytes received.
    pub udp_rx_bytes: u64,
    /// Packets declared lost.
    pub lost_packets: u64,
    /// Congestion window, bytes.
    pub cwnd: u64,
}

/// QUIC application codes with which a connection is closed. Peers only log them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum CloseCode {
    Goodbye = 0,
    Duplicate = 1,
    NotAdmitted = 2,
    Fault = 3,
    Isolated = 4,
    Full = 5,
}

/// The part of a link that everybody shares.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) peer: PeerIdentity,
    pub(crate) cert_not_after_unix_s: u64,
    pub(crate) dialed: bool,
    pub(crate) opened: Instant,
    connection: Connection,
    lanes: Mutex<Lanes>,
    datagrams: Mutex<datagram::Allowance>,
    pace: Pace,
    wake: Notify,
    closed_by_us: OnceLock<String>,
    ended: watch::Sender<bool>,
}

/// A verified, admitted peer at the other end of a connection that is not a link yet.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) peer: PeerIdentity,
    pub(crate) cert_not_after_unix_s: u64,
}

/// The two ends of lane 0, which the handshake opened.
#[derive(Debug)]
pub(crate) struct FirstLane {
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
}

/// Why a link's own task gave up. The link is closed; the address is dialed again after a pause.
#[derive(Debug, thiserror::Error)]
enum LinkFault {
    #[error("connection lost")]
    Connection,
    #[error("peer opened lane {0}")]
    Lane(u8),
    #[error("peer opened lane {0} twice")]
    LaneTwice(u8),
    #[error("peer ended a lane")]
    LaneEnded,
    #[error("peer sent a {0}")]
    Frame(#[from] FrameFault),
    #[error("nobody takes events")]
    NoReceiver,
    #[error("internal error")]
    Bug,
}

impl Link {
    pub(crate) fn new(id: LinkId, opened: Opened, dialer: Dialer, pace: Pace) -> Link {
        Link {
            id,
            peer: opened.peer,
            cert_not_after_unix_s: opened.cert_not_after_unix_s,
            dialed: dialer == Dialer::Us,
            opened: Instant::now(),
            connection: opened.connection,
            lanes: Mutex::new(Lanes::new()),
            datagrams: Mutex::new(datagram::Allowance::new(Instant::now())),
            pace,
            wake: Notify::new(),
            closed_by_us: OnceLock::new(),
            ended: watch::Sender::new(false),
        }
    }

    /// Queues a frame.
    pub(crate) fn send(&self, lane: u8, frame: Bytes) -> Result<(), SendError> {
        self.lanes().push(lane, frame)?;
        self.wake.notify_one();
        Ok(())
    }

    /// Sends a datagram, or drops it: too long, too many, no room, or a peer that takes none.
    pub(crate) fn send_datagram(&self, kind: u8, payload: &[u8]) {
        let Some(bytes) = datagram::packed(kind, payload) else { return };
        let allowed = self.datagrams.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if allowed {
            // Whoever sends datagrams has agreed that they may be lost.
            let _ = self.connection.send_datagram(bytes);
        }
    }

    /// The connection's figures now.
    pub(crate) fn stats(&self) -> LinkStats {
        let stats = self.connection.stats();
        LinkStats {
            rtt_us: u64::try_from(stats.path.rtt.as_micros()).unwrap_or(u64::MAX),
            udp_tx_bytes: stats.udp_tx.bytes,
            udp_rx_bytes: stats.udp_rx.bytes,
            lost_packets: stats.path.lost_packets,
            cwnd: stats.path.cwnd,
        }
    }

    /// The peer's address now; it changes when the peer's network does.
    pub(crate) fn remote(&self) -> SocketAddr {
        self.connection.remote_address()
    }

    /// Closes the connection at once; the first reason stays.
    pub(crate) fn close(&self, code: CloseCode, reason: &str) {
        // A second close finds the first one's reason; that is the true one.
        let _ = self.closed_by_us.set(reason.to_owned());
        close(&self.connection, code, reason);
    }

    /// `Down` was reported, or `Up` never was.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Waits for [`Link::end`].
    pub(crate) async fn ended(&self) {
        // The sender is in self, so waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn down_reason(&self) -> String {
        match (self.connection.close_reason(), self.closed_by_us.get()) {
            (Some(ConnectionError::LocallyClosed) | None, Some(reason)) => reason.clone(),
            (Some(error), _) => describe(&error),
            (None, None) => String::from("closed"),
        }
    }
}

/// Closes a connection that may not be a link yet.
pub(crate) fn close(connection: &Connection, code: CloseCode, reason: &str) {
    let bytes = &reason.as_bytes()[..reason.len().min(REASON_BYTES_MAX)];
    connection.close(VarInt::from_u32(code as u32), bytes);
}

/// Runs a link from `Up` to `Down`. When `stop` changes, events that find no room are dropped.
pub(crate) async fn run(
    link: Arc<Link>,
    first: FirstLane,
    events: mpsc::Sender<NetEvent>,
    mut stop: watch::Receiver<Option<String>>,
) {
    let up = NetEvent::Up { link: link.id, peer: link.peer, addr: link.remote(), dialed: link.dialed };
    if emit(&events, &mut stop, up).await {
        let reason = move_frames(&link, first, &events).await;
        tracing::info!(link = link.id.0, peer = link.peer.node, reason, "link down");
        emit(&events, &mut stop, NetEvent::Down { link: link.id, reason }).await;
    }
}

async fn move_frames(link: &Arc<Link>, first: FirstLane, events: &mpsc::Sender<NetEvent>) -> String {
    let mut tasks = JoinSet::new();
    tasks.spawn(write::run(link.clone(), first.send, events.clone()));
    tasks.spawn(read::run(link.clone(), first.receive, events.clone()));
    tasks.spawn(datagram::run(link.clone(), events.clone()));
    tokio::select! {
        _ = link.connection.closed() => {}
        fault = next_fault(&mut tasks) => fail(link, &fault).await,
    }
    tasks.shutdown().await;
    link.down_reason()
}

async fn fail(link: &Link, fault: &LinkFault) {
    match fault {
        // The stream's error runs ahead of the connection's own, which says more.
        LinkFault::Connection => drop(link.connection.closed().await),
        LinkFault::Lane(_) | LinkFault::LaneTwice(_) | LinkFault::LaneEnded | LinkFault::Frame(_) => {
            tracing::warn!(link = link.id.0, peer = link.peer.node, %fault, "link fault");
            link.close(CloseCode::Fault, &fault.to_string());
        }
        LinkFault::NoReceiver | LinkFault::Bug => link.close(CloseCode::Goodbye, &fault.to_string()),
    }
}

/// The first fault among tasks that never end well.
async fn next_fault(tasks: &mut JoinSet<LinkFault>) -> LinkFault {
    match tasks.join_next().await {
        Some(Ok(fault)) => fault,
        Some(Err(error)) if error.is_panic() => {
            tracing::error!(%error, "link task panicked");
            LinkFault::Bug
        }
        Some(Err(_)) => LinkFault::Connection,
        None => std::future::pending().await,
    }
}

/// Sends an event, unless the node is stopping and the queue is full. False when nobody will see it.
async fn emit(events: &mpsc::Sender<NetEvent>, stop: &mut watch::Receiver<Option<String>>, event: NetEvent) -> bool {
    if stop.borrow().is_some() {
        return events.try_send(event).is_ok();
    }
    tokio::select! {
        permit = events.reserve() => permit.map(|permit| permit.send(event)).is_ok(),
        _ = stop.changed() => events.try_send(event).is_ok(),
    }
}

fn stream_ended(link: &Link) -> LinkFault {
    if link.connection.close_reason().is_some() { LinkFault::Connection } else { LinkFault::LaneEnded }
}

/// Opens the stream of a lane; its first byte is still to be written.
pub(crate) async fn open_lane(connection: &Connection, lane: usize) -> Option<SendStream> {
    let stream = connection.open_uni().await.ok()?;
    stream.set_priority(LANE_PRIORITY[lane]).ok()?;
    Some(stream)
}

/// A connection's end in words. What the peer wrote is cut and stripped, for it goes into logs.
pub(crate) fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => format!("closed by peer: {}", printable(&close.reason)),
        other => printable(other.to_string().as_bytes()),
    }
}

fn printable(text: &[u8]) -> String {
    let cut = &text[..text.len().min(REASON_BYTES_MAX)];
    cut.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect()
}
