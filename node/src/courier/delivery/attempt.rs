//! One attempt at one courier service: was it placed, what was heard, what is due.

use serde::{Deserialize, Serialize};
use stockroom_crdt::ids::Digest;

use crate::courier::delivery::{Act, Need, Rules, called_off};
use crate::courier::job::Job;
use crate::courier::limits::{CANCEL_TRIES, CONFIRM_TRIES, CREATE_TRIES, REPORTS_MAX, UNKNOWN_MAX, backoff_ms};
use crate::courier::report::{Party, Progress, Reason, Report, State};
use crate::courier::{Cancellation, CourierError, Placed};

/// What a report was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something that people see has changed.
    News,
    /// The same was said before.
    Repeated,
    /// A step that was passed already.
    Backwards,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    number: u32,
    provider: String,
    placing: Placing,
    progress: Progress,
    /// How often the service is asked when nothing is heard.
    poll_ms: Option<u64>,
    next_poll_ms: u64,
    failed_polls: u32,
    unknowns: u32,
    next_cancel_ms: u64,
    cancel_tries: u32,
    /// The service itself said that it is over, to a question of ours.
    ending: Ending,
    /// Steps of the delivery that followed from this attempt's end were taken.
    end_taken: bool,
    late_told: bool,
    /// Why we called it off. The service's echo of that only knows that we did.
    called_off: Option<Reason>,
    /// Digests of what was heard, the oldest first.
    heard: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Placing {
    Asking { tries: u32, next_ms: u64 },
    Placed { at_ms: u64, reference: String },
    Refused(Reason),
    Lost,
}

/// Whether an end that was reported is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    Unconfirmed,
    /// The service reported a later step that is no end: it has to be called off before anybody else is asked.
    Doubtful,
    Confirmed,
}

impl Attempt {
    pub(super) fn new(number: u32, provider: &str, poll_ms: Option<u64>, now_ms: u64) -> Self {
        Self {
            number,
            provider: provider.to_owned(),
            placing: Placing::Asking { tries: 0, next_ms: now_ms },
            progress: Progress::requested(now_ms),
            poll_ms,
            next_poll_ms: now_ms + poll_ms.unwrap_or_default(),
            failed_polls: 0,
            unknowns: 0,
            next_cancel_ms: now_ms,
            cancel_tries: 0,
            ending: Ending::Unconfirmed,
            end_taken: false,
            late_told: false,
            called_off: None,
            heard: Vec::new(),
        }
    }

    /// Counts from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Who was asked.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The service's own number, once it took the attempt.
    pub fn reference(&self) -> Option<&str> {
        match &self.placing {
            Placing::Placed { reference, .. } => Some(reference),
            Placing::Asking { .. } | Placing::Refused(_) | Placing::Lost => None,
        }
    }

    /// What was heard, joined.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Where it stands; given up is expired, until somebody speaks of it after all.
    pub fn state(&self) -> State {
        if self.is_lost() { State::Expired } else { self.progress.state() }
    }

    /// Why it stands there.
    pub fn reason(&self) -> Option<Reason> {
        if self.is_lost() { Some(Reason::System) } else { self.progress.reason() }
    }

    /// It was given up because the service could not be asked.
    pub(super) fn is_lost(&self) -> bool {
        self.placing == Placing::Lost
    }

    /// Nothing comes of it any more, and the goods are at the store.
    pub fn is_over(&self) -> bool {
        match self.placing {
            Placing::Refused(_) | Placing::Lost => true,
            Placing::Asking { .. } | Placing::Placed { .. } => self.has_ended() && self.ending == Ending::Confirmed,
        }
    }

    /// The goods were out and are back.
    pub fn is_back(&self) -> bool {
        self.progress.state() == State::Returned
    }

    pub(super) fn was_refused(&self) -> bool {
        matches!(self.placing, Placing::Refused(reason) if reason != Reason::NoCourier)
    }

    /// True the first time.
    pub(super) fn take_end(&mut self) -> bool {
        !std::mem::replace(&mut self.end_taken, true)
    }

    pub(super) fn told_late(&mut self) {
        self.late_told = true;
    }

    /// Takes a report in.
    pub fn join(&mut self, report: &Report, now_ms: u64) -> Heard {
        let digest = digest(report);
        let repeated = self.heard.contains(&digest);
        if !repeated {
            if self.heard.len() >= REPORTS_MAX {
                self.heard.remove(0);
            }
            self.heard.push(digest);
        }
        let ours = report.state == State::Cancelled && report.by == Some(Party::Merchant);
        let reason = self.called_off.filter(|_| ours).or(report.reason);
        if !self.progress.join(&Report { reason, ..report.clone() }) {
            return if repeated { Heard::Repeated } else { Heard::Backwards };
        }
        if self.has_ended() {
            // An end is confirmed at once: somebody else is waiting to be asked.
            self.next_poll_ms = now_ms;
        }
        Heard::News
    }

    /// See [`Progress::forget_people`].
    pub(super) fn forget_people(&mut self) {
        self.progress.forget_people();
    }

    /// Somebody else than us spoke of this attempt: so it exists.
    pub(in crate::courier) fn on_heard(&mut self, now_ms: u64) {
        if matches!(self.placing, Placing::Asking { .. } | Placing::Lost) {
            self.cancel_tries = 0;
            self.placing = Placing::Placed { at_ms: now_ms, reference: String::new() };
        }
        match self.poll_ms {
            Some(poll_ms) if !self.has_ended() => self.next_poll_ms = now_ms + poll_ms,
            Some(_) => {}
            None => self.ending = Ending::Confirmed,
        }
    }

    /// What is due for the attempt that is wanted.
    pub(super) fn need(&self, job: &Job, rules: &Rules, wish: Option<Reason>) -> Option<Need> {
        let cancel = |deadline_ms: u64, reason| (deadline_ms.max(self.next_cancel_ms), Act::Cancel(reason));
        let &Placing::Placed { at_ms: placed_ms, .. } = &self.placing else {
            return match (&self.placing, wish) {
                (Placing::Asking { .. }, Some(reason)) => self.as_need(cancel(0, reason)),
                (Placing::Asking { tries: 0, next_ms }, None) => self.as_need((*next_ms, Act::Create)),
                (Placing::Asking { next_ms, .. }, None) => self.as_need((*next_ms, Act::CreateAgain)),
                (Placing::Refused(_) | Placing::Lost | Placing::Placed { .. }, _) => None,
            };
        };
        if self.has_ended() {
            return match self.ending {
                Ending::Unconfirmed => self.as_need((self.next_poll_ms, Act::Get)),
                Ending::Doubtful => self.as_need(cancel(0, Reason::System)),
                Ending::Confirmed => None,
            };
        }
        let limit = match self.progress.state() {
            _ if self.cancel_tries >= CANCEL_TRIES || self.progress.goods_are_out() => None,
            _ if wish.is_some() => wish.map(|reason| cancel(0, reason)),
            State::Requested | State::Accepted => Some(cancel(placed_ms + rules.accept_ms, Reason::NoCourier)),
            State::CourierAssigned | State::CourierAtStore => {
                let assigned_ms = self.progress.reached_ms(State::CourierAssigned).unwrap_or(placed_ms);
                Some(cancel(assigned_ms.max(job.ready_ms) + rules.pickup_ms, Reason::CourierLate))
            }
            State::PickedUp
            | State::NearDropoff
            | State::Expired
            | State::Cancelled
            | State::Failed
            | State::Delivered
            | State::Returning
            | State::Returned => None,
        };
        let limit = limit.and_then(|due| self.as_need(due));
        limit.into_iter().chain(self.watch_need(job, rules)).min()
    }

    /// What is due for an attempt that is merely watched: the goods are out, or a person has taken over.
    pub(super) fn watch_need(&self, job: &Job, rules: &Rules) -> Option<Need> {
        let placed = matches!(self.placing, Placing::Placed { .. });
        let live = placed && !self.progress.state().is_final();
        let poll = (live && self.poll_ms.is_some()).then_some((self.next_poll_ms, Act::Get));
        let out = live && self.progress.goods_are_out() && !self.late_told;
        let late = out.then_some((job.due_ms + rules.late_ms, Act::TellLate));
        poll.into_iter().chain(late).filter_map(|due| self.as_need(due)).min()
    }

    /// What is due for an attempt that somebody else's took the place of.
    pub(super) fn stray_need(&self) -> Option<Need> {
        let placed = matches!(self.placing, Placing::Placed { .. });
        let stray = placed && !self.has_ended() && !self.progress.state().is_final();
        let due = (self.next_cancel_ms, Act::Cancel(Reason::System));
        (stray && self.cancel_tries < CANCEL_TRIES).then(|| self.as_need(due)).flatten()
    }

    /// The answer to a question for a courier.
    pub(in crate::courier) fn on_created(&mut self, answer: Result<Placed, CourierError>, now_ms: u64) -> Vec<Report> {
        let tries = match self.placing {
            Placing::Asking { tries, .. } => tries + 1,
            // A callback was faster than the answer.
            Placing::Placed { .. } | Placing::Refused(_) | Placing::Lost => 1,
        };
        match answer {
            Ok(placed) => {
                self.placing = Placing::Placed { at_ms: now_ms, reference: placed.reference };
                self.on_heard(now_ms);
                placed.report.into_iter().collect()
            }
            Err(error) if error.is_retryable() && tries < CREATE_TRIES => {
                if let Placing::Asking { tries: asked, next_ms } = &mut self.placing {
                    (*asked, *next_ms) = (tries, now_ms + backoff_ms(tries));
                }
                Vec::new()
            }
            Err(error) if error.is_retryable() => {
                self.placing = Placing::Lost;
                Vec::new()
            }
            Err(error) => {
                let reason = error.reason();
                self.placing = Placing::Refused(reason);
                vec![Report::new(State::Failed, now_ms).because(reason, Party::Service)]
            }
        }
    }

    /// The answer to the question how it stands.
    pub(in crate::courier) fn on_got(&mut self, answer: Result<Vec<Report>, CourierError>, now_ms: u64) -> Vec<Report> {
        match answer {
            Ok(reports) => {
                (self.failed_polls, self.unknowns) = (0, 0);
                self.next_poll_ms = now_ms + self.poll_ms.unwrap_or_default();
                let newest = reports.iter().max_by_key(|report| (report.at_ms, report.state));
                let lives = |report: &Report| !ends(report.state) && report.at_ms > self.progress.since_ms();
                let doubtful = self.has_ended() && newest.is_some_and(lives);
                self.ending = if doubtful { Ending::Doubtful } else { Ending::Confirmed };
                reports
            }
            Err(CourierError::Unknown { .. }) if self.unknowns + 1 >= UNKNOWN_MAX => {
                self.ending = Ending::Confirmed;
                vec![Report::new(State::Expired, now_ms).because(Reason::System, Party::Service)]
            }
            Err(error) => {
                self.unknowns += u32::from(matches!(error, CourierError::Unknown { .. }));
                self.failed_polls += 1;
                self.next_poll_ms = now_ms + backoff_ms(self.failed_polls);
                if self.has_ended() && self.failed_polls >= CONFIRM_TRIES {
                    self.ending = Ending::Confirmed;
                }
                Vec::new()
            }
        }
    }

    /// The answer to a wish to call it off.
    pub(in crate::courier) fn on_cancelled(
        &mut self,
        answer: Result<Cancellation, CourierError>,
        reason: Reason,
        now_ms: u64,
    ) -> Vec<Report> {
        self.cancel_tries += 1;
        self.next_cancel_ms = now_ms + backoff_ms(self.cancel_tries);
        match answer {
            Ok(Cancellation::Accepted(fee)) => {
                (self.ending, self.called_off) = (Ending::Confirmed, Some(reason));
                vec![called_off(reason, fee, now_ms)]
            }
            // It never arrived, or they forgot it: either way nobody comes.
            Err(CourierError::Unknown { .. }) => {
                self.ending = Ending::Confirmed;
                vec![called_off(reason, None, now_ms)]
            }
            Ok(Cancellation::TooLate) => {
                // Somebody is on the way: ask who, at once.
                self.next_poll_ms = now_ms;
                Vec::new()
            }
            Err(_) => {
                if self.cancel_tries >= CANCEL_TRIES && !self.progress.goods_are_out() {
                    self.placing = Placing::Lost;
                }
                Vec::new()
            }
        }
    }

    /// Over, as far as was heard, with the goods at the store.
    fn has_ended(&self) -> bool {
        ends(self.progress.state()) && !self.progress.goods_are_out()
    }

    fn as_need(&self, (at_ms, act): (u64, Act)) -> Option<Need> {
        Some(Need { at_ms, attempt: self.number, act })
    }
}

fn ends(state: State) -> bool {
    matches!(state, State::Expired | State::Cancelled | State::Failed)
}

fn digest(report: &Report) -> u64 {
    let own = format!("{:?}@{}", report.state, report.at_ms);
    let digest = Digest::of(&[report.event_id.as_deref().unwrap_or(&own).as_bytes()]);
    u64::from_le_bytes(digest.0[..8].try_into().expect("a digest has 32 bytes"))
}
