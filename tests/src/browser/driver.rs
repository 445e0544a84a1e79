//! One chromedriver for all browsers of a test binary, which ends with the last of them, and with this process whatever ends that.
//!
//! At most [`AT_ONCE`] tests have browsers open at a time: others wait for their turn. A test that has one gets a second at once, since two tests
//! that wait for each other's seat would wait for ever.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::ThreadId;

/// A place for one browser.
#[derive(Debug)]
pub struct Seat {
    test: ThreadId,
    driver: Arc<Driver>,
    /// The browser's program.
    pub browser: PathBuf,
}

#[derive(Debug)]
struct Driver {
    child: Child,
    port: u16,
    // Held, since a driver that cannot write ends.
    _out: BufReader<ChildStdout>,
}

struct Desk {
    /// The test of each browser that is open. A test has a thread of its own.
    taken: Vec<ThreadId>,
    driver: Weak<Driver>,
}

impl Seat {
    /// Waits for a free place, and starts the driver if none runs. `None` where there is no browser: what needs one is skipped loudly, or
    /// fails if nothing may be skipped.
    pub fn take() -> Option<Self> {
        let found = (program(BROWSER), program(DRIVER));
        let (Some(browser), Some(driver)) = found else {
            let words = format!("no {BROWSER} or no {DRIVER} on the path: pages were NOT tested in a browser");
            assert!(env::var_os("STOCKROOM_MANDATORY").is_none(), "{words}, and STOCKROOM_MANDATORY is set");
            // Past the test runner, which keeps to itself what passing tests print.
            let _ = writeln!(
                std::io::stderr(),
                "\n##########\n# SKIPPED: {words}.\n# On Debian: apt-get install chromium chromium-driver\n##########\n"
            );
            return None;
        };
        let mut desk = desk();
        let test = std::thread::current().id();
        while desk.is_full_for(test) {
            desk = FREED.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
        let driver = desk.driver.upgrade().unwrap_or_else(|| Arc::new(Driver::start(&driver)));
        desk.driver = Arc::downgrade(&driver);
        desk.taken.push(test);
        Some(Self { test, driver, browser })
    }

    /// Where the driver listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.driver.port)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut desk = desk();
        if let Some(at) = desk.taken.iter().position(|test| *test == self.test) {
            desk.taken.swap_remove(at);
        }
        FREED.notify_all();
    }
}

impl Desk {
    fn is_full_for(&self, test: ThreadId) -> bool {
        let mut tests: Vec<ThreadId> = Vec::new();
        for &taken in &self.taken {
            if !tests.contains(&taken) {
                tests.push(taken);
            }
        }
        tests.len() >= AT_ONCE && !tests.contains(&test)
    }
}

impl Driver {
    /// The shell between reads from a pipe that only this process holds: its end is the driver's end, and that of its browsers.
    fn start(program: &std::path::Path) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$0\" --port=0 & read -r _; kill -TERM $! && wait $!; kill -KILL 0"]).arg(program);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = shell.spawn().expect("there is a shell");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut said = String::new();
        let port = loop {
            let before = said.len();
            let read = out.read_line(&mut said).expect("the driver writes lines");
            assert!(read > 0, "{DRIVER} ended: {said}");
            if let Some((_, port)) = said[before..].split_once("successfully on port ") {
                break port.trim().trim_end_matches('.').parse().expect("a port");
            }
        };
        Self { child, port, _out: out }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Ended by its own signal.
        let _ = self.child.wait();
    }
}

fn desk() -> MutexGuard<'static, Desk> {
    // Nothing is left half done by a test that fails: the list is put right when its seat is dropped.
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

static DESK: Mutex<Desk> = Mutex::new(Desk { taken: Vec::new(), driver: Weak::new() });

static FREED: Condvar = Condvar::new();

const BROWSER: &str = "chromium";

const DRIVER: &str = "chromedriver";

/// Each has some hundred megabytes and half a processor.
const AT_ONCE: usize = 2;
