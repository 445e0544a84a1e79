//! The desk between a run and those who watch it: what they want lies on one side, what they may see on the other.
//!
//! The run's thread sits in [`Company::turn`] while it stands still. Everything is bounded: a run never waits for a watcher that
//! reads slowly, who then misses lines and is told how many.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stockroom_sim::checks::Scene;
use stockroom_sim::explain::Names;
use stockroom_sim::hand::{Company, HandAct, HandDeed, Turn};
use stockroom_sim::observe::Observation;
use stockroom_sim::outcome::Outcome;
use stockroom_sim::plan::Who;

use super::super::acts::ACTS_MAX;
use super::pace::{Going, Now, Pace, Speed};
use super::picture::Picture;
use super::story::{Line, tell};

/// What both sides share.
pub struct Desk {
    sides: Mutex<Sides>,
    moved: Condvar,
}

/// What lies on a desk.
pub struct Sides {
    /// How the run goes on.
    pub pace: Pace,
    /// What somebody wants done.
    wanted: Vec<(HandDeed, (Who, Who))>,
    /// What it looked like last.
    pub picture: Option<Picture>,
    /// What happened last.
    pub lines: VecDeque<Line>,
    /// How many lines there were.
    pub told: u64,
    /// What came of it, and the page about it.
    pub end: Option<(Outcome, String)>,
    /// Grows with everything that can be seen.
    pub version: u64,
    /// Nobody watches any more.
    pub closed: bool,
}

/// What somebody who watches can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Goes on.
    Play,
    /// Stands still.
    Pause,
    /// Goes on to the next thing that is told.
    Event,
    /// Goes on for a simulated minute.
    Minute,
    /// Is as fast as this.
    Speed(Speed),
    /// Something is done to the link between two nodes, by their ids.
    Hand(HandDeed, (u32, u32)),
    /// Everybody goes.
    Close,
}

/// Why a wish is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The run is over, or has not begun.
    NotNow,
    /// The faults stopped: the fleet must come together undisturbed.
    Healed,
    /// There is no such link.
    NoLink,
    /// Too many at once.
    Busy,
}

impl Default for Desk {
    fn default() -> Self {
        let sides = Sides {
            pace: Pace::paused(),
            wanted: Vec::new(),
            picture: None,
            lines: VecDeque::new(),
            told: 0,
            end: None,
            version: 0,
            closed: false,
        };
        Self { sides: Mutex::new(sides), moved: Condvar::new() }
    }
}

impl Desk {
    /// Everything on it.
    pub fn look(&self) -> MutexGuard<'_, Sides> {
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants something.
    pub fn wish(&self, wish: Wish) -> Result<(), Denied> {
        let mut sides = self.look();
        if wish == Wish::Close {
            sides.closed = true;
        } else {
            sides.want(wish)?;
        }
        self.changed(&mut sides);
        Ok(())
    }

    /// Waits until something new can be seen, or for a while. False when it is closed.
    pub fn wait(&self, version: u64, at_most: Duration) -> bool {
        let unchanged = |sides: &mut Sides| sides.version == version && !sides.closed;
        let waited = self.moved.wait_timeout_while(self.look(), at_most, unchanged);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    /// Waits until somebody closes it.
    pub fn wait_for_close(&self) {
        drop(self.moved.wait_while(self.look(), |sides| !sides.closed));
    }

    /// The run is over.
    pub fn end(&self, outcome: Outcome, page: String) {
        let mut sides = self.look();
        sides.pace.go(Going::Paused);
        sides.end = Some((outcome, page));
        self.changed(&mut sides);
    }

    fn changed(&self, sides: &mut Sides) {
        sides.version += 1;
        self.moved.notify_all();
    }
}

impl Sides {
    fn want(&mut self, wish: Wish) -> Result<(), Denied> {
        let now = self.picture.as_ref().filter(|_| self.end.is_none()).ok_or(Denied::NotNow)?;
        match wish {
            Wish::Play => self.pace.go(Going::Playing),
            Wish::Pause | Wish::Close => self.pace.go(Going::Paused),
            Wish::Event => self.pace.go(Going::Story(self.told)),
            Wish::Minute => self.pace.go(Going::Moment(now.now_ms + MINUTE_MS)),
            Wish::Speed(speed) => self.pace.run_at(speed),
            Wish::Hand(..) if now.healed => return Err(Denied::Healed),
            Wish::Hand(..) if self.wanted.len() >= WANTED_MAX || now.acts.len() >= ACTS_MAX => {
                return Err(Denied::Busy);
            }
            Wish::Hand(deed, (a, b)) => {
                let between = now.link(a, b).ok_or(Denied::NoLink)?.between;
                self.wanted.push((deed, between));
            }
        }
        Ok(())
    }
}

/// The run's side of a desk.
pub struct Guest<'d> {
    desk: &'d Desk,
    names: Names,
    lines: Vec<Line>,
    told: u64,
    shown: Option<Instant>,
    /// Told of every act, so that it can be kept at once.
    keep: &'d mut dyn FnMut(&[HandAct]),
    kept: usize,
    /// Beside the desk, everything is shown here as well.
    also: &'d mut dyn FnMut(&Observation, &Scene<'_>),
}

impl<'d> Guest<'d> {
    /// Nothing was told yet.
    pub fn new(
        desk: &'d Desk,
        keep: &'d mut dyn FnMut(&[HandAct]),
        also: &'d mut dyn FnMut(&Observation, &Scene<'_>),
    ) -> Self {
        Self { desk, names: Names::default(), lines: Vec::new(), told: 0, shown: None, keep, kept: 0, also }
    }

    fn show(&mut self, sides: &mut Sides, turn: &Turn<'_>, clock: Instant) {
        self.shown = Some(clock);
        sides.told = self.told;
        sides.lines.extend(self.lines.drain(..));
        let surplus = sides.lines.len().saturating_sub(LINES_MAX);
        sides.lines.drain(..surplus);
        sides.picture = Some(Picture::take(turn));
        self.desk.changed(sides);
    }
}

impl Company for Guest<'_> {
    fn saw(&mut self, seen: &Observation, scene: &Scene<'_>) {
        (self.also)(seen, scene);
        if seen.at_ms < scene.start_ms {
            return;
        }
        if let Some(what) = tell(seen, scene, &mut self.names) {
            self.told += 1;
            let at_ms = seen.at_ms - scene.start_ms;
            let who = self.names.of(scene.world, seen.node).to_owned();
            self.lines.push(Line { number: self.told, at_ms, who, what });
            if self.lines.len() > 2 * LINES_MAX {
                self.lines.drain(..LINES_MAX);
            }
        }
    }

    fn over(&mut self, turn: &Turn<'_>) {
        let mut sides = self.desk.look();
        self.show(&mut sides, turn, Instant::now());
    }

    fn turn(&mut self, turn: &Turn<'_>) -> Vec<(HandDeed, (Who, Who))> {
        if turn.scene.now_ms < turn.scene.start_ms {
            return Vec::new();
        }
        if turn.acts.len() > self.kept {
            self.kept = turn.acts.len();
            (self.keep)(turn.acts);
        }
        let desk = self.desk;
        let mut sides = desk.look();
        let mut still = false;
        loop {
            if sides.closed {
                return Vec::new();
            }
            let clock = Instant::now();
            let wanted = std::mem::take(&mut sides.wanted);
            if !wanted.is_empty() {
                if sides.pace.going() == Going::Paused {
                    // What is done by hand is seen at once: the next millisecond is played.
                    sides.pace.go(Going::Moment(turn.scene.now_ms + 1));
                }
                return wanted;
            }
            let now = sides.pace.decide(turn.scene.now_ms, turn.next_ms, self.told, clock);
            let fresh = self.shown.is_some_and(|shown| clock.duration_since(shown) < SHOWN_EVERY);
            let stands = now == Now::Stands;
            if (stands && !still) || (!stands && !fresh) {
                self.show(&mut sides, turn, clock);
            }
            still = stands;
            sides = match now {
                Now::Goes => return Vec::new(),
                Now::Waits(left) => {
                    let (sides, _) =
                        desk.moved.wait_timeout(sides, left.min(SHOWN_EVERY)).unwrap_or_else(PoisonError::into_inner);
                    sides
                }
                Now::Stands => desk.moved.wait(sides).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// A simulated minute.
const MINUTE_MS: u64 = 60_000;

/// Acts that may wait for the run's next turn: more than a hand can click between two.
const WANTED_MAX: usize = 32;

/// Lines that a new watcher is shown.
const LINES_MAX: usize = 120;

/// How often a picture is taken: more than this nobody can follow.
const SHOWN_EVERY: Duration = Duration::from_millis(125);
