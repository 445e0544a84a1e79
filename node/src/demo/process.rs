//! The nodes as processes of this same binary, which end when the demo ends, whatever ends it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::DemoError;

/// How the binary is started.
#[derive(Clone, Debug)]
pub struct Binary(PathBuf);

/// One node: its folder, and its process while it runs.
#[derive(Debug)]
pub struct Process {
    binary: Binary,
    name: String,
    data: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    child: Option<Child>,
}

impl Binary {
    /// The one that runs now.
    pub fn own() -> Result<Self, DemoError> {
        std::env::current_exe().map(Self).map_err(DemoError::system("find this program's own file"))
    }

    /// Runs a command to its end and gives what it printed.
    pub fn ask(&self, arguments: &[&OsStr]) -> Result<String, DemoError> {
        let mut command = self.command();
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(DemoError::system("start a command of this program"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(DemoError::Command(
            arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            words,
        ))
    }

    /// The settings of whoever runs the demo are not the nodes'. A group of its own keeps a terminal's Ctrl-C from them: the
    /// demo stops them.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("STOCKROOM_")) {
            command.env_remove(name);
        }
        command.process_group(0);
        command
    }
}

impl Process {
    /// A node in `data` that is not started yet. `arguments` follow `run --data DIR`.
    pub fn new(binary: &Binary, name: &str, data: PathBuf, arguments: Vec<OsString>) -> Self {
        let log = data.with_extension("log");
        Self { binary: binary.clone(), name: name.into(), data, arguments, log, child: None }
    }

    /// Starts it. Its log goes to a file beside its folder.
    pub fn start(&mut self) -> Result<(), DemoError> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(DemoError::system("open a node's log"))?;
        let mut command = self.binary.command();
        command.args(["run", "--stop-with-stdin", "--data"]).arg(&self.data).args(&self.arguments);
        // The pipe is never written to: its end tells the node that this process is gone.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().map_err(DemoError::system("start a node"))?);
        Ok(())
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Changes an argument for the next start, e.g. from "any free port" to the one it got.
    pub fn set_argument(&mut self, name: &str, value: &str) {
        if let Some(at) = self.arguments.iter().position(|argument| argument == name) {
            self.arguments[at + 1] = value.into();
        }
    }

    /// SIGKILL: no goodbye, no last commit.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM.
    pub fn ask_to_stop(&self) {
        if let Some(child) = &self.child {
            // One that has ended already needs no signal.
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
    }

    /// Waits for the end of a node that was asked to stop, then kills it. True if it went by itself and well.
    pub fn join(&mut self, until: Instant) -> bool {
        let Some(child) = &mut self.child else { return true };
        while Instant::now() < until {
            match child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(status)) => {
                    self.child = None;
                    return status.success();
                }
                Err(_) => break,
            }
        }
        self.kill();
        false
    }

    /// An error with the end of its log if it has ended by itself.
    pub fn check(&mut self) -> Result<(), DemoError> {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        match ended {
            Some(status) => Err(DemoError::Ended(self.name.clone(), status.to_string(), tail(&self.log))),
            None => Ok(()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// UDP ports on the loopback interface that nobody has at the moment. A node needs a fixed one: others keep its address.
pub fn free_ports<const N: usize>() -> Result<[u16; N], DemoError> {
    let bind = || -> io::Result<(UdpSocket, u16)> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let port = socket.local_addr()?.port();
        Ok((socket, port))
    };
    // All are held until the last is found, so that they differ.
    let held = (0..N).map(|_| bind()).collect::<io::Result<Vec<_>>>();
    let held = held.map_err(DemoError::system("find a free port"))?;
    let mut ports = [0; N];
    ports.iter_mut().zip(&held).for_each(|(port, (_, bound))| *port = *bound);
    Ok(ports)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

const TAIL_LINES: usize = 8;
