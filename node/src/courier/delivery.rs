//! One delivery as a state machine over its attempts: time limits, the fall-back chain, what to do next. Pure: time is an argument.
//!
//! At most one attempt is wanted at a time. The next is made only when the service itself confirmed that the last one is over, or
//! could not be asked; a courier who turns up for an attempt that was given up is called off, unless he has the goods already.

mod attempt;
mod event;

use serde::{Deserialize, Serialize};

pub use attempt::{Attempt, Heard};
pub use event::{CourierEvent, Standing};

use crate::courier::job::{Amount, Job};
use crate::courier::limits::{ATTEMPTS_MAX, RETRY_PAUSE_MS};
use crate::courier::report::{Party, Reason, Report, State};

/// In which order services are asked, and how long each may take. Times in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Services by name, the first is asked first.
    pub order: Vec<String>,
    /// Attempts at each before the next is asked.
    pub attempts: u32,
    /// Somebody must have taken it after so long.
    pub accept_ms: u64,
    /// Somebody must have been there so long after the goods were ready and he was assigned.
    pub pickup_ms: u64,
    /// The store is told when the goods are so late.
    pub late_ms: u64,
}

/// A delivery and all attempts at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    job: Job,
    attempts: Vec<Attempt>,
    standing: Standing,
    /// Which of the rules' services is asked now, and how often it was.
    link: usize,
    tries: u32,
    /// When the next attempt may be made.
    next_ms: u64,
    /// It was called off, for this reason.
    wish: Option<Reason>,
    closed_ms: Option<u64>,
}

/// What is to be done about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A new attempt at the rules' service of this place in the order.
    Open(usize),
    /// Ask for a courier.
    Create,
    /// Ask whether an earlier question arrived, and ask for a courier if not.
    CreateAgain,
    /// Ask how it stands.
    Get,
    /// Call it off.
    Cancel(Reason),
    /// Tell people that the goods are late.
    TellLate,
}

/// What is due, when, and for which attempt (0 for none yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Not before.
    pub at_ms: u64,
    /// Which attempt.
    pub attempt: u32,
    /// What.
    pub act: Act,
}

/// Why a delivery cannot be called off or asked for again. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// The courier has the goods. They can come back, but not be called off.
    #[error("the goods have left the store")]
    GoodsAreOut,
    /// It is over.
    #[error("the delivery is over")]
    Over,
    /// It is still under way.
    #[error("the delivery is still under way")]
    UnderWay,
    /// Too many attempts.
    #[error("the delivery had too many attempts")]
    Attempts,
}

impl Delivery {
    /// A delivery that nobody was asked for yet.
    pub fn new(job: Job) -> Self {
        let next_ms = job.ask_ms;
        let standing = Standing::Trying;
        Self { job, attempts: Vec::new(), standing, link: 0, tries: 0, next_ms, wish: None, closed_ms: None }
    }

    /// What is to be done.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// All attempts, the first first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Whether the machine goes on by itself.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// When it was over.
    pub fn closed_ms(&self) -> Option<u64> {
        self.closed_ms
    }

    /// The attempt that counts: the one whose courier has the goods, or else the last.
    pub fn current(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.progress().goods_are_out()).or(self.attempts.last())
    }

    /// Where the delivery stands.
    pub fn state(&self) -> State {
        match self.current() {
            Some(attempt) => attempt.state(),
            None if self.closed_ms.is_some() => State::Cancelled,
            None => State::Requested,
        }
    }

    /// What is due first, over all attempts.
    pub fn need(&self, rules: &Rules) -> Option<Need> {
        let current = self.current().map(Attempt::number);
        let of_attempt = |attempt: &Attempt| {
            if Some(attempt.number()) != current {
                attempt.stray_need()
            } else if self.standing == Standing::Trying || self.wish.is_some() {
                attempt.need(&self.job, rules, self.wish)
            } else {
                attempt.watch_need(&self.job, rules)
            }
        };
        self.attempts.iter().filter_map(of_attempt).chain(self.next_attempt(rules)).min()
    }

    /// The number of the attempt that is opened at this service.
    pub fn open(&mut self, provider: &str, poll_ms: Option<u64>, now_ms: u64) -> u32 {
        let number = self.attempts.len() as u32 + 1;
        self.tries += 1;
        self.attempts.push(Attempt::new(number, provider, poll_ms, now_ms));
        number
    }

    /// The number of the attempt before this one, if the same service was asked.
    pub fn former(&self, number: u32) -> Option<u32> {
        let [.., former, this] = self.attempts.get(..number as usize)? else { return None };
        (former.provider() == this.provider()).then(|| former.number())
    }

    /// One attempt by number.
    pub fn attempt(&self, number: u32) -> Option<&Attempt> {
        self.attempts.get((number as usize).checked_sub(1)?)
    }

    /// Changes an attempt, and gives what people should know: what changed there, and what follows for the delivery.
    pub(super) fn change(
        &mut self,
        number: u32,
        rules: &Rules,
        now_ms: u64,
        change: impl FnOnce(&mut Attempt) -> Vec<Report>,
    ) -> Vec<CourierEvent> {
        let Some(attempt) = (number as usize).checked_sub(1).and_then(|index| self.attempts.get_mut(index)) else {
            return Vec::new();
        };
        let was_lost = attempt.is_lost();
        let mut reports = change(attempt);
        // Of several reports in one answer each step forward is told, in the order of their times.
        reports.sort_by_key(|report| report.at_ms);
        let mut events = Vec::new();
        for report in &reports {
            if attempt.join(report, now_ms) == Heard::News {
                events.push(CourierEvent::of(&self.job.delivery, attempt, self.standing, report.at_ms));
            }
        }
        if attempt.is_lost() && !was_lost {
            events.push(CourierEvent::of(&self.job.delivery, attempt, self.standing, now_ms));
        }
        events.extend(self.settle(rules, now_ms));
        events
    }

    /// The goods are late and their courier has been asked: a person should know, once.
    pub(super) fn tell_late(&mut self, number: u32, now_ms: u64) -> Option<CourierEvent> {
        let attempt = self.attempts.get_mut((number as usize).checked_sub(1)?)?;
        attempt.told_late();
        let event = CourierEvent::of(&self.job.delivery, attempt, self.standing, now_ms);
        Some(CourierEvent { reason: Some(Reason::CourierLate), ..event })
    }

    /// Calls the delivery off.
    pub fn cancel(&mut self, reason: Reason, now_ms: u64) -> Result<Vec<CourierEvent>, WishError> {
        if self.closed_ms.is_some() {
            return Err(WishError::Over);
        }
        if self.current().is_some_and(|attempt| attempt.progress().goods_are_out()) {
            return Err(WishError::GoodsAreOut);
        }
        self.wish = Some(reason);
        if self.current().is_none_or(Attempt::is_over) {
            return Ok(self.close_cancelled(reason, now_ms));
        }
        Ok(Vec::new())
    }

    /// Begins again from the first service: after it came back, or when a person decides so.
    pub fn redispatch(&mut self, now_ms: u64) -> Result<(), WishError> {
        if self.current().is_some_and(|attempt| attempt.progress().state() == State::Delivered) || self.wish.is_some() {
            return Err(WishError::Over);
        }
        let idle = self.current().is_none_or(|attempt| attempt.is_over() || attempt.is_back());
        if !idle || self.standing == Standing::Trying {
            return Err(WishError::UnderWay);
        }
        if self.attempts.len() as u32 >= ATTEMPTS_MAX {
            return Err(WishError::Attempts);
        }
        (self.link, self.tries, self.next_ms) = (0, 0, now_ms);
        (self.standing, self.closed_ms) = (Standing::Trying, None);
        Ok(())
    }

    /// The number of an attempt that a person makes, past the chain: from now on a person decides. Whoever was asked before is called
    /// off as soon as the attempt stands, unless he has the goods.
    pub fn open_by_hand(&mut self, provider: &str, now_ms: u64) -> Result<u32, WishError> {
        if self.closed_ms.is_some() || self.wish.is_some() {
            return Err(WishError::Over);
        }
        if self.current().is_some_and(|attempt| attempt.progress().goods_are_out()) {
            return Err(WishError::GoodsAreOut);
        }
        if self.attempts.len() as u32 >= ATTEMPTS_MAX {
            return Err(WishError::Attempts);
        }
        self.standing = Standing::Manual;
        Ok(self.open(provider, None, now_ms))
    }

    /// The delivery is over, and nobody will ask for it again: where it went and who carried it is forgotten.
    pub fn forget_people(&mut self) {
        self.attempts.iter_mut().for_each(Attempt::forget_people);
        self.job.to = self.job.from;
        self.job.goods.clear();
    }

    fn next_attempt(&self, rules: &Rules) -> Option<Need> {
        let over = self.attempts.last().is_none_or(|last| last.is_over() || last.is_back());
        let out = self.current().is_some_and(|attempt| attempt.progress().goods_are_out());
        let open = self.standing == Standing::Trying && self.wish.is_none() && self.link < rules.order.len();
        let attempt = self.attempts.len() as u32 + 1;
        (over && !out && open).then_some(Need { at_ms: self.next_ms, attempt, act: Act::Open(self.link) })
    }

    /// What follows from how the attempts stand now.
    fn settle(&mut self, rules: &Rules, now_ms: u64) -> Option<CourierEvent> {
        let state = self.state();
        if self.closed_ms.is_none() && matches!(state, State::Delivered | State::Returned) {
            self.closed_ms = Some(now_ms);
            self.standing = Standing::Done;
            return None;
        }
        if state == State::Returning && self.standing == Standing::Done {
            // He turned back after all: there is something to wait for again.
            (self.closed_ms, self.standing) = (None, Standing::Manual);
        }
        let last = self.attempts.last_mut()?;
        if !last.is_over() || !last.take_end() {
            return None;
        }
        let refused = last.was_refused();
        if self.current().is_some_and(|attempt| attempt.progress().goods_are_out()) {
            return None;
        }
        if let Some(reason) = self.wish {
            return self.close_cancelled(reason, now_ms).pop();
        }
        if refused || self.tries >= rules.attempts {
            (self.link, self.tries, self.next_ms) = (self.link + 1, 0, now_ms);
        } else {
            self.next_ms = now_ms + RETRY_PAUSE_MS;
        }
        let spent = self.link >= rules.order.len() || self.attempts.len() as u32 >= ATTEMPTS_MAX;
        if !spent || self.standing != Standing::Trying {
            return None;
        }
        self.standing = Standing::Manual;
        Some(self.event(self.attempts.len() as u32, now_ms))
    }

    fn close_cancelled(&mut self, reason: Reason, now_ms: u64) -> Vec<CourierEvent> {
        self.closed_ms = Some(now_ms);
        self.standing = Standing::Done;
        let mut event = self.event(self.attempts.len() as u32, now_ms);
        (event.state, event.reason, event.by) = (State::Cancelled, Some(reason), Some(Party::Merchant));
        vec![event]
    }

    fn event(&self, number: u32, at_ms: u64) -> CourierEvent {
        match self.attempt(number) {
            Some(attempt) => CourierEvent::of(&self.job.delivery, attempt, self.standing, at_ms),
            None => CourierEvent::of_nobody(&self.job.delivery, self.state(), self.standing, at_ms),
        }
    }
}

/// The fee of a cancellation as a report of our own.
pub(super) fn called_off(reason: Reason, fee: Option<Amount>, now_ms: u64) -> Report {
    Report { fee, ..Report::new(State::Cancelled, now_ms).because(reason, Party::Merchant) }
}
