//! The rule about promising that a new chain begins with. `init` has no database yet, so it leaves the rule in a file, where a
//! person may change it; the hub writes it down when it starts first, and removes the file.

use std::path::PathBuf;

use stockroom_core::input::{Command, RetryKey};
use stockroom_crdt::ids::Digest;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};

use crate::api::policies::PolicyBody;
use crate::files::{self, DataDir, FilesError, io_at, read_if_there, write_whole};
use crate::handle::Handle;

/// For everything: rights where they are worth the most, one promise of a hundred at risk, a few soft ones.
pub fn first_rule() -> PolicyRule {
    PolicyRule { soft_ppm: 10_000, overbooking_ppm: 50_000, ..PolicyRule::of(Target::All, Allocation::Littlewood) }
}

/// Leaves the rule for the first start.
pub fn leave(dir: &DataDir) -> Result<(), FilesError> {
    let path = path(dir);
    let mut text = serde_json::to_vec_pretty(&PolicyBody::of(&first_rule())).unwrap_or_default();
    text.push(b'\n');
    write_whole(&path, &text).map_err(io_at("write", &path))
}

/// Writes a rule that was left down, once. A node that starts sells whatever becomes of it.
pub async fn take(dir: &DataDir, handle: &Handle) {
    let path = path(dir);
    let bytes = match read_if_there(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return,
        Err(error) => return tracing::error!(%error, "the first rule about promising cannot be read"),
    };
    let rule = serde_json::from_slice::<PolicyBody>(&bytes).map_err(|error| error.to_string());
    let rule = match rule.and_then(|body| body.rule().map_err(|problem| problem.said().to_owned())) {
        Ok(rule) => rule,
        Err(why) => return tracing::error!(file = %path.display(), why, "the first rule about promising has no sense"),
    };
    // The same file after a crash in between is the same request.
    let key = Digest::of(&[b"first policy", &bytes]);
    match handle.ask(Command::PolicyRule(RetryKey { key, body: key }, rule)).await {
        Ok(Ok(_)) => match files::remove(&path) {
            Ok(()) => tracing::info!("the first rule about promising is written"),
            Err(error) => tracing::warn!(%error, "the file of the first rule stays"),
        },
        Ok(Err(refusal)) => tracing::error!(%refusal, "the first rule about promising was refused"),
        Err(error) => tracing::error!(%error, "the first rule about promising was not written"),
    }
}

fn path(dir: &DataDir) -> PathBuf {
    dir.file("first-policy.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_that_is_left_is_the_rule_that_is_taken() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path(), None);
        leave(&dir).unwrap();
        let body: PolicyBody = serde_json::from_slice(&std::fs::read(path(&dir)).unwrap()).unwrap();
        assert_eq!(body.rule().unwrap(), first_rule());
    }
}
