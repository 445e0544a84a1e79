//! Every endpoint with its secrets and its outbox, and the two files that hold them: `webhooks.json`, which changes when somebody
//! changes an endpoint, and `webhooks.state.json`, which changes with every delivery. Both are closed to others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::hex;

use super::endpoint::{CONFIGURED, Configured, ENDPOINTS_MAX, Endpoint, Filter, FilterError, Settings};
use super::guard::{Guard, GuardError};
use super::outbox::Outbox;
use super::signature::{Secret, SecretError};
use crate::files::{FilesError, io_at, read_if_there, write_whole};

/// All endpoints of a node.
#[derive(Debug)]
pub struct Book {
    dir: PathBuf,
    guard: Guard,
    hooks: BTreeMap<String, Hook>,
    /// An outbox came or went since they were saved.
    is_stale: bool,
}

/// One endpoint with all that belongs to it.
#[derive(Debug)]
pub struct Hook {
    /// Who and what.
    pub endpoint: Endpoint,
    /// What it still has to be told.
    pub outbox: Outbox,
    secrets: Vec<Held>,
}

/// A secret, and for how long it signs if another one took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    secret: Secret,
    until_ms: Option<u64>,
}

/// Why the endpoints could not be read or changed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A secret of the configuration.
    #[error("the secret of webhook {0}")]
    Secret(String, #[source] SecretError),
    /// The URL may not be told.
    #[error(transparent)]
    Url(#[from] GuardError),
    /// The events cannot be.
    #[error(transparent)]
    Events(#[from] FilterError),
    /// There are too many.
    #[error("a node has at most {ENDPOINTS_MAX} endpoints besides those of its configuration")]
    Full,
    /// There is none of that name.
    #[error("there is no such endpoint")]
    Unknown,
    /// It stands in the configuration.
    #[error("this endpoint stands in the node's configuration: change it there")]
    Configured,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
}

/// An endpoint as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenHook {
    endpoint: Endpoint,
    secrets: Vec<WrittenSecret>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSecret {
    secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoints {
    format: u32,
    endpoints: Vec<WrittenHook>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outboxes {
    format: u32,
    outboxes: BTreeMap<String, Outbox>,
}

impl Book {
    /// Reads both files and adds what the configuration names. An endpoint without an outbox is told what comes from now on:
    /// `ends` are the ends of all feeds.
    pub fn open(dir: &Path, settings: &Settings, ends: &BTreeMap<String, u64>, now_ms: u64) -> Result<Self, BookError> {
        let endpoints: Option<Endpoints> = read(&dir.join(ENDPOINTS))?;
        let mut outboxes = match read::<Outboxes>(&dir.join(STATE)) {
            Ok(kept) => kept.map(|kept| kept.outboxes).unwrap_or_default(),
            Err(error) => {
                // Better to miss events, and to say so, than to be still for ever.
                tracing::error!(%error, "webhooks begin anew: what was still to be told is lost");
                BTreeMap::new()
            }
        };
        let mut outbox = |id: &str| {
            let mut outbox = outboxes.remove(id).unwrap_or_else(|| Outbox::starting_at(ends.clone()));
            outbox.reopen(now_ms, ends);
            outbox
        };
        let mut hooks = BTreeMap::new();
        for written in endpoints.map(|file| file.endpoints).unwrap_or_default() {
            let held = |written: WrittenSecret| {
                Ok(Held { secret: Secret::parse(&written.secret)?, until_ms: written.until_ms })
            };
            let secrets = written.secrets.into_iter().map(held).collect::<Result<Vec<_>, SecretError>>();
            let secrets = secrets.map_err(|error| BookError::Secret(written.endpoint.id.clone(), error))?;
            let outbox = outbox(&written.endpoint.id);
            hooks.insert(written.endpoint.id.clone(), Hook { endpoint: written.endpoint, outbox, secrets });
        }
        for configured in &settings.endpoints {
            let id = format!("{CONFIGURED}{}", configured.name);
            let secrets = configured_secrets(dir, configured)?;
            let events = Filter::parse(&configured.events)?;
            let endpoint = Endpoint { id: id.clone(), url: configured.url.clone(), events, created_ms: now_ms };
            let outbox = outbox(&id);
            hooks.insert(id, Hook { endpoint, outbox, secrets });
        }
        let is_stale = !hooks.is_empty();
        Ok(Self { dir: dir.into(), guard: settings.guard(), hooks, is_stale })
    }

    /// Makes an endpoint that is told what comes from now on. Its secret is given here and nowhere else.
    pub fn add(
        &mut self,
        url: &str,
        events: &[String],
        ends: BTreeMap<String, u64>,
        now_ms: u64,
    ) -> Result<(Endpoint, Secret), BookError> {
        self.guard.check_url(url)?;
        let events = Filter::parse(events)?;
        if self.hooks.values().filter(|hook| !hook.endpoint.is_configured()).count() >= ENDPOINTS_MAX {
            return Err(BookError::Full);
        }
        let mut id = [0; 8];
        getrandom::fill(&mut id)?;
        let id = format!("wh_{}", hex(&id));
        let secret = Secret::generate()?;
        let endpoint = Endpoint { id: id.clone(), url: url.to_owned(), events, created_ms: now_ms };
        let held = Held { secret: secret.clone(), until_ms: None };
        let hook = Hook { endpoint: endpoint.clone(), outbox: Outbox::starting_at(ends), secrets: vec![held] };
        self.hooks.insert(id.clone(), hook);
        self.save_endpoints().inspect_err(|_| drop(self.hooks.remove(&id)))?;
        self.is_stale = true;
        Ok((endpoint, secret))
    }

    /// Tells an endpoint nothing more.
    pub fn remove(&mut self, id: &str) -> Result<(), BookError> {
        self.changeable(id)?;
        let Some(hook) = self.hooks.remove(id) else { return Err(BookError::Unknown) };
        if let Err(error) = self.save_endpoints() {
            self.hooks.insert(id.to_owned(), hook);
            return Err(error);
        }
        self.is_stale = true;
        Ok(())
    }

    /// Gives an endpoint another secret. The one before signs beside it for a day.
    pub fn rotate(&mut self, id: &str, now_ms: u64) -> Result<Secret, BookError> {
        let secret = Secret::generate()?;
        let hook = self.changeable(id)?;
        let before = hook.secrets.clone();
        hook.secrets.truncate(1);
        hook.secrets.iter_mut().for_each(|old| old.until_ms = Some(now_ms + ROTATION_MS));
        hook.secrets.insert(0, Held { secret: secret.clone(), until_ms: None });
        if let Err(error) = self.save_endpoints() {
            self.changeable(id)?.secrets = before;
            return Err(error);
        }
        Ok(secret)
    }

    /// An endpoint.
    pub fn hook(&self, id: &str) -> Option<&Hook> {
        self.hooks.get(id)
    }

    /// An endpoint, to change its outbox.
    pub fn hook_mut(&mut self, id: &str) -> Option<&mut Hook> {
        self.hooks.get_mut(id)
    }

    /// All endpoints, by id.
    pub fn hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.values()
    }

    /// All ids.
    pub fn ids(&self) -> Vec<String> {
        self.hooks.keys().cloned().collect()
    }

    /// The outboxes as they are to be written, if they changed since they were last given out here.
    pub fn take_state(&mut self) -> Option<Vec<u8>> {
        let changed = self.hooks.values_mut().filter_map(|hook| hook.outbox.take_changed().then_some(())).count();
        if !std::mem::take(&mut self.is_stale) && changed == 0 {
            return None;
        }
        let outboxes = self.hooks.iter().map(|(id, hook)| (id.clone(), hook.outbox.clone())).collect();
        serde_json::to_vec(&Outboxes { format: FORMAT, outboxes }).ok()
    }

    /// Where they are written.
    pub fn state_file(&self) -> PathBuf {
        self.dir.join(STATE)
    }

    fn changeable(&mut self, id: &str) -> Result<&mut Hook, BookError> {
        let hook = self.hooks.get_mut(id).ok_or(BookError::Unknown)?;
        if hook.endpoint.is_configured() { Err(BookError::Configured) } else { Ok(hook) }
    }

    fn save_endpoints(&self) -> Result<(), BookError> {
        let written = |hook: &Hook| WrittenHook {
            endpoint: hook.endpoint.clone(),
            secrets: hook
                .secrets
                .iter()
                .map(|held| WrittenSecret { secret: held.secret.reveal(), until_ms: held.until_ms })
                .collect(),
        };
        let own = self.hooks.values().filter(|hook| !hook.endpoint.is_configured());
        let file = Endpoints { format: FORMAT, endpoints: own.map(written).collect() };
        let path = self.dir.join(ENDPOINTS);
        let bytes = serde_json::to_vec_pretty(&file).map_err(|error| io_at("write", &path)(error.into()))?;
        write_whole(&path, &bytes).map_err(io_at("write", &path))?;
        Ok(())
    }
}

impl Hook {
    /// The secrets that sign now, the newest first.
    pub fn secrets(&self, now_ms: u64) -> Vec<Secret> {
        let signs = |held: &&Held| held.until_ms.is_none_or(|until_ms| now_ms < until_ms);
        self.secrets.iter().filter(signs).map(|held| held.secret.clone()).collect()
    }
}

/// One or two lines of a file; a new secret in the data directory if no file is named and none is there.
fn configured_secrets(dir: &Path, configured: &Configured) -> Result<Vec<Held>, BookError> {
    let own = dir.join(format!("webhook-{}.secret", configured.name));
    let path = configured.secret_file.as_ref().unwrap_or(&own);
    let text = match read_if_there(path)? {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None if configured.secret_file.is_none() => {
            let text = Secret::generate()?.reveal();
            write_whole(path, text.as_bytes()).map_err(io_at("write", path))?;
            text
        }
        None => return Err(FilesError::Damaged { path: path.clone(), what: "it is missing".into() }.into()),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(2);
    let secrets: Result<Vec<_>, _> =
        lines.map(|line| Ok(Held { secret: Secret::parse(line)?, until_ms: None })).collect();
    let named = |error| BookError::Secret(configured.name.clone(), error);
    match secrets.map_err(named)? {
        none if none.is_empty() => Err(named(SecretError::Text)),
        some => Ok(some),
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, BookError> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let damaged = |error: serde_json::Error| FilesError::Damaged { path: path.into(), what: error.to_string() };
    Ok(Some(serde_json::from_slice(&bytes).map_err(damaged)?))
}

const FORMAT: u32 = 1;
const ENDPOINTS: &str = "webhooks.json";
const STATE: &str = "webhooks.state.json";

/// How long the secret before the newest signs too: a working day for the receiver to learn the new one.
pub const ROTATION_MS: u64 = 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(dir: &Path, settings: &Settings) -> Result<Book, BookError> {
        Book::open(dir, settings, &BTreeMap::from([("00".to_owned(), 5)]), 1_000)
    }

    #[test]
    fn endpoints_secrets_and_cursors_survive_a_restart_and_are_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = open(dir.path(), &Settings::default()).unwrap();
        let (endpoint, secret) = book.add("https://example.com/in", &["sale.*".into()], BTreeMap::new(), 7).unwrap();
        book.hook_mut(&endpoint.id).unwrap().outbox.advance("00", 3);
        let state = book.take_state().unwrap();
        assert!(book.take_state().is_none());
        write_whole(&book.state_file(), &state).unwrap();
        let again = open(dir.path(), &Settings::default()).unwrap();
        let hook = again.hook(&endpoint.id).unwrap();
        assert_eq!((&hook.endpoint, hook.secrets(0), hook.outbox.cursor("00")), (&endpoint, vec![secret], 3));
        for file in [ENDPOINTS, STATE] {
            let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn the_old_secret_signs_for_a_day_and_there_are_never_three() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = open(dir.path(), &Settings::default()).unwrap();
        let (endpoint, first) = book.add("https://example.com/in", &[], BTreeMap::new(), 0).unwrap();
        let second = book.rotate(&endpoint.id, 0).unwrap();
        let signs = |book: &Book, now_ms| book.hook(&endpoint.id).unwrap().secrets(now_ms);
        assert_eq!(signs(&book, ROTATION_MS - 1), [second.clone(), first]);
        assert_eq!(signs(&book, ROTATION_MS), std::slice::from_ref(&second));
        let third = book.rotate(&endpoint.id, 1).unwrap();
        assert_eq!(signs(&book, 2), [third, second]);
    }

    #[test]
    fn what_the_configuration_names_is_changed_there() {
        let dir = tempfile::tempdir().unwrap();
        let settings: Settings = toml::from_str("[[endpoints]]\nname = 'erp'\nurl = 'https://example.com/in'").unwrap();
        let mut book = open(dir.path(), &settings).unwrap();
        let made = book.hook("config-erp").unwrap().secrets(0);
        assert_eq!(open(dir.path(), &settings).unwrap().hook("config-erp").unwrap().secrets(0), made, "made once");
        assert!(matches!(book.remove("config-erp"), Err(BookError::Configured)));
        assert!(matches!(book.rotate("config-erp", 0), Err(BookError::Configured)));
        assert!(matches!(book.remove("wh_0"), Err(BookError::Unknown)));
        let file = dir.path().join("webhook-erp.secret");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let two = format!("{}\n{}\n", Secret::generate().unwrap().reveal(), made[0].reveal());
        std::fs::write(&file, two).unwrap();
        assert_eq!(open(dir.path(), &settings).unwrap().hook("config-erp").unwrap().secrets(0).len(), 2);
        std::fs::write(&file, "").unwrap();
        assert!(matches!(open(dir.path(), &settings), Err(BookError::Secret(..))));
    }

    #[test]
    fn what_cannot_be_is_refused_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = open(dir.path(), &Settings::default()).unwrap();
        assert!(matches!(book.add("https://10.0.0.1/", &[], BTreeMap::new(), 0), Err(BookError::Url(_))));
        assert!(matches!(
            book.add("https://example.com/", &["x".into()], BTreeMap::new(), 0),
            Err(BookError::Events(_))
        ));
        for _ in 0..ENDPOINTS_MAX {
            book.add("https://example.com/", &[], BTreeMap::new(), 0).unwrap();
        }
        assert!(matches!(book.add("https://example.com/", &[], BTreeMap::new(), 0), Err(BookError::Full)));
        assert_eq!(open(dir.path(), &Settings::default()).unwrap().hooks().count(), ENDPOINTS_MAX);
    }

    #[test]
    fn a_damaged_state_begins_anew_and_damaged_endpoints_are_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let mut book = open(dir.path(), &Settings::default()).unwrap();
        let (endpoint, _) = book.add("https://example.com/in", &[], BTreeMap::new(), 0).unwrap();
        std::fs::write(dir.path().join(STATE), "{").unwrap();
        assert_eq!(open(dir.path(), &Settings::default()).unwrap().hook(&endpoint.id).unwrap().outbox.cursor("00"), 5);
        std::fs::write(dir.path().join(ENDPOINTS), "{").unwrap();
        assert!(matches!(open(dir.path(), &Settings::default()), Err(BookError::Files(_))));
    }
}
