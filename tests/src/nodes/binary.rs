//! Where the binary is, and running one command of it to its end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit status; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a command of the binary to its end.
pub fn stockroom<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Outcome {
    finish(command(path()).args(arguments))
}

/// The same, for commands that have to succeed. Gives what they printed.
pub fn must<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> String {
    let outcome = stockroom(arguments);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.out
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Outcome {
    let output = command.stdin(Stdio::null()).output().expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// A command without the settings of whoever runs the tests.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STOCKROOM_")) {
        command.env_remove(name);
    }
    command
}

/// The node's binary beside this test's or program's executable. Built if it is not there or older than the test, which cargo makes anew
/// whenever the library in the binary changed.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| beside("stockroom"))
}

/// The same for the simulator's.
pub fn simulator() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| beside("stockroom-sim"))
}

fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has an executable");
    let folder = test.parent().expect("target/PROFILE/deps/TEST, or target/PROFILE/PROGRAM");
    let profile = if folder.ends_with("deps") { folder.parent().expect("deps is in a folder") } else { folder };
    let binary = profile.join(name);
    if age(&binary) > age(&test) {
        build(name, profile);
    }
    assert!(binary.exists(), "{} was not built", binary.display());
    binary
}

fn build(binary: &str, profile: &Path) {
    let profile_name = match profile.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The whole workspace: the same features as in `cargo test --workspace`, so that no dependency is built twice.
    command.args(["build", "--quiet", "--workspace", "--bin", binary, "--profile", profile_name, "--target-dir"]);
    command.arg(profile.parent().expect("target/PROFILE")).current_dir(env!("CARGO_MANIFEST_DIR"));
    let status = command.status().expect("cargo starts");
    assert!(status.success(), "the binary cannot be built");
}

fn age(path: &Path) -> Duration {
    let changed = path.metadata().and_then(|metadata| metadata.modified()).ok();
    changed.map_or(Duration::MAX, |changed| changed.elapsed().unwrap_or(Duration::ZERO))
}

/// Asks until there is an answer, and fails with the last excuse when it takes longer than `bound`.
pub fn wait_until<T>(bound: Duration, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    loop {
        let excuse = match look() {
            Ok(seen) => return seen,
            Err(excuse) => excuse,
        };
        assert!(started.elapsed() < bound, "{what}: not within {bound:?}: {excuse}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// `Err` with a figure in words as long as it is not the wanted one.
pub fn is<T: PartialEq + std::fmt::Debug>(seen: &T, wanted: &T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{seen:?} is not {wanted:?}")) }
}
