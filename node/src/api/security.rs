//! What a node noticed that somebody who looks after it should know: forks, fences, entries that nobody was entitled to write, wrong PINs,
//! devices, epochs, times far ahead. The newest are kept in a file, so that a restart forgets none.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Event;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::entry::{Fact, kind};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::events::ApiEvent;
use super::problem::Answered;
use super::products::page_limit;
use super::request::Params;
use super::values::{Moment, Text, now_ms};
use super::who::Who;
use crate::files;
use crate::handle::NumberedEvent;

/// The list of one node. Kept whole in memory: it is short.
#[derive(Debug)]
pub struct SecurityLog {
    path: PathBuf,
    kept: Mutex<VecDeque<Kept>>,
}

/// One event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// When it was noticed, milliseconds since 1970.
    pub at_ms: u64,
    /// Of which kind.
    pub kind: String,
    /// What happened, in words.
    pub what: String,
}

/// Something that was noticed.
#[derive(Serialize, ToSchema)]
pub struct SecurityEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Text<Moment>,
    /// `fork`, `fence`, `denied`, `pin`, `device`, `epoch`, `time`, `write-off`, `node`, `token`, `staff`, `lost` or `other`.
    kind: String,
    /// What happened, in words.
    what: String,
}

/// What was noticed, the newest first.
#[derive(Serialize, ToSchema)]
pub struct SecurityList {
    /// The events.
    items: Vec<SecurityEvent>,
    /// At most so many are kept; older ones are forgotten.
    kept_max: usize,
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SecurityParams {
    /// Only of this kind.
    kind: Option<String>,
    /// At most this many, up to 1,000; 100 if absent.
    limit: Option<usize>,
}

/// What this node noticed. Needs head office where somebody has a PIN.
#[utoipa::path(get, path = "/v1/security-events", tag = "status", params(SecurityParams),
    responses((status = 200, body = SecurityList)))]
pub async fn list_security_events(
    State(api): State<Arc<Api>>,
    who: Who,
    Params(params): Params<SecurityParams>,
) -> Answered<Json<SecurityList>> {
    who.may(&api, Role::HeadOffice)?;
    let limit = page_limit(params.limit)?;
    let is_wanted = |kept: &&Kept| params.kind.as_deref().is_none_or(|kind| kept.kind == kind);
    let kept = api.security.list();
    let shown = kept.iter().rev().filter(is_wanted).take(limit).map(|kept| SecurityEvent {
        at: Text(Moment(kept.at_ms)),
        kind: kept.kind.clone(),
        what: kept.what.clone(),
    });
    Ok(Json(SecurityList { items: shown.collect(), kept_max: KEPT_MAX }))
}

/// Notes what happens for as long as the API is served. Ends only when the node's events do.
pub async fn keep(api: Arc<Api>) {
    let (mut events, mut told, mut stopping) = (api.handle.events(), api.told.subscribe(), api.stopping.clone());
    loop {
        let noted = tokio::select! {
            heard = events.recv() => match heard {
                Ok(event) => of_event(&api, &event),
                Err(RecvError::Lagged(missed)) => Some(kept(now_ms(), "lost", format!("{missed} events were too many to be looked at"))),
                Err(RecvError::Closed) => break,
            },
            Ok(event) = told.recv() => of_told(&event),
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        if let Some(noted) = noted {
            api.security.note(noted);
            // Events come in bursts: one file holds all of a moment's.
            tokio::time::sleep(GATHER).await;
            while let Ok(event) = events.try_recv() {
                of_event(&api, &event).into_iter().for_each(|noted| api.security.note(noted));
            }
            api.security.save().await;
        }
    }
    api.security.save().await;
    std::future::pending::<()>().await;
}

impl SecurityLog {
    /// What lies in a folder; a file that cannot be read counts as empty.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let read = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { path, kept: Mutex::new(read.unwrap_or_default()) }
    }

    /// Puts an event on the list, and forgets the oldest beyond the bound.
    pub fn note(&self, noted: Kept) {
        let mut list = self.list();
        list.push_back(noted);
        while list.len() > KEPT_MAX {
            list.pop_front();
        }
    }

    async fn save(&self) {
        let (path, list) = (self.path.clone(), self.list().clone());
        if list.is_empty() {
            return;
        }
        let write = move || files::write_whole(&path, &serde_json::to_vec(&list)?);
        let written = tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other).flatten();
        if let Err(error) = written {
            tracing::warn!(%error, "security events cannot be written down");
        }
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event about a device or a token, said by the API itself.
pub fn said(kind: &str, what: String) -> Kept {
    kept(now_ms(), kind, what)
}

fn kept(at_ms: u64, kind: &str, what: String) -> Kept {
    Kept { at_ms, kind: kind.to_owned(), what }
}

fn of_event(api: &Api, event: &NumberedEvent) -> Option<Kept> {
    let (kind, what) = match &event.event {
        Event::Alarm(text) => (kind_of(text)?, text.clone()),
        Event::EpochOpened(reason) => {
            ("epoch", format!("a new life of this node's database began: {}", reason.as_str()))
        }
        Event::Entry { kind, place, .. } if ENTRIES.contains(kind) => {
            let entry = api.read(|books| Ok(books.entry(*place)?)).ok().flatten()?;
            of_fact(&entry.fact)?
        }
        Event::Entry { .. } | Event::Values(_) | Event::Connected(_) | Event::Disconnected(_) => return None,
    };
    Some(kept(event.at_ms, kind, what))
}

fn of_fact(fact: &Fact) -> Option<(&'static str, String)> {
    Some(match fact {
        Fact::Fence(fence) => ("fence", format!("node {} is no longer believed: {}", fence.node.0, fence.reason)),
        Fact::Node(record) => {
            let node = &record.capability;
            ("node", format!("node {} was let in for store {}", node.node.0, node.store.0))
        }
        Fact::Retire(retire) => {
            ("write-off", format!("the rights of {} were written off: {}", retire.actor, retire.reason))
        }
        Fact::Fork(proof) => ("fork", format!("a log has two histories: {} of {}", proof.log.actor, proof.log.scope)),
        Fact::Staff(record) => {
            let change = if record.ended { "does not work here any more" } else { "was entered or changed" };
            ("staff", format!("{} ({}) {change}", record.staff, record.role.as_str()))
        }
        _ => return None,
    })
}

fn of_told(event: &ApiEvent) -> Option<Kept> {
    if event.kind != "staff.refused" {
        return None;
    }
    let word = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
    let what = format!("PIN of {} refused at {}: {}", word("staff"), word("device"), word("outcome"));
    Some(kept(now_ms(), "pin", what))
}

/// The kind of an alarm by its words; nothing for alarms about the shop's work.
fn kind_of(alarm: &str) -> Option<&'static str> {
    let work = ["has not answered the offer", "note about", "late edits"];
    if work.iter().any(|words| alarm.contains(words)) {
        return None;
    }
    let found = WORDS.iter().find(|(words, _)| alarm.contains(words));
    found.map_or(Some("other"), |(_, kind)| *kind)
}

/// What alarms say, and what kind that is. What an entry says as well is noted once, by the entry.
const WORDS: [(&str, Option<&str>); 9] = [
    ("is fenced", None),
    ("are written off", None),
    ("two histories", Some("fork")),
    ("signed what it does not know", Some("epoch")),
    ("history is not the one", Some("epoch")),
    ("which it may not", Some("denied")),
    ("wrong PINs", Some("pin")),
    ("time far ahead", Some("time")),
    ("enrolment token", Some("token")),
];

const ENTRIES: [u16; 5] = [kind::FENCE, kind::NODE, kind::RETIRE, kind::FORK, kind::STAFF];

/// Events that are kept: some months of a quiet chain, and 100 kB of a file.
const KEPT_MAX: usize = 500;

const GATHER: Duration = Duration::from_millis(250);

const FILE: &str = "security.json";
