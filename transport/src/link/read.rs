//! The reading side of a link: from QUIC streams to the caller's events, strictly by lane.
//!
//! One task polls all streams, most urgent first, and chooses again once there is room for an event: a slow caller gets lane 0
//! before bulk that arrived earlier. While there is no room nothing is read, QUIC's windows fill, and the peer stops.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use quinn::RecvStream;
use tokio::sync::mpsc;

use crate::frame::FrameReader;
use crate::limits::LANES;
use crate::link::{Link, LinkFault, stream_ended};
use crate::net::NetEvent;

/// Reads until the link is at fault or lost. `first` is lane 0.
pub(super) async fn run(link: Arc<Link>, first: RecvStream, events: mpsc::Sender<NetEvent>) -> LinkFault {
    let mut reader = Reader::new(&link, first);
    loop {
        let step = tokio::select! {
            stream = link.connection.accept_uni() => match stream {
                Ok(stream) => {
                    reader.unnamed.push(stream);
                    Ok(())
                }
                Err(_) => Err(LinkFault::Connection),
            },
            whole = poll_fn(|cx| reader.poll_whole(cx)) => match whole {
                Ok(_) => reader.hand_up(&events).await,
                Err(fault) => Err(fault),
            },
        };
        if let Err(fault) = step {
            return fault;
        }
    }
}

struct Reader<'a> {
    link: &'a Link,
    lanes: [Option<LaneReader>; LANES],
    /// Streams whose first byte has not come. QUIC's stream limit bounds them.
    unnamed: Vec<RecvStream>,
}

struct LaneReader {
    stream: RecvStream,
    frames: FrameReader,
}

impl Reader<'_> {
    fn new(link: &Link, first: RecvStream) -> Reader<'_> {
        let mut lanes: [Option<LaneReader>; LANES] = Default::default();
        lanes[0] = Some(LaneReader { stream: first, frames: FrameReader::default() });
        Reader { link, lanes, unnamed: Vec::new() }
    }

    /// Waits for room, then gives the most urgent whole frame of that moment. Called when there is one.
    async fn hand_up(&mut self, events: &mpsc::Sender<NetEvent>) -> Result<(), LinkFault> {
        let permit = events.reserve().await.map_err(|_| LinkFault::NoReceiver)?;
        let lane = poll_fn(|cx| self.poll_whole(cx)).await?;
        if let Some(bytes) = self.take(lane)? {
            permit.send(NetEvent::Frame { link: self.link.id, lane: lane as u8, bytes });
        }
        Ok(())
    }

    /// The most urgent lane with a whole frame; reads what has arrived, no further than that frame.
    fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, LinkFault>> {
        self.name_streams(cx)?;
        for (lane, reader) in self.lanes.iter_mut().enumerate() {
            if let Some(reader) = reader
                && reader.poll_whole(cx, self.link)?.is_ready()
            {
                return Poll::Ready(Ok(lane));
            }
        }
        Poll::Pending
    }

    fn take(&mut self, lane: usize) -> Result<Option<Bytes>, LinkFault> {
        match &mut self.lanes[lane] {
            Some(reader) => Ok(reader.frames.poll()?),
            None => Ok(None),
        }
    }

    /// Gives streams whose first byte has come to their lanes.
    fn name_streams(&mut self, cx: &mut Context<'_>) -> Result<(), LinkFault> {
        let mut waiting = Vec::new();
        for mut stream in self.unnamed.drain(..) {
            let mut first = [0];
            let lane = match stream.poll_read(cx, &mut first) {
                Poll::Pending => {
                    waiting.push(stream);
                    continue;
                }
                Poll::Ready(Ok(1)) => first[0],
                Poll::Ready(_) => return Err(stream_ended(self.link)),
            };
            let place = self.lanes.get_mut(usize::from(lane)).ok_or(LinkFault::Lane(lane))?;
            if place.is_some() {
                return Err(LinkFault::LaneTwice(lane));
            }
            *place = Some(LaneReader { stream, frames: FrameReader::default() });
        }
        self.unnamed = waiting;
        Ok(())
    }
}

impl LaneReader {
    fn poll_whole(&mut self, cx: &mut Context<'_>, link: &Link) -> Result<Poll<()>, LinkFault> {
        loop {
            if self.frames.is_whole()? {
                return Ok(Poll::Ready(()));
            }
            // Reading keeps no state between polls, so the future need not be kept.
            match pin!(self.stream.read_chunk(READ_BYTES_MAX, true)).poll(cx) {
                Poll::Ready(Ok(Some(chunk))) => self.frames.push(&chunk.bytes),
                Poll::Ready(Ok(None) | Err(_)) => return Err(stream_ended(link)),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
    }
}

/// Bytes taken from QUIC at once: what one read may add beyond the frame that is being completed.
const READ_BYTES_MAX: usize = 16 * 1024;
