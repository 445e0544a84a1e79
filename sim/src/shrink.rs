//! Making a failing plan small: steps, time and stores are left out as long as the same check still fails.
//!
//! A plan decides everything before it is run, so leaving out a step changes nothing about the others. First whole kinds of steps
//! go, then halves, quarters and so on down to single steps (delta debugging: Zeller and Hildebrandt, "Simplifying and isolating
//! failure-inducing input", IEEE TSE 28(2), 2002). Nothing is drawn: the same plan gives the same small plan.

use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::panic::{AssertUnwindSafe, catch_unwind};

use stockroom_crdt::stock::policy::{PolicyRule, Target};

use crate::outcome::{Outcome, Violation};
use crate::plan::orders::{Choice, OrderDeed};
use crate::plan::persons::PersonDo;
use crate::plan::{Action, Fault, Plan, Step, Who};
use crate::run::{Until, run};

/// How far the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Plans that were run.
    pub tried: u32,
    /// Plans that will be run at most.
    pub tries_max: u32,
    /// Steps of the smallest plan so far that fails.
    pub steps: usize,
}

/// A smaller plan that fails in the same way.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// What of the first plan it is.
    pub cut: Cut,
    /// What comes of it.
    pub outcome: Outcome,
    /// The check that fails, by number and name.
    pub check: String,
    /// Plans that were run.
    pub tried: u32,
    /// Nothing more could be left out. Otherwise the tries were used up.
    pub smallest: bool,
}

/// What is kept of a plan; `None` is all of it. Written as the command line's own arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Numbers of the steps, ascending.
    pub steps: Option<Vec<usize>>,
    /// Length of the first phase, milliseconds.
    pub safety_ms: Option<u64>,
    /// The first so many stores.
    pub stores: Option<u32>,
    /// Crash images tried beside the run.
    pub images: Option<u64>,
}

impl Cut {
    /// The plan with nothing but what is kept. Numbers beyond its end are passed over.
    pub fn apply(&self, plan: &Plan) -> Plan {
        let mut small = plan.clone();
        if let Some(kept) = &self.steps {
            small.steps = kept.iter().filter_map(|number| plan.steps.get(*number)).cloned().collect();
        }
        small.safety_ms = self.safety_ms.unwrap_or(small.safety_ms);
        small.fleet.stores = self.stores.unwrap_or(small.fleet.stores);
        let fleet = &small.fleet;
        small.by_hand.retain(|act| act.fits(fleet));
        small.images = self.images.unwrap_or(small.images);
        small
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.as_ref().map(|steps| format!("--keep-steps {}", ranges(steps)));
        let safety = self.safety_ms.map(|ms| format!("--keep-ms {ms}"));
        let stores = self.stores.map(|stores| format!("--keep-stores {stores}"));
        let images = self.images.map(|images| format!("--keep-images {images}"));
        let parts: Vec<_> = [steps, safety, stores, images].into_iter().flatten().collect();
        f.write_str(&parts.join(" "))
    }
}

/// Makes a failing plan smaller. `check` names the check that must go on failing, by its number (`I14`); the first one that fails
/// otherwise. `None` when it does not fail.
pub fn shrink(plan: &Plan, check: Option<&str>, tell: &mut dyn FnMut(Progress)) -> Option<Shrunk> {
    let until = if check.is_some() { Until::End } else { Until::Violation };
    let outcome = run(plan, until, &mut |_, _| {});
    let at = outcome.violations.iter().position(|found| check.is_none_or(|check| number_of(&found.check) == check))?;
    // Playing on after the first violation is needed only where another check fails before the one that is looked for.
    let until = if at == 0 { Until::Violation } else { Until::End };
    let found = outcome.violations[at].clone();
    let alike =
        |other: &Violation| number_of(&other.check) == number_of(&found.check) && is_beside(other) == is_beside(&found);
    let mut play = |plan: &Plan| {
        // A plan that breaks the simulator itself is no smaller form of this failure.
        let played = catch_unwind(AssertUnwindSafe(|| run(plan, until, &mut |_, _| {})));
        played.ok().filter(|outcome| outcome.violations.iter().any(alike))
    };
    let images = if is_beside(&found) { plan.images } else { 0 };
    let mut search = Search { plan, kept: Kept::all(plan, images), result: outcome, tried: 1, play: &mut play, tell };
    search.run(found.at_ms);
    let (cut, smallest) = (search.kept.cut(), !search.is_spent());
    let Search { result: outcome, tried, .. } = search;
    Some(Shrunk { plan: cut.apply(plan), cut, outcome, check: found.check, tried, smallest })
}

/// It was found in a crash image, which no step of the plan made.
fn is_beside(found: &Violation) -> bool {
    found.event == 0
}

/// A step in words: what, where, and for how long.
pub fn step_words(step: &Step) -> String {
    match &step.action {
        Action::Sell { store, till, lines, repeats } => {
            let again = if *repeats > 0 { format!(", sent again {repeats} times") } else { String::new() };
            format!("till {till} of store {store} sells {} lines{again}", lines.len())
        }
        Action::RetryStorm { store, last } => format!("tills of store {store} send their last {last} sales again"),
        Action::Receive { store, product, quantity } => {
            format!("store {store} receives {quantity} of product {product}")
        }
        Action::Count { store, product } => format!("store {store} counts product {product}"),
        Action::PushCatalogue { products } => format!("head office changes {products} products"),
        Action::FenceHostile => "head office stops believing the stores in hostile hands".into(),
        Action::Shrink { store, product, quantity } => {
            format!("{quantity} of product {product} vanish at store {store}")
        }
        Action::Rule(rule) => {
            format!("head office: {} goods are spread {}", target_words(rule), rule.allocation.as_str())
        }
        Action::Reserve(wanted) => format!(
            "order {}: {} of product {} are wanted at {:?} from stores {:?}",
            wanted.order, wanted.quantity, wanted.product, wanted.at, wanted.stores
        ),
        Action::Say { order, step } => format!("order {order} is {}", step.as_str()),
        Action::Miscount { store, product, off } => {
            format!("store {store} counts product {product} and is off by {off}")
        }
        Action::Limits(_) => "head office sets time limits for orders".into(),
        Action::Order(wanted) => format!(
            "order {}: {:?} at {:?} from stores {:?}, {}",
            wanted.order,
            wanted.lines,
            wanted.home,
            wanted.stores,
            if wanted.delivery { "brought" } else { "collected" }
        ),
        Action::OrderDeed(order, deed) => format!("order {order}: {deed:?}"),
        Action::Ring(ringing) => format!(
            "basket {} at till {} of store {}: {:?}, {:?}",
            ringing.ring, ringing.till, ringing.store, ringing.pays, ringing.fate
        ),
        Action::Drawer { store, till, deed } => format!("drawer of till {till} at store {store}: {deed:?}"),
        Action::Person(person, deed) => format!("member {person}: {deed:?}"),
        Action::Programme(programme) => format!("head office makes {} campaigns", programme.campaigns.len()),
        Action::Tariff(tariff) => format!(
            "head office sets {} prices from {:+} s on{}",
            tariff.prices.len(),
            tariff.from_in_ms / 1_000,
            if tariff.promotion.is_some() { ", and a promotion" } else { "" }
        ),
        Action::Retire(who) => format!("head office writes off the rights of {who:?}"),
        Action::Replace(store) => format!("store {store} gets another box"),
        Action::Fault(fault) => format!("fault: {fault:?}"),
    }
}

fn target_words(rule: &PolicyRule) -> String {
    match &rule.target {
        Target::All => "all".into(),
        Target::Department(department) => department.to_string(),
        Target::Sku(sku) => sku.to_string(),
    }
}

/// The highest store that a step is about, 0 for none.
pub fn last_store(step: &Step) -> u32 {
    match &step.action {
        Action::Sell { store, .. }
        | Action::RetryStorm { store, .. }
        | Action::Receive { store, .. }
        | Action::Count { store, .. }
        | Action::Shrink { store, .. }
        | Action::Miscount { store, .. }
        | Action::Drawer { store, .. }
        | Action::Replace(store) => *store,
        Action::Ring(ringing) => ringing.store,
        Action::Person(_, PersonDo::Enrol { at, home, .. }) => (*home).max(store_of(*at)),
        Action::Person(_, PersonDo::Come(store)) => *store,
        Action::Person(_, PersonDo::Remark(at) | PersonDo::Erase(at)) => store_of(*at),
        Action::Person(_, PersonDo::Link(_) | PersonDo::Unlink(_)) => 0,
        Action::PushCatalogue { .. }
        | Action::FenceHostile
        | Action::Rule(_)
        | Action::Limits(_)
        | Action::Tariff(_)
        | Action::Programme(_)
        | Action::Say { .. } => 0,
        Action::Order(wanted) => wanted.stores.iter().copied().chain([store_of(wanted.home)]).max().unwrap_or(0),
        Action::OrderDeed(_, OrderDeed::Collect(store, _) | OrderDeed::Choose(Choice::Store(store))) => *store,
        Action::OrderDeed(..) => 0,
        Action::Reserve(wanted) => wanted.stores.iter().copied().chain([store_of(wanted.at)]).max().unwrap_or(0),
        Action::Retire(who) => store_of(*who),
        Action::Fault(fault) => nodes_of(fault).into_iter().map(store_of).max().unwrap_or(0),
    }
}

fn store_of(who: Who) -> u32 {
    match who {
        Who::Store(store) => store,
        Who::Hub(_) => 0,
    }
}

fn nodes_of(fault: &Fault) -> Vec<Who> {
    match fault {
        Fault::Cut(a, b, _)
        | Fault::CutOneWay(a, b, _)
        | Fault::Flap(a, b, _, _)
        | Fault::Degrade(a, b, _, _)
        | Fault::Reset(a, b)
        | Fault::SwapDisks(a, b, _) => vec![*a, *b],
        Fault::Swizzle(group, _) | Fault::Blackout(group, _) | Fault::CarrierDown(group, _) => group.clone(),
        Fault::Isolate(who, _)
        | Fault::Crash(who, _, _)
        | Fault::CrashLoop(who, _)
        | Fault::Pause(who, _)
        | Fault::SwitchOff(who, _)
        | Fault::PowerCut(who, _, _)
        | Fault::DiskError(who, _)
        | Fault::DiskFull(who)
        | Fault::Rot(who, _)
        | Fault::LyingSync(who, _)
        | Fault::TakeImage(who)
        | Fault::Restore(who, _)
        | Fault::Clone(who, _)
        | Fault::Wipe(who)
        | Fault::Drift(who, _)
        | Fault::StepClock(who, _)
        | Fault::BootAt(who, _)
        | Fault::Hostile(_, who) => vec![*who],
        Fault::ReconnectStorm(_) => Vec::new(),
    }
}

/// What sort of step it is, faults by their kind.
type Kind = (Discriminant<Action>, Option<Discriminant<Fault>>);

fn kind_of(step: &Step) -> Kind {
    let fault = match &step.action {
        Action::Fault(fault) => Some(discriminant(fault)),
        Action::Sell { .. }
        | Action::RetryStorm { .. }
        | Action::Receive { .. }
        | Action::Count { .. }
        | Action::PushCatalogue { .. }
        | Action::FenceHostile
        | Action::Rule(_)
        | Action::Reserve(_)
        | Action::Say { .. }
        | Action::Limits(_)
        | Action::Ring(_)
        | Action::Drawer { .. }
        | Action::Tariff(_)
        | Action::Programme(_)
        | Action::Person(..)
        | Action::Order(_)
        | Action::OrderDeed(..)
        | Action::Miscount { .. }
        | Action::Retire(_)
        | Action::Replace(_)
        | Action::Shrink { .. } => None,
    };
    (discriminant(&step.action), fault)
}

/// The smallest form so far.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    steps: Vec<usize>,
    safety_ms: u64,
    stores: u32,
    images: u64,
}

impl Kept {
    fn all(plan: &Plan, images: u64) -> Self {
        let steps = (0..plan.steps.len()).collect();
        Self { steps, safety_ms: plan.safety_ms, stores: plan.fleet.stores, images }
    }

    fn cut(&self) -> Cut {
        Cut {
            steps: Some(self.steps.clone()),
            safety_ms: Some(self.safety_ms),
            stores: Some(self.stores),
            images: Some(self.images),
        }
    }
}

/// A search for the smallest plan that gives a `T`: what comes of a plan that fails.
struct Search<'a, T> {
    plan: &'a Plan,
    kept: Kept,
    /// Of the smallest form so far.
    result: T,
    tried: u32,
    play: &'a mut dyn FnMut(&Plan) -> Option<T>,
    tell: &'a mut dyn FnMut(Progress),
}

impl<T> Search<'_, T> {
    fn run(&mut self, failed_ms: u64) {
        self.cut_tail(failed_ms);
        self.drop_kinds();
        loop {
            let before = self.kept.clone();
            self.drop_parts();
            self.drop_stores();
            self.shorten();
            if self.kept == before || self.is_spent() {
                return;
            }
        }
    }

    fn is_spent(&self) -> bool {
        self.tried >= TRIES_MAX
    }

    /// Keeps a smaller form if it fails in the same way.
    fn attempt(&mut self, kept: Kept) -> bool {
        if self.is_spent() || kept == self.kept {
            return false;
        }
        let result = (self.play)(&kept.cut().apply(self.plan));
        self.tried += 1;
        let failed = result.is_some();
        if let Some(result) = result {
            (self.kept, self.result) = (kept, result);
        }
        (self.tell)(Progress { tried: self.tried, tries_max: TRIES_MAX, steps: self.kept.steps.len() });
        failed
    }

    fn attempt_steps(&mut self, steps: Vec<usize>) -> bool {
        let kept = Kept { steps, ..self.kept.clone() };
        self.attempt(kept)
    }

    /// What comes after the violation had no part in it, unless it was found at the end.
    fn cut_tail(&mut self, at_ms: u64) {
        let steps = &self.plan.steps;
        let kept = self.kept.steps.iter().copied().filter(|number| steps[*number].at_ms <= at_ms).collect();
        let safety_ms = self.kept.safety_ms.min(at_ms + AFTER_MS);
        let kept = Kept { steps: kept, safety_ms, ..self.kept.clone() };
        self.attempt(kept);
    }

    /// Leaves out everything, then all steps of one kind after another, the most frequent kind first.
    fn drop_kinds(&mut self) {
        if self.attempt_steps(Vec::new()) {
            return;
        }
        let mut kinds: Vec<(Kind, usize)> = Vec::new();
        for number in &self.kept.steps {
            let kind = kind_of(&self.plan.steps[*number]);
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (kind, _) in kinds {
            let steps = &self.plan.steps;
            let others = self.kept.steps.iter().copied().filter(|number| kind_of(&steps[*number]) != kind);
            let others = others.collect();
            self.attempt_steps(others);
        }
    }

    /// Leaves out parts, from halves down to single steps, until no single step can be left out.
    fn drop_parts(&mut self) {
        let mut size = self.kept.steps.len().div_ceil(2).max(1);
        while !self.is_spent() && !self.kept.steps.is_empty() {
            let mut from = 0;
            let mut dropped = false;
            while from < self.kept.steps.len() && !self.is_spent() {
                let to = (from + size).min(self.kept.steps.len());
                let others = [&self.kept.steps[..from], &self.kept.steps[to..]].concat();
                if self.attempt_steps(others) {
                    dropped = true;
                } else {
                    from = to;
                }
            }
            if size == 1 && !dropped {
                return;
            }
            size = if size > 1 { size.div_ceil(2) } else { 1 };
        }
    }

    /// Leaves out the last stores, as far as no step is about them.
    fn drop_stores(&mut self) {
        let steps = &self.plan.steps;
        let least = self.kept.steps.iter().map(|number| last_store(&steps[*number])).max().unwrap_or(0).max(1);
        let mut stores = least;
        while stores < self.kept.stores {
            let kept = Kept { stores, ..self.kept.clone() };
            if self.attempt(kept) {
                return;
            }
            stores = stores + (self.kept.stores - stores).div_ceil(2);
        }
    }

    /// Ends the first phase soon after the last step that is left.
    fn shorten(&mut self) {
        let steps = &self.plan.steps;
        let last_ms = self.kept.steps.last().map_or(0, |number| steps[*number].at_ms);
        for after_ms in [AFTER_MS, 60 * AFTER_MS] {
            let safety_ms = last_ms + after_ms;
            if safety_ms < self.kept.safety_ms {
                let kept = Kept { safety_ms, ..self.kept.clone() };
                if self.attempt(kept) {
                    return;
                }
            }
        }
    }
}

/// `I14` of `I14 equal heads, equal state`.
fn number_of(check: &str) -> &str {
    check.split(' ').next().unwrap_or(check)
}

/// Numbers with runs of neighbours drawn together: `3,17..20` is 3, 17, 18 and 19.
fn ranges(numbers: &[usize]) -> String {
    if numbers.is_empty() {
        return "none".into();
    }
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let words = runs.map(|run| match run {
        [one] => one.to_string(),
        run => format!("{}..{}", run[0], run[run.len() - 1] + 1),
    });
    words.collect::<Vec<_>>().join(",")
}

/// Reads what [`Cut`] writes after `--keep-steps`.
///
/// # Errors
/// It is no list of numbers and ranges in ascending order.
pub fn parse_steps(text: &str) -> Result<Vec<usize>, String> {
    let mut numbers: Vec<usize> = Vec::new();
    if text == "none" {
        return Ok(numbers);
    }
    for part in text.split(',') {
        let number = |text: &str| text.parse::<usize>().map_err(|_| format!("\"{part}\" is no number and no range"));
        let (from, to) = match part.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(part)?, number(part)?.saturating_add(1)),
        };
        if from >= to || numbers.last().is_some_and(|last| *last >= from) {
            return Err(format!("\"{part}\" does not ascend"));
        }
        if to > STEPS_MAX {
            return Err(format!("\"{part}\" is beyond {STEPS_MAX}"));
        }
        numbers.extend(from..to);
    }
    Ok(numbers)
}

/// Plans that are run at most: a night's work for the slowest of them.
pub const TRIES_MAX: u32 = 400;

/// Five times the steps of the largest scenario.
const STEPS_MAX: usize = 10_000_000;

/// What is left of the first phase after what is needed.
const AFTER_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Wishes, draw};

    #[test]
    fn numbers_of_steps_are_written_as_they_are_read() {
        for (numbers, text) in [(vec![], "none"), (vec![3], "3"), (vec![3, 17, 18, 19, 21], "3,17..20,21")] {
            assert_eq!(ranges(&numbers), text);
            assert_eq!(parse_steps(text), Ok(numbers));
        }
        for wrong in ["", "a", "3,2", "4..4", "1..", "-1", "99999999999"] {
            assert!(parse_steps(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cut_keeps_what_it_names_and_nothing_else() {
        let plan = draw("crash", 3, &Wishes { small: true, ..Wishes::default() }).expect("there is such a scenario");
        let cut = Cut { steps: Some(vec![1, 4]), safety_ms: Some(9), stores: Some(1), images: Some(0) };
        let small = cut.apply(&plan);
        assert_eq!((small.safety_ms, small.fleet.stores, small.steps.len()), (9, 1, 2));
        assert_eq!(small.steps[1].at_ms, plan.steps[4].at_ms);
        assert_eq!(Cut::default().apply(&plan).steps.len(), plan.steps.len());
        assert_eq!(cut.to_string(), "--keep-steps 1,4 --keep-ms 9 --keep-stores 1 --keep-images 0");
    }

    /// What is left of a plan whose failing needs all of `needed`, and at least two stores.
    fn left_of(plan: &Plan, needed: &[usize], failed_ms: u64) -> (Kept, u32) {
        let words = |step: &Step| (step.at_ms, step_words(step));
        let needed: Vec<_> = needed.iter().map(|number| words(&plan.steps[*number])).collect();
        let mut play = |plan: &Plan| {
            let there: Vec<_> = plan.steps.iter().map(words).collect();
            (plan.fleet.stores >= 2 && needed.iter().all(|step| there.contains(step))).then_some(())
        };
        let mut tell = |_| {};
        let kept = Kept::all(plan, 0);
        let mut search = Search { plan, kept, result: (), tried: 1, play: &mut play, tell: &mut tell };
        search.run(failed_ms);
        (search.kept, search.tried)
    }

    #[test]
    fn what_is_left_is_what_the_failure_needs() {
        let wishes = Wishes { small: true, stores: Some(5), ..Wishes::default() };
        let plan = draw("crash", 5, &wishes).expect("there is such a scenario");
        let count = plan.steps.len();
        let about = |number: &usize| last_store(&plan.steps[*number]);
        for needed in [vec![], vec![0], vec![count / 3, count / 2], vec![1, count / 2, count / 2 + 1, count - 1]] {
            let (kept, tried) = left_of(&plan, &needed, plan.safety_ms);
            assert_eq!(kept.steps, needed, "of {count} steps after {tried} tries");
            assert_eq!(kept.stores, needed.iter().map(about).max().unwrap_or(0).max(2));
            assert!(kept.safety_ms <= needed.last().map_or(0, |number| plan.steps[*number].at_ms) + AFTER_MS);
            assert!(tried < TRIES_MAX);
        }
    }

    #[test]
    fn a_plan_that_does_not_fail_is_not_made_smaller() {
        let mut plan = draw("calm", 1, &Wishes { small: true, ..Wishes::default() }).expect("there is such a scenario");
        plan.steps.truncate(20);
        plan.safety_ms = 10_000;
        assert!(shrink(&plan, None, &mut |_| {}).is_none());
    }
}
