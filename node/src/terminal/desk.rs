//! The cash desk: asks terminals for what baskets owe, inquires what nobody knows, has money given back, and says what it heard.
//!
//! It keeps nothing that outlives it. What is open stands in the log; whatever was open when the process began is inquired, and its terminal
//! says under the same reference what became of it. A word that cannot be written is not kept either: the terminal is asked for it again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stockroom_core::input::checkout::TerminalSaid;
use stockroom_core::storage::StoreError;
use stockroom_crdt::ids::Code;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::follow::{Act, Follow, Heard, Job, OpenTender};
use super::settings::Terminals;
use super::{Reversal, Terminal, Word, clipped};

/// Where tenders stand, and who writes what is said of them.
pub trait Tenders: Send + Sync + 'static {
    /// Every tender of which a terminal has to be asked something.
    fn open(&self) -> Result<Vec<OpenTender>, StoreError>;

    /// Writes a word down. When it is answered, [`Tenders::open`] shows what follows from it.
    fn said(&self, said: TerminalSaid) -> impl Future<Output = Result<(), Unsaid>> + Send;
}

/// Why a word was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsaid {
    /// The node has too much to do, or stops. The terminal is asked for it again.
    #[error("not now: {0}")]
    Later(String),
    /// It was refused.
    #[error("refused: {0}")]
    Refused(String),
}

/// A node's cash desk. Clones are the same one.
pub struct Desk<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    tenders: T,
    terminals: Terminals,
    follow: Mutex<Follow>,
    /// Tenders whose trouble was told to a person.
    told: Mutex<BTreeSet<Code>>,
    begun: Instant,
    wake: Notify,
}

impl<T> Clone for Desk<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: Tenders> Desk<T> {
    /// A desk over these terminals. `now_ms` is milliseconds since 1970, `pace_ms` how long the next question waits after an unknown answer:
    /// [`super::follow::PACE_MS`]. To be opened before tills are heard: what is open now is taken for left over.
    pub fn open(tenders: T, terminals: Terminals, now_ms: u64, pace_ms: &[u64]) -> Self {
        let mut follow = Follow::new(now_ms, pace_ms);
        match tenders.open() {
            Ok(open) => follow.begin(&open),
            // The first look that succeeds takes everything for left over, which is inquired: that is safe, and never asks anybody twice.
            Err(error) => tracing::error!(%error, "the cash desk cannot read the open tenders"),
        }
        let (follow, told, begun, wake) = (Mutex::new(follow), Mutex::default(), Instant::now(), Notify::new());
        Self { shared: Arc::new(Shared { tenders, terminals, follow, told, begun, wake }) }
    }

    /// Something was written about a tender.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// The terminal of a name, if there is one.
    pub fn terminal(&self, name: &Code) -> Option<&Arc<dyn Terminal>> {
        self.shared.terminals.get(name)
    }

    /// Names of all terminals.
    pub fn names(&self) -> BTreeSet<Code> {
        self.shared.terminals.keys().cloned().collect()
    }

    /// Works until `stop` says so. What is under way then is waited for only shortly: the next process inquires it.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut calls = JoinSet::new();
        while !*stop.borrow() {
            self.look(&mut calls);
            let pause = self.pause();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                Some(_) = calls.join_next() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
        let settled = async { while calls.join_next().await.is_some() {} };
        // What has not answered by then is inquired after the next start.
        let _ = tokio::time::timeout(STOP_AFTER, settled).await;
        calls.abort_all();
    }

    /// Begins what is due.
    fn look(&self, calls: &mut JoinSet<()>) {
        let open = match self.shared.tenders.open() {
            Ok(open) => open,
            Err(error) => return tracing::error!(%error, "the cash desk cannot read the open tenders"),
        };
        let (ours, strange): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|tender| self.shared.terminals.contains_key(&tender.terminal));
        for tender in &strange {
            self.tell(tender, "no terminal of this name is set up: a person has to enter what it did");
        }
        let jobs = self.follow().due(&ours, self.now_ms());
        for job in jobs {
            calls.spawn(self.clone().carry_out(job));
        }
    }

    /// Does one thing at a terminal, and says what came of it.
    async fn carry_out(self, job: Job) {
        let Some(terminal) = self.terminal(&job.tender.terminal).cloned() else { return };
        let asked = job.clone();
        let heard = tokio::task::spawn_blocking(move || ask(&*terminal, &asked)).await;
        // A call that panicked is one without an answer.
        let heard = heard.unwrap_or_else(|_| silence(job.act));
        let reference = job.tender.reference.as_str();
        tracing::info!(reference, terminal = job.tender.terminal.as_str(), act = ?job.act, ?heard, "terminal");
        if let Heard::Reversal(Reversal::Refused { why }) = &heard {
            self.tell(&job.tender, &format!("the terminal cannot give the money back: {}", why.as_str()));
        }
        let said = self.follow().done(&job, &heard, self.now_ms());
        let Some(said) = said else { return };
        match self.shared.tenders.said(said).await {
            Ok(()) => {}
            Err(error @ Unsaid::Later(_)) => tracing::warn!(reference, %error, "a terminal's word was not written"),
            Err(error @ Unsaid::Refused(_)) => self.tell(&job.tender, &error.to_string()),
        }
    }

    /// Says once what a person has to look at.
    fn tell(&self, tender: &OpenTender, what: &str) {
        let mut told = lock(&self.shared.told);
        if told.len() >= TOLD_MAX {
            told.clear();
        }
        if told.insert(tender.reference.clone()) {
            let (reference, terminal) = (tender.reference.as_str(), tender.terminal.as_str());
            let (till, number) = (tender.basket.till.0, tender.basket.number);
            tracing::error!(reference, terminal, till, number, amount = tender.amount, what, "a tender needs a person");
        }
    }

    fn pause(&self) -> Duration {
        let due_ms = self.follow().next_due_ms();
        let pause = due_ms.map_or(PAUSE, |due_ms| Duration::from_millis(due_ms.saturating_sub(self.now_ms())));
        pause.clamp(PAUSE_LEAST, PAUSE)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.shared.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn follow(&self) -> MutexGuard<'_, Follow> {
        lock(&self.shared.follow)
    }
}

impl<T> fmt::Debug for Desk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("terminals", &self.shared.terminals).finish_non_exhaustive()
    }
}

/// Does one thing at a terminal. Blocks.
fn ask(terminal: &dyn Terminal, job: &Job) -> Heard {
    match job.act {
        Act::Ask if !terminal.capabilities().takes(job.tender.kind) => {
            Heard::Word(Word::Declined { why: clipped("not taken here") })
        }
        Act::Ask => Heard::Word(terminal.ask(&job.tender.ask())),
        Act::Inquire => Heard::Word(terminal.inquire(&job.tender.reference)),
        Act::Reverse => Heard::Reversal(terminal.reverse(&job.tender.reference)),
    }
}

fn silence(act: Act) -> Heard {
    match act {
        Act::Ask | Act::Inquire => Heard::Word(Word::Unknown),
        Act::Reverse => Heard::Reversal(Reversal::Unknown),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the desk sleeps at most.
const PAUSE: Duration = Duration::from_secs(30);

/// How long it sleeps at least, so that what cannot be done now does not make it spin.
const PAUSE_LEAST: Duration = Duration::from_millis(5);

/// How long a stop waits for calls under way.
const STOP_AFTER: Duration = Duration::from_secs(3);

/// Tenders whose trouble is remembered, so that it is told once.
const TOLD_MAX: usize = 1_000;
