//! People at this node: their PINs, who is signed in, and what a manager has approved.
//!
//! | module | what it knows |
//! |---|---|
//! | [`pin`] | which PINs may be set; hashing and comparing them |
//! | [`sessions`] | who is signed in |
//! | [`approvals`] | what a manager has approved, to be used once |
//!
//! Records and hashes of PINs come from head office in `control`, so people sign in while the store is cut off. Every node holds the hashes:
//! argon2id makes each guess cost a node's time, but a PIN of a few digits does not outlast somebody who has a node's disk. Wrong
//! tries are counted by the core, in the database; sessions and approvals are in memory, and a restart ends them.

pub mod approvals;
pub mod pin;
pub mod sessions;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use stockroom_crdt::ids::{Code, Digest, hex};
use tokio::sync::Semaphore;

use approvals::{Approval, Approvals, NotApproved, What};
use pin::{Pin, PinError};
use sessions::{Session, Sessions};

/// People at this node.
#[derive(Debug)]
pub struct People {
    since: Instant,
    sessions: Mutex<Sessions>,
    approvals: Mutex<Approvals>,
    /// Places for hashing, which takes memory and the time of a processor.
    hashing: Semaphore,
}

impl Default for People {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            sessions: Mutex::default(),
            approvals: Mutex::default(),
            hashing: Semaphore::new(HASHES_AT_ONCE),
        }
    }
}

impl People {
    /// The hash of a new PIN, with a salt of its own.
    pub async fn hash(&self, pin: Pin) -> Result<String, PinError> {
        self.at_work(move || pin.hash()).await?
    }

    /// Whether a PIN is the one behind a hash.
    pub async fn matches(&self, pin: Pin, hash: String) -> Result<bool, PinError> {
        self.at_work(move || pin.matches(&hash)).await?
    }

    /// Signs somebody in; gives the token and when it ends at the latest, in milliseconds from now.
    pub fn sign_in(&self, session: Session) -> Result<(String, u64), getrandom::Error> {
        let token = token("ss")?;
        lock(&self.sessions).open(hash_of(&token), session, self.now_ms());
        Ok((token, sessions::LENGTH_MS))
    }

    /// Who shows this token. Being asked keeps the session open.
    pub fn session(&self, token: &str) -> Option<Session> {
        lock(&self.sessions).find(hash_of(token), self.now_ms())
    }

    /// Ends a session; false if there was none.
    pub fn sign_out(&self, token: &str) -> bool {
        lock(&self.sessions).close(hash_of(token))
    }

    /// Notes an approval; gives the token to be carried by what is approved.
    pub fn approve(&self, approver: Code, what: What) -> Result<String, getrandom::Error> {
        let token = token("ap")?;
        lock(&self.approvals).put(hash_of(&token), Approval { approver, what }, self.now_ms());
        Ok(token)
    }

    /// Uses an approval up for one request, which may show it again when it is tried again.
    pub fn use_approval(&self, token: &str, what: What, body: Digest) -> Result<Code, NotApproved> {
        lock(&self.approvals).take(hash_of(token), (what, body), self.now_ms())
    }

    async fn at_work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PinError> {
        let _place = self.hashing.acquire().await.map_err(|_| PinError::Stopped)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| PinError::Stopped)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// 24 random bytes behind a word that says what the token is for.
fn token(word: &str) -> Result<String, getrandom::Error> {
    let mut secret = [0; 24];
    getrandom::fill(&mut secret)?;
    Ok(format!("{word}_{}", hex(&secret)))
}

/// What is kept of a token: a look into memory gives nobody a session.
fn hash_of(token: &str) -> Digest {
    Digest::of(&[token.as_bytes()])
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Each takes 19 MiB and some tens of milliseconds of a processor: a node in a back room has two, and sells meanwhile.
const HASHES_AT_ONCE: usize = 2;
