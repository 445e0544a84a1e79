//! Playing a plan: people and injectors act on a world, everything that is seen is looked at, in two phases.
//!
//! In the first phase faults strike and safety must hold. Then the faults stop, and the healthy core must come together; what is
//! broken for good stays broken. [`people`] knows tills and staff, [`orders`] customers who want goods kept, [`fulfil`]
//! customers who order and everybody who works on that, [`crate::faults`] the injectors, [`settle`] the second phase.

pub mod fulfil;
pub mod orders;
pub mod people;
pub mod persons;
pub mod settle;
pub mod tills;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stockroom_crdt::checkout::tender::TenderStep;
use stockroom_crdt::stock::promise::Step;

use crate::cast::Cast;
use crate::checks::{self, Check, Findings, Scene};
use crate::crash;
use crate::faults::{Broken, Undo};
use crate::hand::{Company, HandAct, Hands, Onlooker};
use crate::observe::{Observation, Seen, Stop};
use crate::outcome::{Outcome, Verdict, Violation};
use crate::plan::orders::OrderDeed;
use crate::plan::persons::PersonDo;
use crate::plan::{Action, Plan};
use crate::record::Recorder;
use crate::trace::TraceHash;
use crate::truth::Truth;
use crate::union::Union;
use crate::world::{Sent, World};
use fulfil::Fulfilment;
use orders::Order;
use people::{Desk, Queue};
use tills::Tills;
use tills::terminals::Word;

/// How far to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the end, whatever is found.
    End,
    /// To the first violation.
    Violation,
}

/// Plays a plan. `watch` is shown everything that is seen, with the world as it is then.
pub fn run(plan: &Plan, until: Until, watch: &mut dyn FnMut(&Observation, &Scene<'_>)) -> Outcome {
    run_beside(plan, until, &mut Onlooker(watch))
}

/// Plays a plan in company that may act on it.
pub fn run_beside(plan: &Plan, until: Until, company: &mut dyn Company) -> Outcome {
    let mut outcome = Play::begin(plan, until, checks::all(), company).finish();
    if plan.images > 0 {
        let report = crash::images(plan.seed, plan.images);
        outcome.crash_images = report.images;
        for message in report.violations {
            outcome.violations.push(Violation {
                check: "I9 acknowledged is durable".into(),
                at_ms: 0,
                event: 0,
                node: 0,
                message: format!("crash image: {message}"),
                story: Vec::new(),
            });
            outcome.verdict = Verdict::Violated;
        }
    }
    outcome
}

/// A run under way.
pub struct Play<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) world: World,
    pub(crate) cast: Cast,
    pub(crate) truth: Truth,
    pub(crate) union: Union,
    /// Nodes that are broken for good or hostile.
    pub(crate) written_off: BTreeSet<u32>,
    /// What is broken for now, and how it is mended.
    pub(crate) broken: Broken,
    /// Deeds whose disk was lost before a hub had them: (store, number of the deed).
    pub(crate) excused: BTreeSet<(u32, usize)>,
    /// Promises and what was said about them, that may be lost with a disk: by number.
    pub(crate) excused_promises: BTreeSet<usize>,
    pub(crate) desks: BTreeMap<Desk, Queue>,
    /// Customers who want goods kept, by order number.
    pub(crate) orders: BTreeMap<u32, Order>,
    /// Customers who ordered, and everybody who works on that.
    pub(crate) fulfil: Fulfilment,
    /// Baskets that nodes price, and payment terminals.
    pub(crate) tills: Tills,
    /// When each store's node was last able to serve, after a start or a pause.
    pub(crate) able_ms: BTreeMap<u32, u64>,
    pub(crate) agenda: BTreeMap<(u64, u64), Todo>,
    pub(crate) start_ms: u64,
    pub(crate) recorder: Recorder,
    checks: Vec<Box<dyn Check>>,
    pub(crate) findings: Findings,
    pub(crate) company: &'p mut dyn Company,
    pub(crate) hands: Hands,
    until: Until,
    trace: TraceHash,
    pub(crate) event: u64,
    /// What somebody wanted so far: each wish has a number of its own, by which it is asked for again.
    pub(crate) wishes: u64,
    planned: u64,
    /// When something last moved a log.
    pub(crate) moved_ms: u64,
    /// The last frames that were sent, for a hostile hand to use again.
    pub(crate) heard: VecDeque<Sent>,
}

/// Something that is due.
pub(crate) enum Todo {
    /// A step of the plan, by number.
    Step(usize),
    /// The end of a fault.
    Undo(Undo),
    /// A desk tries again.
    Serve(Desk),
    /// A customer asks again for a promise.
    Reserve(u32),
    /// Something is said of an order's promise, after so many tries.
    Say(u32, Step, u8),
    /// A customer tries to order again.
    Place(u32),
    /// Something is done about an order again, under this key.
    OrderDeed(u32, OrderDeed, u64),
    /// Something is said of a fulfillment again.
    Errand(u64),
    /// The people of a store look at what there is to do.
    Shift(u32),
    /// Somebody at a home looks at open orders.
    Dispatcher(u32),
    /// A basket that was put aside is taken up again.
    TakeUp(u32),
    /// Something happens to a member's account, under this key, once more.
    Person(u32, PersonDo, u64),
    /// The shell of a node looks at tenders that are open.
    Shell(u32),
    /// A customer at a terminal is done.
    Terminal(Box<TenderStep>),
    /// A terminal's answer arrives.
    Word(Box<Word>),
    /// Somebody does something by hand.
    ByHand(HandAct),
    /// Time to sample for pictures.
    Sample,
}

impl<'p> Play<'p> {
    fn begin(plan: &'p Plan, until: Until, checks: Vec<Box<dyn Check>>, company: &'p mut dyn Company) -> Self {
        let (world, cast) = Cast::assemble(&plan.fleet, plan.seed);
        let start_ms = world.now_ms + WARM_UP_MS;
        let recorder = Recorder::new(&cast, start_ms, plan.safety_ms);
        let mut play = Self {
            plan,
            world,
            cast,
            truth: Truth::default(),
            union: Union::default(),
            written_off: BTreeSet::new(),
            broken: Broken::default(),
            excused: BTreeSet::new(),
            excused_promises: BTreeSet::new(),
            desks: BTreeMap::new(),
            orders: BTreeMap::new(),
            fulfil: Fulfilment::default(),
            tills: Tills::default(),
            able_ms: BTreeMap::new(),
            agenda: BTreeMap::new(),
            start_ms,
            recorder,
            checks,
            findings: Findings::default(),
            company,
            hands: Hands::default(),
            until,
            trace: TraceHash::default(),
            event: 0,
            wishes: 0,
            planned: 0,
            moved_ms: start_ms,
            heard: VecDeque::new(),
        };
        play.written_off.extend(play.cast.hostile.iter().copied());
        let persons = plan.steps.iter().any(|step| matches!(step.action, Action::Person(..)));
        play.world.recording = plan.fleet.hostile > 0 || persons;
        play.look();
        play.play_to(start_ms);
        for (number, step) in plan.steps.iter().enumerate() {
            play.at(start_ms + step.at_ms, Todo::Step(number));
        }
        plan.by_hand.iter().for_each(|act| play.plan_by_hand(*act));
        play.at(start_ms, Todo::Sample);
        play.open_shop();
        play
    }

    fn finish(mut self) -> Outcome {
        self.play_to(self.start_ms + self.plan.safety_ms);
        let settled = if self.stopped() { None } else { Some(self.settle()) };
        self.tell_company();
        self.outcome(settled)
    }

    /// Plays everything that is due up to a moment.
    pub(crate) fn play_to(&mut self, end_ms: u64) {
        while !self.stopped() {
            self.ask_company(self.due_ms(end_ms));
            let due = self.due_ms(end_ms);
            if self.world.step(due) {
                self.look();
                continue;
            }
            self.world.now_ms = self.world.now_ms.max(due);
            let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= due) else { return };
            let todo = entry.remove();
            self.do_it(todo);
            self.look();
        }
    }

    /// When the agenda is next due, or the end.
    fn due_ms(&self, end_ms: u64) -> u64 {
        self.agenda.first_key_value().map_or(u64::MAX, |(&(at, _), _)| at).min(end_ms)
    }

    /// Plans something.
    pub(crate) fn at(&mut self, at_ms: u64, todo: Todo) {
        self.planned += 1;
        self.agenda.insert((at_ms, self.planned), todo);
    }

    fn do_it(&mut self, todo: Todo) {
        match todo {
            Todo::Step(number) => match &self.plan.steps[number].action {
                Action::Fault(fault) => self.strike(fault),
                Action::OrderDeed(order, deed) => self.order_deed((*order, *deed), number as u64 + 1),
                deed => self.wish(deed),
            },
            Todo::Undo(undo) => self.undo(undo),
            Todo::Serve(desk) => self.serve(desk),
            Todo::Reserve(order) => self.reserve(order),
            Todo::Say(order, step, tries) => self.say_of(order, step, tries),
            Todo::Place(order) => self.place(order),
            Todo::OrderDeed(order, deed, key) => self.order_deed((order, deed), key),
            Todo::Errand(number) => self.errand_again(number),
            Todo::Shift(store) => self.shift(store),
            Todo::Dispatcher(node) => self.dispatcher(node),
            Todo::TakeUp(ring) => self.taken_up(ring),
            Todo::Person(person, deed, key) => self.person(person, deed, key),
            Todo::Shell(node) => self.shell(node),
            Todo::Terminal(tender) => self.terminal(*tender),
            Todo::Word(word) => self.word(*word),
            Todo::ByHand(act) => self.act_by_hand(act),
            Todo::Sample => {
                self.recorder.sample(&self.union, &self.cast, self.world.now_ms);
                let next = self.world.now_ms + self.recorder.sample_ms();
                self.at(next, Todo::Sample);
            }
        }
    }

    /// Looks at everything that happened since the last time.
    pub(crate) fn look(&mut self) {
        for (at_ms, node, what) in self.world.take_seen() {
            self.saw(at_ms, node, what);
        }
        if self.world.recording {
            self.overhear();
            self.heard.extend(self.world.sent.drain(..));
            let surplus = self.heard.len().saturating_sub(HEARD_MAX);
            self.heard.drain(..surplus);
        }
    }

    /// Something happened: everybody who keeps account is told.
    pub(crate) fn saw(&mut self, at_ms: u64, node: u32, what: Seen) {
        self.event += 1;
        let seen = Observation { at_ms, event: self.event, node, what };
        self.trace.observe(&seen);
        if !self.union.observe(&seen).is_empty() {
            self.moved_ms = at_ms;
        }
        self.recorder.observe(&seen, &self.world, &self.cast);
        let scene = Scene {
            world: &self.world,
            union: &self.union,
            truth: &self.truth,
            written_off: &self.written_off,
            start_ms: self.start_ms,
            event: self.event,
            now_ms: at_ms,
        };
        let before = self.findings.violations.len();
        for check in &mut self.checks {
            check.observe(&seen, &scene, &mut self.findings);
        }
        if self.findings.violations.len() > before {
            let story = settle::story(&scene, &self.cast);
            for violation in &mut self.findings.violations[before..] {
                violation.story.clone_from(&story);
            }
        }
        self.company.saw(&seen, &scene);
        self.react(&seen);
    }

    /// People and operators notice that a node is back, or gone for good.
    fn react(&mut self, seen: &Observation) {
        self.shells_see(seen);
        match &seen.what {
            Seen::Started { .. } => {
                if let Some(store) = self.cast.store_of(seen.node) {
                    self.able(store, seen.at_ms);
                }
            }
            Seen::Stopped(why @ (Stop::Failed(_) | Stop::Panicked(_))) => self.broke(seen.node, why),
            Seen::Stopped(Stop::Crash) => self.fell(seen.node),
            Seen::Stopped(Stop::Planned)
            | Seen::Committed(_)
            | Seen::Sent { .. }
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Acknowledged(_)
            | Seen::Unanswered { .. }
            | Seen::Marked { .. } => {}
        }
    }

    /// A store's node serves from now on: its desks try at once.
    pub(crate) fn able(&mut self, store: u32, at_ms: u64) {
        self.able_ms.insert(store, at_ms);
        let waiting = |(desk, queue): (&Desk, &Queue)| (desk.0 == store && !queue.is_empty()).then_some(*desk);
        let desks: Vec<_> = self.desks.range((store, 0)..=(store, u32::MAX)).filter_map(waiting).collect();
        for desk in desks {
            self.at(at_ms + RETURN_MS, Todo::Serve(desk));
        }
    }

    /// Marks a fault or a phase in the run's story.
    pub(crate) fn mark(&mut self, name: &'static str, node: u32, until_ms: Option<u64>, detail: String) {
        self.look();
        let now_ms = self.world.now_ms;
        self.saw(now_ms, node, Seen::Marked { name, until_ms, detail });
    }

    /// The run ends here: it was to end at the first violation.
    pub(crate) fn stopped(&self) -> bool {
        self.until == Until::Violation && !self.findings.violations.is_empty()
    }

    /// What the checks say at the end.
    pub(crate) fn check_end(&mut self) {
        let scene = Scene {
            world: &self.world,
            union: &self.union,
            truth: &self.truth,
            written_off: &self.written_off,
            start_ms: self.start_ms,
            event: self.event,
            now_ms: self.world.now_ms,
        };
        let before = self.findings.violations.len();
        for check in &mut self.checks {
            check.end(&scene, &mut self.findings);
        }
        if self.findings.violations.len() > before {
            let story = settle::story(&scene, &self.cast);
            for violation in &mut self.findings.violations[before..] {
                violation.story.clone_from(&story);
            }
        }
    }

    /// The hash of everything seen.
    pub(crate) fn trace(&self) -> TraceHash {
        self.trace
    }
}

/// What a fleet takes to meet before the plan begins.
const WARM_UP_MS: u64 = 15_000;

/// Frames that a hostile hand remembers.
const HEARD_MAX: usize = 200;

/// How long after a node is back a till has noticed.
const RETURN_MS: u64 = 20;
