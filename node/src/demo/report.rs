//! The figures of a run: as a table for people, and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::board::Sums;
use super::check::Findings;
use super::members::Known;
use super::orders::Served;
use super::sample::{PANEL_DAYS, STORES, Sample};
use super::script::Events;
use super::shoppers::Kept;
use super::till::{Ack, PER_STORE};
use super::traces::Traces;

/// Everything that was measured.
pub struct Report {
    /// Sales that were to be rung up.
    pub replayed: usize,
    /// What was acknowledged.
    pub acks: Vec<Ack>,
    /// What the check found.
    pub findings: Findings,
    /// From the last acknowledged sale until all nodes agreed; nothing if they did not.
    pub converged: Option<Duration>,
    /// Until every store also knew that the hub and its neighbours have all of it for good.
    pub safe: Option<Duration>,
    /// What happened on the way.
    pub events: Events,
    /// What became of promises.
    pub promises: Kept,
    /// What became of orders.
    pub orders: Served,
    /// Why cancelled orders ended as they did, in the nodes' words.
    pub reasons: Vec<String>,
    /// What became of members.
    pub members: Known,
    /// What stands of members in files; nothing before the nodes have stopped.
    pub traces: Option<Traces>,
    /// Meters of the store nodes, from the first sale to agreement.
    pub sums: Sums,
    /// How many times faster than real the day passed.
    pub speed: u32,
    /// From the first sale to the last.
    pub replay: Duration,
    /// The whole run.
    pub wall: Duration,
}

impl Report {
    /// True if nothing was lost or promised twice, all nodes agree, and nothing else is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.lost == 0
            && self.findings.faults.is_empty()
            && self.promises.oversold == 0
            && self.promises.shorted == self.promises.compensated
            && self.converged.is_some()
            && self.safe.is_some()
            && self.acks.len() == self.replayed
            && self.wrong_traces().is_empty()
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let (seconds, events) = (|time: Duration| round(time.as_secs_f64(), 3), &self.events);
        json!({
            "stores": STORES,
            "tills": STORES * PER_STORE,
            "speed": self.speed,
            "sales_replayed": self.replayed,
            "sales_acked": self.acks.len(),
            "sales_lost": self.findings.lost,
            "converged": self.converged.is_some() && self.findings.faults.is_empty(),
            "converge_s": self.converged.map(seconds),
            "known_safe_s": self.safe.map(seconds),
            "faults": self.findings.faults,
            "offline_s": seconds(events.offline),
            "sales_while_offline": events.sold_offline,
            "catch_up_s": seconds(events.caught_up),
            "killed_store_silent_s": seconds(events.down),
            "promises_made": self.promises.made,
            "promises_hard": self.promises.hard,
            "promises_soft": self.promises.soft,
            "promises_kept": self.promises.kept,
            "promises_open": self.promises.open,
            "promises_shorted": self.promises.shorted,
            "promises_compensated": self.promises.compensated,
            "wishes_turned_down": self.promises.turned_down,
            "oversold": self.promises.oversold,
            "orders": self.served(),
            "members": self.about_members(),
            "by_neighbour_s": seconds(events.by_neighbour),
            "sales_by_neighbour": events.carried,
            "ops": self.ops(),
            "bytes_per_op": round(self.per_op(self.bytes()), 2),
            "bytes_per_op_to_hub": round(self.per_op(self.sums.hub_bytes), 2),
            "bytes_per_op_to_neighbours": round(self.per_op(self.sums.neighbour_bytes), 2),
            "bytes": self.bytes(),
            "commits": self.sums.commits,
            "commits_per_sale": round(self.commits_per_sale(), 3),
            "sale_ms_p50": self.latency_ms(50),
            "sale_ms_p99": self.latency_ms(99),
            "sale_ms_max": self.latency_ms(100),
            "sales_tried_again": self.tried_again(),
            "sales_answered_from_an_earlier_try": self.replays(),
            "replay_s": seconds(self.replay),
            "wall_s": seconds(self.wall),
        })
    }

    /// As lines for a person.
    pub fn to_table(&self) -> String {
        let events = &self.events;
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let mut rows = vec![
            (
                "sales replayed",
                format!("{} ({} lines, {STORES} stores, {} tills)", self.replayed, self.ops(), STORES * PER_STORE),
            ),
            ("acknowledged", format!("{}, of these {} after another try", self.acks.len(), self.tried_again())),
            ("lost", self.findings.lost.to_string()),
            ("converged", self.convergence()),
            (
                "hub unreachable",
                format!(
                    "{}, {} sales rung up meanwhile, caught up in {}",
                    seconds(events.offline),
                    events.sold_offline,
                    seconds(events.caught_up)
                ),
            ),
            ("promised meanwhile", self.promised()),
            ("orders on line", self.orders.words()),
            ("oversold", format!("{} units promised beyond the goods", self.promises.oversold)),
            ("store killed", format!("{} from kill -9 to its next sale", seconds(events.down))),
            (
                "neighbours only",
                format!("{}, {} sales carried to the hub", seconds(events.by_neighbour), events.carried),
            ),
            (
                "bytes per operation",
                format!(
                    "{:.1}: {:.1} to and from the hub, {:.1} between neighbours",
                    self.per_op(self.bytes()),
                    self.per_op(self.sums.hub_bytes),
                    self.per_op(self.sums.neighbour_bytes)
                ),
            ),
            ("", String::from("(an operation is a sale line; UDP payload both ways, handshakes and parcels included)")),
            ("commits per sale", format!("{:.2} at the store nodes", self.commits_per_sale())),
            (
                "sale as a till sees it",
                format!(
                    "p50 {:.1} ms, p99 {:.1} ms, longest {:.0} ms",
                    self.latency_ms(50),
                    self.latency_ms(99),
                    self.latency_ms(100)
                ),
            ),
            ("wall time", format!("{}, of these {} replay", seconds(self.wall), seconds(self.replay))),
        ];
        rows.extend(self.members.rows());
        let mut text: String = rows.iter().map(|(name, value)| format!("  {name:22}  {value}\n")).collect();
        for reason in &self.reasons {
            text += &format!("  {:22}  {reason}\n", "");
        }
        for fault in self.findings.faults.iter().take(FAULTS_SHOWN) {
            text += &format!("  WRONG: {fault}\n");
        }
        text + &self.about_traces()
    }

    /// What stands of members in files, as lines for a person; nothing before that was searched for.
    pub fn about_traces(&self) -> String {
        let wrong = self.wrong_traces();
        match &self.traces {
            Some(traces) if wrong.is_empty() => format!("  {:22}  {}\n", "traces", traces.words()),
            Some(_) => wrong.iter().map(|fault| format!("  WRONG: {fault}\n")).collect(),
            None => String::new(),
        }
    }

    fn wrong_traces(&self) -> Vec<String> {
        self.traces.as_ref().map_or_else(Vec::new, |traces| traces.faults(STORES as usize + 1))
    }

    fn served(&self) -> Value {
        json!({
            "placed": self.orders.placed,
            "collected_by_code": self.orders.by_code,
            "collected_by_pass": self.orders.by_pass,
            "delivered": self.orders.delivered,
            "cancelled": self.orders.cancelled,
            "cancelled_too_late": self.orders.too_late,
            "why": self.reasons,
        })
    }

    fn about_members(&self) -> Value {
        let mut members = self.members.to_json();
        members["traces"] = self.traces.as_ref().map(Traces::to_json).into();
        members
    }

    fn promised(&self) -> String {
        let Kept { made, hard, soft, turned_down, kept, shorted, compensated, .. } = self.promises;
        format!(
            "{made} ({hard} hard, {soft} soft), {kept} kept, {shorted} shorted by a till and {compensated} of these made good; \
             {turned_down} wishes turned down"
        )
    }

    fn convergence(&self) -> String {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        match (self.converged, self.safe) {
            (Some(agreed), Some(safe)) if self.findings.faults.is_empty() => format!(
                "yes, {} after the last sale: hub, store and neighbours agree on every figure; and know it after {}",
                seconds(agreed),
                seconds(safe)
            ),
            (Some(_), _) => "NO: the nodes are done, and do not agree".into(),
            (None, _) => "NO".into(),
        }
    }

    fn ops(&self) -> usize {
        self.acks.iter().map(|ack| ack.lines).sum()
    }

    fn bytes(&self) -> u64 {
        self.sums.hub_bytes + self.sums.neighbour_bytes
    }

    fn per_op(&self, bytes: u64) -> f64 {
        bytes as f64 / self.ops().max(1) as f64
    }

    fn commits_per_sale(&self) -> f64 {
        self.sums.commits as f64 / self.acks.len().max(1) as f64
    }

    fn tried_again(&self) -> usize {
        self.acks.iter().filter(|ack| ack.tries > 1).count()
    }

    fn replays(&self) -> usize {
        self.acks.iter().filter(|ack| ack.replayed).count()
    }

    fn latency_ms(&self, percent: usize) -> f64 {
        let mut times: Vec<Duration> = self.acks.iter().map(|ack| ack.took).collect();
        times.sort_unstable();
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        round(times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1_000.0), 2)
    }
}

/// What is replayed, and how real it is; said before anything is shown.
pub fn about(sample: &Sample, speed: u32) -> String {
    let [one, two, three] = PANEL_DAYS;
    format!(
        "The day: {} real baskets of three stores (dunnhumby, The Complete Journey). No store had this very day: the panel is \
         small, so {one}, {two} and {three} Saturdays of its members lie over each other. 06:00 to midnight passes {speed} \
         times as fast as it did.",
        sample.baskets.len()
    )
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

const FAULTS_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn report(acks: usize) -> Report {
        let ack = |n: u64| Ack {
            store: 1,
            till: 1,
            till_seq: n,
            receipt: format!("1-1-1-{n}"),
            total: 100,
            lines: 4,
            took: Duration::from_millis(n),
            tries: 1,
            replayed: false,
        };
        Report {
            replayed: 100,
            acks: (1..=acks as u64).map(ack).collect(),
            findings: Findings::default(),
            converged: Some(Duration::from_millis(1_500)),
            safe: Some(Duration::from_millis(2_500)),
            events: Events::default(),
            promises: Kept { made: 3, hard: 2, soft: 1, kept: 2, shorted: 1, compensated: 1, ..Kept::default() },
            orders: Served::default(),
            reasons: Vec::new(),
            members: Known::default(),
            traces: None,
            sums: Sums { hub_bytes: 8_000, neighbour_bytes: 4_000, commits: 150 },
            speed: 1_500,
            replay: Duration::from_secs(40),
            wall: Duration::from_secs(60),
        }
    }

    #[test]
    fn the_figures_are_what_was_measured() {
        let json = report(100).to_json();
        assert_eq!((json["ops"].as_u64(), json["bytes_per_op"].as_f64()), (Some(400), Some(30.0)));
        assert_eq!((json["sale_ms_p50"].as_f64(), json["sale_ms_max"].as_f64()), (Some(51.0), Some(100.0)));
        assert_eq!((json["commits_per_sale"].as_f64(), json["converge_s"].as_f64()), (Some(1.5), Some(1.5)));
    }

    #[test]
    fn a_run_is_good_only_if_all_is_there_and_agrees() {
        assert!(report(100).is_good());
        assert!(!report(99).is_good());
        assert!(!Report { converged: None, ..report(100) }.is_good());
        let twice = Report { promises: Kept { oversold: 1, ..Kept::default() }, ..report(100) };
        assert!(!twice.is_good() && twice.to_json()["oversold"] == 1);
        let silent = Report { promises: Kept { shorted: 1, ..Kept::default() }, ..report(100) };
        assert!(!silent.is_good(), "who goes without is compensated");
        let traces = Traces { databases: 4, control: true, ..Traces::default() };
        assert!(Report { traces: Some(traces.clone()), ..report(100) }.is_good());
        let trace = Traces { found: vec![("hub.log".into(), 1)], ..traces };
        let left = Report { traces: Some(trace), ..report(100) };
        assert!(
            !left.is_good() && left.to_table().contains("WRONG: 1 things that were told of a member stand in hub.log")
        );
        let findings = Findings { lost: 1, faults: vec!["sale 1".into()] };
        let lost = Report { findings, ..report(100) };
        assert!(!lost.is_good() && lost.to_table().contains("WRONG: sale 1"));
        assert_eq!(lost.to_json()["converged"], false);
    }
}
