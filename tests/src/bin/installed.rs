//! Tries a node as its package installed it: what the unit starts, as the unit's user, under a stand-in for systemd. `.ci/package` calls it.
//!
//! A hub runs just long enough to let a store in, whose node is made in the unit's state directory. Then: READY=1, a sale, beats of the watchdog;
//! the power is cut (SIGKILL), and with no line to the hub the time to the next sale is taken; a stop.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use stockroom_tests::service_manager::{NotifySocket, Unit};

fn main() -> ExitCode {
    let unit = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(UNIT), PathBuf::from);
    match try_unit(&unit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("installed: {what}");
            ExitCode::FAILURE
        }
    }
}

/// The service as its unit describes it.
struct Service {
    words: Vec<String>,
    folder: PathBuf,
    uid: u32,
    gid: u32,
}

/// A process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn try_unit(path: &Path) -> Result<(), String> {
    let unit = Unit::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    same(unit.service("Type")?, "notify")?;
    same(unit.value("Install", "WantedBy").unwrap_or_default(), "multi-user.target")?;
    let after = unit.value("Unit", "After").unwrap_or_default();
    if after.contains("network-online") {
        return Err("the unit waits for a network that a shop may not have".into());
    }
    let service = Service::of(&unit)?;
    let folder = tempfile::Builder::new().permissions(mode(0o711)).tempdir().map_err(words)?;
    let mut socket = NotifySocket::bind(folder.path()).map_err(words)?;
    service.join(folder.path())?;

    let first = service.start(&mut socket, "first start", 1)?;
    let begun = Instant::now();
    let beats = socket.await_said("WATCHDOG=1", BEATS, begun, WATCHDOG * BEATS as u32)?;
    let span_s = begun.elapsed().as_secs_f64();
    println!("{} beats of the watchdog in {span_s:.1} s, STATUS={}", beats.len(), socket.status().unwrap_or("-"));

    drop(first);
    let cut = Instant::now();
    socket.listen_for(WATCHDOG).map_err(words)?;
    if !socket.said("WATCHDOG=1", cut + Duration::from_millis(100)).is_empty() {
        return Err("a process that was killed still beats".into());
    }
    let mut again = service.start(&mut socket, "after a cut of the power", 2)?;

    let asked = Instant::now();
    let done = Command::new("kill").args(["-TERM", &again.0.id().to_string()]).status().map_err(words)?;
    if !done.success() {
        return Err("SIGTERM could not be sent".into());
    }
    socket.await_said("STOPPING=1", 1, asked, STOP_MAX)?;
    let status = again.0.wait().map_err(words)?;
    println!("stopped in {:.1} s after SIGTERM: {status}", asked.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}

impl Service {
    fn of(unit: &Unit) -> Result<Self, String> {
        let words = unit.service("ExecStart")?.split_whitespace().map(str::to_owned).collect();
        let user = unit.service("User")?;
        let users = std::fs::read_to_string("/etc/passwd").map_err(|error| error.to_string())?;
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == user);
        let fields = fields.ok_or_else(|| format!("there is no user {user}"))?;
        let number = |at: usize| fields.get(at).and_then(|text| text.parse().ok()).ok_or("a user has numbers");
        let folder = Path::new("/var/lib").join(unit.service("StateDirectory")?);
        Ok(Self { words, folder, uid: number(2)?, gid: number(3)? })
    }

    /// A command as the unit's user, with nothing of ours around it.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(&self.folder).stdin(Stdio::null());
        command.uid(self.uid).gid(self.gid);
        command
    }

    /// Makes the node of a store in the unit's state directory, with a hub that is gone afterwards.
    fn join(&self, folder: &Path) -> Result<(), String> {
        let program = &self.words[0];
        let (data, root) = (folder.join("hub"), folder.join("root.key"));
        let mut init = Command::new(program);
        done(init.args(["init", "--tenant", "Installed", "--root-key"]).arg(&root).arg("--data").arg(&data))?;
        let mut run = Command::new(program);
        run.args(["run", "--api", "127.0.0.1:0", "--listen", HUB_LINKS, "--enrol-listen", HUB_DOOR, "--mdns", "false"]);
        let _hub = Running(run.args(["--log", "warn", "--data"]).arg(&data).spawn().map_err(words)?);
        let begun = Instant::now();
        let token = loop {
            match done(Command::new(program).args(["token", "--store", "1", "--data"]).arg(&data)) {
                Ok(token) => break token,
                Err(error) if begun.elapsed() > READY_MAX => return Err(error),
                Err(_) => std::thread::park_timeout(Duration::from_millis(100)),
            }
        };
        let mut join = self.command();
        join.args(["join", token.trim(), "--hub", HUB_DOOR, "--data"]).arg(&self.folder);
        done(&mut join).map(|_| ())
    }

    /// Starts it, waits until it says that it is ready, and sells.
    fn start(&self, socket: &mut NotifySocket, what: &str, sale: u64) -> Result<Running, String> {
        let begun = Instant::now();
        let mut run = self.command();
        run.args(&self.words[1..]).env("NOTIFY_SOCKET", socket.path());
        run.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        let mut running = Running(run.spawn().map_err(words)?);
        while let Err(error) = socket.await_said("READY=1", 1, begun, Duration::from_secs(1)) {
            if let Some(status) = running.0.try_wait().map_err(words)? {
                return Err(format!("{what}: it ended with {status}"));
            }
            if begun.elapsed() > READY_MAX {
                return Err(error);
            }
        }
        let ready_s = begun.elapsed().as_secs_f64();
        let body = json!({
            "till": 1, "till_seq": sale, "currency": "EUR",
            "lines": [{ "sku": "milk", "quantity": 1, "unit_price": 129 }],
            "tenders": [{ "kind": "cash", "amount": 129 }],
        });
        let sold = ureq::post("http://127.0.0.1:7400/v1/sales").send_json(&body).map_err(words)?;
        same(&sold.status().as_u16().to_string(), "201")?;
        let took = begun.elapsed();
        println!("{what}: ready after {ready_s:.2} s, a sale is acknowledged after {:.2} s", took.as_secs_f64());
        if took < READY_MAX { Ok(running) } else { Err(format!("{what} took {took:?}")) }
    }
}

/// Runs a command to its end; gives what it printed.
fn done(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(words)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{command:?}: {}", text(&output.stderr)))
    }
}

fn same(seen: &str, wanted: &str) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{seen:?} is not {wanted:?}")) }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn mode(bits: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(bits)
}

/// Where Debian's packages put units.
const UNIT: &str = "/usr/lib/systemd/system/stockroom.service";

/// Short, so that a test sees several beats.
const WATCHDOG: Duration = Duration::from_secs(2);

const BEATS: usize = 4;

/// Ports that a node does not take by itself: the unit's has those.
const HUB_LINKS: &str = "127.0.0.1:17401";

/// Where the hub lets stores in.
const HUB_DOOR: &str = "127.0.0.1:17402";

/// From power to the first sale.
const READY_MAX: Duration = Duration::from_secs(60);

/// As the unit has it.
const STOP_MAX: Duration = Duration::from_secs(30);
