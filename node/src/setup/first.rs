//! The first start of a box that holds no node: what somebody asked it to become, how far that is, and what went wrong.
//!
//! One wish at a time. Everything here is forgotten when the box has become a node; what it became lies in the data directory.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::join::{Join, Step, join_telling};
use super::words::{Said, Trouble};
use super::{Init, SetupError, init, own_names};
use crate::config::Profile;
use crate::files::{DataDir, FilesError, remove};

/// A box without a node, and what becomes of it.
#[derive(Debug)]
pub struct First {
    dir: DataDir,
    state: Mutex<State>,
    done: watch::Sender<bool>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has asked for anything.
    Waiting,
    /// It is being done; the last of these is under way.
    Working(Vec<Said>),
    /// The last of these failed. Another try may follow.
    Failed(Vec<Said>, Trouble),
    /// A new chain was made; somebody has to take the root's keys away before it starts.
    Made(Vec<Said>, RootKey),
    /// The node starts.
    Done(Vec<Said>),
}

/// The root's keys of a new chain, for whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootKey {
    /// Where they lie.
    pub file: PathBuf,
    /// What the browser that made the chain has to show to get them.
    pub secret: String,
}

/// What somebody asked for cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Something else is being done.
    Working,
    /// The box is a node already.
    Done,
    /// Nothing was made that could be started.
    Nothing,
}

impl First {
    /// For a data directory that holds no node.
    pub fn new(dir: DataDir) -> Arc<Self> {
        let (done, _) = watch::channel(false);
        Arc::new(Self { dir, state: Mutex::new(State::Waiting), done })
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Comes true when the data directory holds a node that may start.
    pub fn done(&self) -> watch::Receiver<bool> {
        self.done.subscribe()
    }

    /// Begins to join; [`First::state`] tells the rest.
    pub fn join(self: &Arc<Self>, token: String, hub: Option<String>, profile: Profile) -> Result<(), Busy> {
        self.begin(Said::Token)?;
        let this = self.clone();
        tokio::spawn(async move {
            let order = Join { token, hub, data: this.dir.clone(), names: own_names(&[]), profile: Some(profile) };
            let telling = this.clone();
            let joined = join_telling(&order, &move |step| telling.tell(said(step))).await;
            match joined {
                Ok(record) => {
                    tracing::info!(node = record.node, store = record.store, tenant = record.tenant_name, "joined");
                    this.finish(Said::Starting);
                }
                Err(error) => this.fail(&error),
            }
        });
        Ok(())
    }

    /// Makes a new chain with this box as its first hub. Gives the secret for its root's keys.
    pub async fn make(self: &Arc<Self>, name: String) -> Result<String, Busy> {
        self.begin(Said::Keys)?;
        let this = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let file = this.dir.file(ROOT_KEY);
            let order = Init { tenant: name, data: this.dir.clone(), root_key: file.clone(), names: own_names(&[]) };
            let mut secret = [0; 16];
            let made = getrandom::fill(&mut secret).map_err(SetupError::from).and_then(|()| init(&order));
            let secret = stockroom_crdt::ids::hex(&secret);
            match made {
                Ok(_) => {
                    let steps = this.steps();
                    *this.lock() = State::Made(steps, RootKey { file, secret: secret.clone() });
                }
                Err(error) => this.fail(&error),
            }
            secret
        });
        Ok(made.await.unwrap_or_default())
    }

    /// Lets the node of a new chain start. The root's keys are removed from this box if `keys` says that they are kept elsewhere.
    pub fn start(&self, keys: Keys) -> Result<(), Busy> {
        let State::Made(_, key) = self.state() else { return Err(Busy::Nothing) };
        if keys == Keys::TakenAway
            && let Err(error) = remove(&key.file)
        {
            tracing::error!(%error, "the root's keys are still on this box");
        }
        self.finish(Said::StartingHub);
        Ok(())
    }

    fn begin(&self, first: Said) -> Result<(), Busy> {
        let mut state = self.lock();
        match &*state {
            State::Working(_) => Err(Busy::Working),
            State::Made(..) | State::Done(_) => Err(Busy::Done),
            State::Waiting | State::Failed(..) => {
                *state = State::Working(vec![first]);
                Ok(())
            }
        }
    }

    fn tell(&self, said: Said) {
        if let State::Working(steps) = &mut *self.lock()
            && steps.last() != Some(&said)
        {
            steps.push(said);
        }
    }

    fn fail(&self, error: &SetupError) {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(%error, cause, "not set up");
        let steps = self.steps();
        *self.lock() = State::Failed(steps, trouble(error));
    }

    fn finish(&self, last: Said) {
        let mut steps = self.steps();
        steps.push(last);
        *self.lock() = State::Done(steps);
        self.done.send_replace(true);
    }

    fn steps(&self) -> Vec<Said> {
        match &*self.lock() {
            State::Waiting => Vec::new(),
            State::Working(steps) | State::Failed(steps, _) | State::Made(steps, _) | State::Done(steps) => {
                steps.clone()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of the root's keys on this box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// They were copied: remove them.
    TakenAway,
    /// They stay where they are for now.
    Stay,
}

/// Whether a data directory waits to be set up: no identity, and no database that lost its identity.
pub fn is_wanted(dir: &DataDir) -> bool {
    !dir.file("identity.json").exists() && !dir.database().exists()
}

fn said(step: Step) -> Said {
    match step {
        Step::Token => Said::Token,
        Step::Address => Said::Address,
        Step::Asking => Said::Asking,
        Step::Checking => Said::Checking,
        Step::Writing => Said::Writing,
    }
}

fn trouble(error: &SetupError) -> Trouble {
    use stockroom_transport::enrol::EnrolError;
    match error {
        SetupError::Token(_) => Trouble::Token,
        SetupError::NoHub => Trouble::NoHub,
        SetupError::Address(_) => Trouble::Address,
        SetupError::NotAsked(EnrolError::Untrusted) => Trouble::OtherHub,
        SetupError::NotAsked(EnrolError::Refused(_)) => Trouble::Refused,
        SetupError::NotAsked(_) => Trouble::Silent,
        SetupError::AnswerLost(cause) => match cause.downcast_ref::<EnrolError>() {
            Some(EnrolError::Unreachable(_)) => Trouble::Silent,
            _ => Trouble::Lost,
        },
        SetupError::Files(FilesError::Taken(_) | FilesError::Locked(_)) => Trouble::Taken,
        SetupError::Authority(stockroom_transport::AuthorityError::Name(_)) => Trouble::Name,
        SetupError::RootKeyTaken(_) => Trouble::Taken,
        SetupError::Files(_)
        | SetupError::Authority(_)
        | SetupError::Credential(_)
        | SetupError::Identity(_)
        | SetupError::Random(_) => Trouble::Disk,
    }
}

/// The root's keys, until they are taken away.
const ROOT_KEY: &str = "root-keys.txt";

#[cfg(test)]
mod tests {
    use super::*;

    async fn settled(first: &Arc<First>) -> State {
        loop {
            match first.state() {
                State::Working(_) => tokio::task::yield_now().await,
                state => return state,
            }
        }
    }

    #[tokio::test]
    async fn a_box_says_what_is_wrong_with_a_token_and_takes_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let first = First::new(DataDir::new(folder.path().join("node"), None));
        for wrong in ["", "nonsense", "AQ@hub.example"] {
            first.join(wrong.into(), None, Profile::Store).unwrap();
            assert!(matches!(settled(&first).await, State::Failed(_, Trouble::Token)), "{wrong}");
        }
        let token = crate::enrol::Token {
            store: stockroom_crdt::ids::StoreId(1),
            secret: [1; 16],
            root_cert: [2; 32],
            root_key: [3; 32],
        };
        first.join(token.to_text(), None, Profile::Store).unwrap();
        assert!(matches!(settled(&first).await, State::Failed(_, Trouble::NoHub)));
        assert!(!*first.done().borrow());
    }

    #[tokio::test]
    async fn a_new_chain_starts_when_its_keys_were_spoken_of() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path().join("node"), None);
        assert!(is_wanted(&dir));
        let first = First::new(dir.clone());
        assert_eq!(first.start(Keys::Stay), Err(Busy::Nothing));
        let secret = first.make("Corner Shops".into()).await.unwrap();
        let State::Made(_, key) = first.state() else { panic!("{:?}", first.state()) };
        assert!(key.secret == secret && key.file.exists() && !is_wanted(&dir));
        assert_eq!(first.join("x".into(), None, Profile::Store), Err(Busy::Done));
        first.start(Keys::TakenAway).unwrap();
        assert!(!key.file.exists() && *first.done().borrow());
    }
}
