//! `run --serve`: a run that somebody watches in a browser, at a pace of their own, and whose links they cut.
//!
//! This is the edge of the pure simulator: sockets, threads and the clock are here. The run itself plays on the caller's thread.

mod desk;
mod frame;
mod http;
mod pace;
mod page;
mod picture;
mod story;
mod words;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use stockroom_sim::checks::{self, Scene};
use stockroom_sim::hand::{HandAct, HandDeed};
use stockroom_sim::observe::Observation;
use stockroom_sim::outcome::Outcome;
use stockroom_sim::plan::Plan;
use stockroom_sim::report;
use stockroom_sim::run::{Until, run_beside};

use super::Failure;
use super::acts::Acts;
use desk::{Denied, Desk, Guest, Wish};
use frame::Frame;
use http::{Reply, Request, TEXT};
use pace::Speed;
use page::{Title, page};
use words::Tongue;

/// What to play, and what to keep of it.
pub struct Show<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// How far.
    pub until: Until,
    /// Where to listen.
    pub address: SocketAddr,
    /// The arguments that name the world, without its acts.
    pub again: String,
    /// Where acts are kept.
    pub acts_to: Option<&'a Path>,
}

/// Plays a plan while it is watched. `ended` is told of the outcome at once; then the page stays until somebody closes it.
///
/// # Errors
/// The address is none of this machine alone, or it is taken; acts could not be kept.
pub fn show(
    show: &Show<'_>,
    watch: &mut dyn FnMut(&Observation, &Scene<'_>),
    ended: &mut dyn FnMut(&Outcome) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    if !show.address.ip().is_loopback() {
        return Err(format!(
            "{}: only loopback addresses are served; anybody could act on the run otherwise",
            show.address
        ));
    }
    let taken = |error: io::Error| format!("{}: {error}", show.address);
    let listener = TcpListener::bind(show.address).map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    out!("live    http://{address}/ (it begins when somebody presses Play there; Ctrl-C ends it)");
    let desk = Desk::default();
    let house = House { desk: &desk, show, checks: checks::all().iter().map(|c| (c.name(), c.meaning())).collect() };
    thread::scope(|scope| {
        // Whatever becomes of the run, the door is closed, or this scope would never end.
        let door = Door { desk: &desk, address };
        scope.spawn(|| http::serve(&listener, &|| desk.look().closed, &|request| house.answer(request)));
        let outcome = house.play(watch)?;
        ended(&outcome)?;
        desk.wait_for_close();
        drop(door);
        Ok(outcome)
    })
}

struct Door<'a> {
    desk: &'a Desk,
    address: SocketAddr,
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        let _ = self.desk.wish(Wish::Close);
        http::wake(self.address);
    }
}

/// Everything that requests are answered from.
struct House<'a> {
    desk: &'a Desk,
    show: &'a Show<'a>,
    checks: Vec<(&'static str, &'static str)>,
}

impl<'a> House<'a> {
    fn play(&self, watch: &mut dyn FnMut(&Observation, &Scene<'_>)) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let mut trouble = None;
        let mut keep = |acts: &[HandAct]| {
            if let Err(error) = self.keep(acts, None) {
                trouble.get_or_insert(error);
            }
        };
        let mut guest = Guest::new(self.desk, &mut keep, watch);
        let mut outcome = run_beside(self.show.plan, self.show.until, &mut guest);
        drop(guest);
        outcome.wall_s = begun.elapsed().as_secs_f64();
        outcome.speedup = outcome.simulated_s / outcome.wall_s.max(f64::MIN_POSITIVE);
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        self.keep(&outcome.by_hand, Some(&outcome.trace_hash))?;
        self.desk.end(outcome.clone(), report::linked(&outcome, "/style.css"));
        Ok(outcome)
    }

    fn keep(&self, acts: &[HandAct], trace_hash: Option<&str>) -> Result<(), Failure> {
        self.show.acts_to.map_or(Ok(()), |path| self.acts(acts, trace_hash).write(path))
    }

    fn acts(&self, acts: &[HandAct], trace_hash: Option<&str>) -> Acts {
        Acts { world: self.show.again.clone(), acts: acts.to_vec(), trace_hash: trace_hash.map(str::to_owned) }
    }

    fn answer(&self, request: &Request) -> Reply<'a> {
        let tongue = Tongue::of(&request.query, &request.languages);
        let text = |kind, text: &str| Reply::Whole(200, kind, text.as_bytes().to_vec());
        match (request.path.as_str(), &request.body) {
            ("/", None) => {
                let plan = self.show.plan;
                let again = &self.show.again;
                let title = Title { scenario: plan.scenario, seed: plan.seed, again, checks: &self.checks };
                text(HTML, &page(&title, tongue))
            }
            ("/style.css", None) => text(CSS, report::STYLE),
            ("/live.css", None) => text(CSS, include_str!("live/live.css")),
            ("/live.js", None) => text("text/javascript; charset=utf-8", include_str!("live/live.js")),
            ("/acts.json", None) => {
                let sides = self.desk.look();
                let hash = sides.end.as_ref().map(|(outcome, _)| outcome.trace_hash.as_str());
                let done = match (&sides.end, &sides.picture) {
                    (Some((outcome, _)), _) => &outcome.by_hand[..],
                    (None, Some(picture)) => &picture.acts,
                    (None, None) => &[],
                };
                text("application/json", &self.acts(done, hash).text())
            }
            ("/report", None) => match &self.desk.look().end {
                Some((_, page)) => text(HTML, page),
                None => missing(),
            },
            ("/events", None) => {
                let desk = self.desk;
                Reply::Events(Box::new(move |to| events(desk, tongue, to)))
            }
            ("/act", Some(body)) => match Asked::read(body).map(|wish| self.desk.wish(wish)) {
                Some(Ok(())) => Reply::Whole(204, TEXT, Vec::new()),
                Some(Err(denied)) => Reply::Whole(409, TEXT, tongue.say(denied.tag()).as_bytes().to_vec()),
                None => Reply::Whole(400, TEXT, tongue.say("unreadable").as_bytes().to_vec()),
            },
            _ => missing(),
        }
    }
}

fn missing<'a>() -> Reply<'a> {
    Reply::Whole(404, TEXT, b"there is nothing here\n".to_vec())
}

/// Sends what can be seen, until the page or the program goes away.
fn events(desk: &Desk, tongue: Tongue, to: &mut dyn Write) -> io::Result<()> {
    let (mut last, mut version) = (0, None);
    loop {
        let (frame, closed) = {
            let sides = desk.look();
            let news = version != Some(sides.version);
            version = Some(sides.version);
            (news.then(|| Frame::of(&sides, tongue, last)).flatten(), sides.closed)
        };
        match frame {
            Some(frame) => {
                last = frame.last(last);
                write!(to, "data: {}\n\n", serde_json::to_string(&frame)?)?;
            }
            None => to.write_all(b": still here\n\n")?,
        }
        to.flush()?;
        if closed || !desk.wait(version.unwrap_or_default(), PULSE) {
            to.write_all(b"event: closed\ndata: {}\n\n")?;
            return to.flush();
        }
    }
}

/// What a page asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    speed: String,
    #[serde(default)]
    a: u32,
    #[serde(default)]
    b: u32,
}

impl Asked {
    /// Nodes are asked for by id; the desk knows what the plan calls them.
    fn read(body: &[u8]) -> Option<Wish> {
        let asked: Self = serde_json::from_slice(body).ok()?;
        Some(match asked.what.as_str() {
            "play" => Wish::Play,
            "pause" => Wish::Pause,
            "event" => Wish::Event,
            "minute" => Wish::Minute,
            "close" => Wish::Close,
            "speed" if asked.speed == "most" => Wish::Speed(Speed::Most),
            "speed" => Wish::Speed(Speed::Times(asked.speed.parse().ok().filter(|times| SPEEDS.contains(times))?)),
            "cut" => Wish::Hand(HandDeed::Cut, (asked.a, asked.b)),
            "heal" => Wish::Hand(HandDeed::Heal, (asked.a, asked.b)),
            _ => return None,
        })
    }
}

impl Denied {
    fn tag(self) -> &'static str {
        match self {
            Self::NotNow => "not-now",
            Self::Healed => "no-cut-now",
            Self::NoLink => "no-link",
            Self::Busy => "busy",
        }
    }
}

/// Simulated seconds per second that can be asked for.
const SPEEDS: std::ops::RangeInclusive<u32> = 1..=100_000;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// How often somebody who sees nothing new is told that the program is still there.
const PULSE: Duration = Duration::from_secs(10);
