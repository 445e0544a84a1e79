//! The live view as a browser has it: a run is watched, paused, stepped, cut and healed over HTTP, and played again from its acts.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test of a program starts it, and talks to it over a socket"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const WORLD: &str = "calm --seed 7 --small";

/// A watched run, ended with the test.
struct Watched {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Watched {
    fn start(arguments: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_stockroom-sim"))
            .args(format!("run {WORLD} --serve {arguments}").split_whitespace())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let mut output = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        while !line.starts_with("live ") {
            line.clear();
            assert_ne!(output.read_line(&mut line).expect("it writes"), 0, "it ended without an address");
        }
        let rest = line.split_once("http://").expect("the address is a URL").1;
        let address = rest.split('/').next().expect("up to the path").to_owned();
        Self { process, output, address }
    }

    fn raw(&self, request: &str) -> String {
        let mut stream = connect(&self.address);
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        answer
    }

    fn get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }

    fn ask(&self, what: &Value) -> String {
        let body = what.to_string();
        let head = format!("Host: {}\r\nStockroom-Page: 1\r\nContent-Length: {}", self.address, body.len());
        let answer = self.raw(&format!("POST /act HTTP/1.1\r\n{head}\r\n\r\n{body}"));
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn granted(&self, what: &Value) {
        assert_eq!(self.ask(what), "HTTP/1.1 204 No Content", "{what}");
    }

    fn events(&self) -> Events {
        let mut stream = connect(&self.address);
        let request = format!("GET /events?lang=en HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("it listens");
        Events { stream: BufReader::new(stream), lines: Vec::new() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out that is not zero");
    stream
}

/// A page's stream of events.
struct Events {
    stream: BufReader<TcpStream>,
    /// Everything that was told so far.
    lines: Vec<String>,
}

impl Events {
    /// The first frame of which something is true.
    fn until(&mut self, what: &str, mut is: impl FnMut(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        let mut line = String::new();
        while Instant::now() < end {
            line.clear();
            assert_ne!(self.stream.read_line(&mut line).expect("it sends"), 0, "the stream ended before {what}");
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let frame: Value = serde_json::from_str(data).expect("frames are JSON");
            let told = frame["lines"].as_array().into_iter().flatten();
            self.lines.extend(told.filter_map(|line| Some(line["words"].as_str()?.to_owned())));
            if is(&frame) {
                return frame;
            }
        }
        panic!("it never came to this: {what}; told so far: {:?}", self.lines);
    }
}

fn node<'a>(frame: &'a Value, name: &str) -> &'a Value {
    let nodes = frame["nodes"].as_array().expect("a list");
    nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("no {name} in {frame}"))
}

fn seconds(frame: &Value) -> u64 {
    let clock = frame["clock"].as_str().expect("words");
    clock.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().expect("digits"))
}

fn is_paused(frame: &Value) -> bool {
    frame["going"] == "Paused."
}

#[test]
fn a_link_cut_by_hand_makes_a_backlog_and_the_same_acts_make_the_same_run() {
    let file = fresh("acts.json");
    let mut watched = Watched::start(&format!("--acts-to {}", file.display()));
    let mut events = watched.events();
    let first = events.until("the beginning", is_paused);
    assert_eq!((&first["clock"], &first["playing"]), (&"0:00:00".into(), &false.into()), "it waits for somebody");
    let link = &first["links"][0];
    assert_eq!((&link["state"], &link["act"]), (&"connected".into(), &"cut".into()), "{link}");
    let (a, b) = (link["a"].as_u64().expect("a node"), link["b"].as_u64().expect("a node"));
    assert_eq!(link["name"], "store 1 to hub");

    watched.granted(&json!({ "do": "event" }));
    events
        .until("one thing told", |frame| is_paused(frame) && frame["lines"].as_array().is_some_and(|l| !l.is_empty()));
    watched.granted(&json!({ "do": "minute" }));
    let minute = events.until("a minute later", |frame| is_paused(frame) && seconds(frame) > 50);
    assert!(seconds(&minute) < 200, "and no more than that: {}", minute["clock"]);

    watched.granted(&json!({ "do": "cut", "a": a, "b": b }));
    let cut = events.until("a cut link", |frame| frame["links"][0]["state"] == "cut by hand");
    assert_eq!(cut["links"][0]["act"], "heal");
    assert_eq!(cut["acts"].as_array().map(Vec::len), Some(1), "{}", cut["acts"]);
    assert!(std::fs::read_to_string(&file).expect("an act is kept at once").contains("\"cut\""));
    watched.granted(&json!({ "do": "speed", "speed": "300" }));
    watched.granted(&json!({ "do": "play" }));
    let behind = events.until("a backlog of minutes", |frame| {
        node(frame, "store 1")["backlog"].as_str().is_some_and(|words| words.contains(" min"))
    });
    assert_eq!(node(&behind, "store 1")["tone"], "doubtful", "late is seen");
    assert_ne!(node(&behind, "hub")["lacks"], "nothing", "and the hub lacks what the store wrote");
    watched.granted(&json!({ "do": "pause" }));
    events.until("a pause", is_paused);
    watched.granted(&json!({ "do": "heal", "a": a, "b": b }));
    events.until("a healed link", |frame| frame["links"][0]["state"] != "cut by hand");
    watched.granted(&json!({ "do": "play" }));
    events.until("nothing left behind", |frame| {
        frame["links"][0]["state"] == "connected" && node(frame, "store 1")["backlog"] == "nothing"
    });
    watched.granted(&json!({ "do": "speed", "speed": "most" }));
    let over = events.until("the end", |frame| frame["over"] == true);
    assert_eq!((&over["tone"], &over["holds"]), (&"good".into(), &true.into()), "{}", over["phase"]);
    assert_eq!(
        over["nodes"].as_array().into_iter().flatten().find(|node| node["lacks"] != "nothing"),
        None,
        "together"
    );
    assert!(events.lines.iter().any(|line| line.contains("H1 cut by hand")), "the trace tells of the cut");
    assert_eq!(watched.ask(&json!({ "do": "cut", "a": a, "b": b })), "HTTP/1.1 409 Conflict", "it is over");
    let report = watched.get("/report");
    assert!(report.contains("H1 cut by hand") && !report.contains("<style"), "the report has nothing inline");

    watched.granted(&json!({ "do": "close" }));
    let mut printed = String::new();
    watched.output.read_to_string(&mut printed).expect("it ends");
    assert!(watched.process.wait().expect("it ends").success(), "{printed}");
    assert!(printed.contains("cut: hub to store 1") && printed.contains("healed: hub to store 1"), "{printed}");

    let again = sim(&format!("run {WORLD} --acts {} --json -", file.display()));
    let again: Value = serde_json::from_str(&again).expect("standard output is the JSON");
    assert!(over["hashes"].as_str().is_some_and(|words| words.contains(again["trace_hash"].as_str().expect("words"))));
    assert_eq!(again["by_hand"].as_array().map(Vec::len), Some(2));
    let words = sim(&format!("run {WORLD} --acts {}", file.display()));
    assert!(words.contains("the same run as the one in which they were done"), "{words}");
    let without: Value = serde_json::from_str(&sim(&format!("run {WORLD} --json -"))).expect("JSON");
    assert_ne!(without["trace_hash"], again["trace_hash"], "a cut is part of the run");
}

#[test]
fn strangers_are_refused_and_nothing_is_inline() {
    let watched = Watched::start("127.0.0.1:0");
    let page = watched.get("/?lang=zh-CN");
    assert!(page.contains("<html lang=\"zh-CN\">") && page.contains("播放"), "{page}");
    assert!(page.contains("default-src 'none'; script-src 'self'; style-src 'self'"), "{page}");
    let body = page.split_once("\r\n\r\n").expect("a body").1;
    assert!(!body.contains("<style") && !body.contains("style=") && !body.contains(" onclick"), "{body}");
    assert_eq!(body.matches("<script").count(), body.matches("<script src=\"/live.js\"").count());
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".to_owned(), "403"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "403"),
        (format!("POST /act HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", watched.address), "403"),
        (format!("GET / HTTP/1.1\r\nHost: {}\r\nA: {}\r\n\r\n", watched.address, "b".repeat(9_000)), "413"),
        (format!("GET /report HTTP/1.1\r\nHost: {}\r\n\r\n", watched.address), "404"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = watched.raw(&request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {answer:.200}");
    }
    for unknown in [json!({ "do": "explode" }), json!({ "do": "speed", "speed": "0" }), json!({ "do": "play", "c": 1 })]
    {
        assert_eq!(watched.ask(&unknown), "HTTP/1.1 400 Bad Request", "{unknown}");
    }
}

#[test]
fn only_this_machine_is_served_and_acts_of_another_world_are_refused() {
    let refused = |arguments: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_stockroom-sim")).args(arguments.split_whitespace()).output();
        let output = output.expect("the binary was built");
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&format!("run {WORLD} --serve 0.0.0.0:0")).contains("only loopback addresses"));
    let file = fresh("stray.json");
    let act = json!({ "at_ms": 5, "deed": "cut", "between": [{ "store": 1 }, { "hub": 1 }] });
    std::fs::write(&file, json!({ "world": "calm --seed 8 --small", "acts": [act] }).to_string()).expect("a file");
    assert!(refused(&format!("run {WORLD} --acts {}", file.display())).contains("another world: calm --seed 8"));
    let act = json!({ "at_ms": 5, "deed": "cut", "between": [{ "store": 99 }, { "hub": 1 }] });
    std::fs::write(&file, json!({ "world": WORLD, "acts": [act] }).to_string()).expect("a file");
    assert!(refused(&format!("run {WORLD} --acts {}", file.display())).contains("no place for"));
}

fn sim(arguments: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stockroom-sim")).args(arguments.split_whitespace()).output();
    let output = output.expect("the binary was built");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("words")
}

fn fresh(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("live");
    std::fs::create_dir_all(&folder).expect("a folder of our own");
    let path = folder.join(name);
    let _ = std::fs::remove_file(&path);
    path
}

/// What a slow machine may take for anything that is waited for here.
const PATIENCE: Duration = Duration::from_secs(240);
