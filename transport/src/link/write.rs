//! The writing side of a link: from the lanes' queues into QUIC streams, strictly by lane, and the credit that comes back.
//!
//! QUIC is handed little more than what is in flight, so the choice of what goes next stays here. QUIC's send buffer is one for all
//! streams; lanes 0 and 1 see a larger one, so bulk in flight cannot hold them up.

use std::sync::Arc;

use bytes::Bytes;
use quinn::SendStream;
use tokio::sync::mpsc;

use crate::frame::header;
use crate::lanes::Windows;
use crate::limits::{LANES, WRITE_BATCH_BYTES, WRITE_BATCH_FRAMES};
use crate::link::{Link, LinkFault, open_lane, stream_ended};
use crate::net::NetEvent;

/// Writes the most urgent lane, grants credit, and looks again whenever something changed.
pub(super) async fn run(link: Arc<Link>, first: SendStream, events: mpsc::Sender<NetEvent>) -> LinkFault {
    let mut writer = Writer::new(&link, first);
    loop {
        let due = writer.look();
        let lane = writer.most_urgent();
        let step = tokio::select! {
            permit = events.reserve(), if due => match permit {
                Ok(permit) => {
                    permit.send(NetEvent::Writable { link: link.id, bytes: link.lanes().grant() });
                    Ok(())
                }
                Err(_) => Err(LinkFault::NoReceiver),
            },
            written = writer.write_some(lane), if lane.is_some() => written,
            () = link.wake.notified() => Ok(()),
        };
        if let Err(fault) = step {
            return fault;
        }
    }
}

struct Writer<'a> {
    link: &'a Link,
    streams: [Option<SendStream>; LANES],
    batches: [Batch; LANES],
    windows: Windows,
    quic_window: u64,
}

/// Frames of one lane on their way into QUIC; a lane keeps its batch while a more urgent one goes first.
#[derive(Default)]
struct Batch {
    chunks: Vec<Bytes>,
    next: usize,
    payload: usize,
}

impl Writer<'_> {
    fn new(link: &Link, first: SendStream) -> Writer<'_> {
        let mut streams: [Option<SendStream>; LANES] = Default::default();
        streams[0] = Some(first);
        Writer { link, streams, batches: Default::default(), windows: Windows::of(0, link.pace), quic_window: 0 }
    }

    /// Follows the path, takes frames of the most urgent lane into its batch. True when a grant is due.
    fn look(&mut self) -> bool {
        self.windows = Windows::of(self.link.connection.stats().path.cwnd, self.link.pace);
        let mut lanes = self.link.lanes();
        lanes.set_window(self.windows.queue);
        if let Some(lane) = lanes.first_waiting() {
            let batch = &mut self.batches[lane];
            while batch.has_room()
                && let Some(frame) = lanes.pop(lane)
            {
                batch.push(frame);
            }
        }
        lanes.grant_is_due()
    }

    fn most_urgent(&self) -> Option<usize> {
        self.batches.iter().position(|batch| !batch.chunks.is_empty())
    }

    /// Moves some bytes of a lane into QUIC. May be dropped while it waits: what was written is remembered.
    async fn write_some(&mut self, lane: Option<usize>) -> Result<(), LinkFault> {
        let Some(lane) = lane else { return Ok(()) };
        let window = self.windows.quic_for(lane);
        if self.quic_window != window {
            self.quic_window = window;
            self.link.connection.set_send_window(window);
        }
        let batch = &mut self.batches[lane];
        let stream = match &mut self.streams[lane] {
            Some(stream) => stream,
            none => {
                let stream = open_lane(&self.link.connection, lane).await.ok_or(LinkFault::Connection)?;
                batch.chunks.insert(0, Bytes::from(vec![lane as u8]));
                none.insert(stream)
            }
        };
        let written =
            stream.write_chunks(&mut batch.chunks[batch.next..]).await.map_err(|_| stream_ended(self.link))?;
        batch.next += written.chunks;
        if batch.next == batch.chunks.len() {
            self.link.lanes().written(batch.payload);
            *batch = Batch::default();
        }
        Ok(())
    }
}

impl Batch {
    fn has_room(&self) -> bool {
        self.next == 0 && self.payload < WRITE_BATCH_BYTES && self.chunks.len() < 2 * WRITE_BATCH_FRAMES
    }

    fn push(&mut self, frame: Bytes) {
        self.payload += frame.len();
        self.chunks.push(header(frame.len()));
        self.chunks.push(frame);
    }
}
