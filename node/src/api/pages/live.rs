//! Telling pages that something changed: server-sent events with topics, not contents. A page then reads again what it shows.
//!
//! Changes are gathered for a moment, so that a busy store does not make each page read itself anew for each sale.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use stockroom_core::input::Event;
use stockroom_core::status::Status;
use stockroom_crdt::scope::Scope;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::{Instant, sleep_until};

use super::Pages;
use super::ask::Ask;
use super::layout::{LinkState, link_state};
use super::words::Language;
use crate::api::events::ApiEvent;
use crate::api::limits::STREAM_PULSE;
use crate::api::problem::{Kind, Problem};
use crate::handle::NumberedEvent;

/// Follows what changes: events `changed` with topics in `data`, and `link` with the link's state.
pub async fn follow(State(pages): State<Pages>, ask: Ask) -> Response {
    let api = &pages.api;
    let Ok(permit) = api.streams.clone().try_acquire_owned() else {
        return Problem::new(Kind::Overloaded, "too many pages are open").into_response();
    };
    let follower = Follower {
        language: ask.language(),
        events: api.handle.events(),
        told: api.told.subscribe(),
        status: api.handle.statuses(),
        stopping: api.stopping.clone(),
        link: None,
        ready: VecDeque::new(),
        _permit: permit,
    };
    let frames = futures_util::stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), follower))
    });
    Sse::new(frames).keep_alive(KeepAlive::new().interval(STREAM_PULSE)).into_response()
}

struct Follower {
    language: Language,
    events: broadcast::Receiver<NumberedEvent>,
    told: broadcast::Receiver<ApiEvent>,
    status: watch::Receiver<Arc<Status>>,
    stopping: watch::Receiver<bool>,
    /// What the page was told of the link.
    link: Option<LinkState>,
    ready: VecDeque<Frame>,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Option<Frame> {
        self.look_at_link();
        while self.ready.is_empty() {
            let mut topics = BTreeSet::new();
            tokio::select! {
                heard = self.events.recv() => take(heard, &mut topics)?,
                Ok(_) = self.told.recv() => { topics.insert("deeds"); }
                Ok(()) = self.status.changed() => {}
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            }
            self.gather(&mut topics).await?;
            self.look_at_link();
            if !topics.is_empty() {
                let topics: Vec<_> = topics.into_iter().collect();
                self.ready.push_back(Frame::default().event("changed").data(topics.join(" ")));
            }
        }
        self.ready.pop_front()
    }

    /// What else happens within a moment goes into one event.
    async fn gather(&mut self, topics: &mut BTreeSet<&'static str>) -> Option<()> {
        let until = Instant::now() + GATHER;
        loop {
            tokio::select! {
                () = sleep_until(until) => return Some(()),
                heard = self.events.recv() => take(heard, topics)?,
                Ok(_) = self.told.recv() => { topics.insert("deeds"); }
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            }
        }
    }

    fn look_at_link(&mut self) {
        let now = link_state(self.language, &self.status.borrow_and_update().clone());
        if self.link.as_ref() != Some(&now) {
            if let Ok(frame) = Frame::default().event("link").json_data(&now) {
                self.ready.push_back(frame);
            }
            self.link = Some(now);
        }
    }
}

/// Notes what a piece of news is about; nothing when there will be no more.
fn take(heard: Result<NumberedEvent, RecvError>, topics: &mut BTreeSet<&'static str>) -> Option<()> {
    match heard {
        Ok(event) => topics.insert(topic(&event.event)),
        // Nobody knows what was lost: everything may have changed.
        Err(RecvError::Lagged(_)) => topics.insert("all"),
        Err(RecvError::Closed) => return None,
    };
    Some(())
}

/// What a page says that it shows, so that it is read again.
fn topic(event: &Event) -> &'static str {
    match event {
        Event::Entry { scope, .. } | Event::Values(scope) => match scope {
            Scope::Control => "control",
            Scope::StoreRights(_) => "rights",
            Scope::StoreOrders(_) | Scope::Orders(_) => "orders",
            Scope::StoreStock(_) => "stock",
            Scope::StoreHistory(_) => "history",
            Scope::StoreMembers(_) => "members",
            Scope::Prices(_) => "prices",
            Scope::Catalog => "catalog",
        },
        Event::Connected(_) | Event::Disconnected(_) => "link",
        Event::EpochOpened(_) | Event::Alarm(_) => "alarms",
    }
}

/// For how long changes are gathered.
const GATHER: Duration = Duration::from_millis(400);
