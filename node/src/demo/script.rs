//! What happens during the day: the hub is cut off, a store is killed, another one is heard only through its neighbours.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::DemoError;
use super::board::{Board, status_of};
use super::chain::Chain;
use super::check::books;
use super::members::{HOME, Members};
use super::orders::Orders;
use super::patience::{Interrupt, Seen};
use super::sample::{STORES, Sample};
use super::shoppers::{self, Asked};
use super::till::{ShopClock, Tills};
use super::view::View;

/// Everything that plays a part in the day.
pub struct Day<'a> {
    /// The nodes.
    pub chain: &'a mut Chain,
    /// Who sells.
    pub tills: &'a Tills,
    /// How the nodes fare.
    pub board: &'a Board,
    /// Where it is shown.
    pub view: &'a View,
    /// What time it is in the shops.
    pub clock: &'a ShopClock,
    /// Ends it early.
    pub interrupt: &'a Interrupt,
    /// What is sold and asked for.
    pub sample: &'a Sample,
    /// What customers were told who wanted goods kept.
    pub asked: Asked,
    /// What was ordered on line.
    pub orders: Orders,
    /// Who became a member.
    pub members: Members,
}

/// What was measured on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Events {
    /// How long no store could reach the hub.
    pub offline: Duration,
    /// Sales rung up meanwhile.
    pub sold_offline: usize,
    /// From the mended line until the hub had all of them.
    pub caught_up: Duration,
    /// From the kill until the store acknowledged a sale again.
    pub down: Duration,
    /// How long one store had neighbours only.
    pub by_neighbour: Duration,
    /// Its sales that reached the hub in that time.
    pub carried: u64,
}

impl Day<'_> {
    /// Plays the whole day. When it returns all lines are mended and every sale is acknowledged.
    pub fn play(&mut self) -> Result<Events, DemoError> {
        let mut events = Events::default();
        self.say("the shops open; every sale is durable at its store before the till hears of it");
        self.pass_until(ORDER_AT_S)?;
        self.order()?;
        self.enrol()?;
        self.pass_until(CUT_AT_S)?;
        self.cut_hub(&mut events)?;
        self.kill_store(&mut events)?;
        self.reach_by_neighbour(&mut events)?;
        self.finish()?;
        Ok(events)
    }

    fn cut_hub(&mut self, events: &mut Events) -> Result<(), DemoError> {
        let before = self.sold();
        (1..=STORES).try_for_each(|store| self.chain.cut(store, true))?;
        let cut = Instant::now();
        self.clock.go_on(MEND_AT_S);
        self.say("hub unreachable: the stores go on selling, nobody at a till notices");
        self.reserve()?;
        self.collect()?;
        self.meet_members()?;
        self.pass_until(MEND_AT_S)?;
        events.sold_offline = self.sold() - before;
        events.offline = cut.elapsed();
        (1..=STORES).try_for_each(|store| self.chain.cut(store, false))?;
        self.clock.go_on(KILL_AT_S);
        let (sold, seconds) = (events.sold_offline, events.offline.as_secs_f64());
        self.say(format!("the hub is back after {seconds:.1} s, in which {sold} sales were rung up without it"));
        let (mended, moment) = (Instant::now(), Timestamp::now());
        for store in 1..=STORES {
            self.wait(&format!("store {store} to bring the hub what it missed"), CATCH_UP_MAX, |day| {
                let status = status_of(day.chain.store(store))?;
                if status.brought_all_since(moment) { Ok(()) } else { Err(format!("{:?}", status.backlog).into()) }
            })?;
        }
        events.caught_up = mended.elapsed();
        let seconds = events.caught_up.as_secs_f64();
        self.say(format!("the hub has caught up, {seconds:.1} s after its line was mended"));
        self.join_accounts()
    }

    /// Customers on line and at the counters want what tills are selling; nobody can ask anybody.
    fn reserve(&mut self) -> Result<(), DemoError> {
        self.wait("the lines to be dead at both ends", LINE_MAX, |day| {
            let hub = status_of(day.chain.hub())?.neighbours();
            if hub == 0 { Ok(()) } else { Err(format!("{hub} stores on the line").into()) }
        })?;
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        self.asked = shoppers::ask(&doors, self.sample, (CUT_AT_S, MEND_AT_S))?;
        let last = shoppers::sell_last_unit(self.chain.store(shoppers::LAST_UNIT_AT), self.sample.last_unit())?;
        self.asked.last_sale = Some(last);
        let hard = self.asked.made.values().filter(|made| made.hard).count();
        let (soft, no) = (self.asked.made.len() - hard, self.asked.turned_down);
        self.say(format!(
            "on line and at the counters, without any line: {hard} promises with goods behind them, {soft} to be confirmed, {no} \
             wishes turned down; and a till sold the one unit that all of them wanted"
        ));
        Ok(())
    }

    /// Customers order on line, and the stores make their orders ready.
    fn order(&mut self) -> Result<(), DemoError> {
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        self.orders = Orders::place(&doors, self.sample).map_err(DemoError::refused("an order"))?;
        self.wait("the stores to make the orders ready", READY_MAX, |day| match day.orders.make_ready(&doors)? {
            0 => Ok(()),
            open => Err(format!("{open} have not arrived").into()),
        })?;
        let placed = self.orders.placed.len();
        self.say(format!(
            "customers ordered on line: {placed} orders are offered, accepted, picked and ready at their stores"
        ));
        Ok(())
    }

    /// Customers come for their orders, and cancel them, while the hub reaches nobody.
    fn collect(&mut self) -> Result<(), DemoError> {
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        let told = self.orders.come(&doors, self.sample).map_err(DemoError::refused("an order"))?;
        told.into_iter().for_each(|sentence| self.say(sentence));
        Ok(())
    }

    /// Two customers become members, and their store hears of it.
    fn enrol(&mut self) -> Result<(), DemoError> {
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        self.members = Members::enrol(&doors).map_err(DemoError::refused("a member"))?;
        self.wait(&format!("store {HOME} to know its members"), MEMBERS_MAX, |day| {
            Ok(day.members.known_at_home(&doors)?)
        })?;
        self.say(format!(
            "two customers became members on line: store {HOME} knows them and what is noted of them, no other store does"
        ));
        let told = self.members.shop(&doors, self.sample).map_err(DemoError::refused("a member"))?;
        self.say(told);
        Ok(())
    }

    /// What members do and want while the hub reaches nobody.
    fn meet_members(&mut self) -> Result<(), DemoError> {
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        let told = self.members.meanwhile(&doors, self.sample).map_err(DemoError::refused("a member"))?;
        told.into_iter().for_each(|sentence| self.say(sentence));
        Ok(())
    }

    /// What was said of members on both sides of the cut comes together.
    fn join_accounts(&mut self) -> Result<(), DemoError> {
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        self.wait("the hub to find a member's other account", MEMBERS_MAX, |day| {
            Ok(day.members.perhaps_one(&doors[0])?)
        })?;
        let told = self.members.prove(&doors[0]).map_err(DemoError::refused("a member"))?;
        self.say(told);
        self.wait("all nodes to agree about members", MEMBERS_MAX, |day| Ok(day.members.settled(&doors)?))?;
        Ok(())
    }

    /// Customers come for what was promised to them.
    fn hand_over(&mut self) -> Result<(), DemoError> {
        let doors: Vec<_> = self.chain.doors().cloned().collect();
        self.wait("all promises to be kept or made good", HAND_OVER_MAX, |day| {
            match shoppers::hand_over(&doors, &day.asked)? {
                0 => Ok(()),
                open => Err(format!("{open} are open").into()),
            }
        })?;
        self.say("customers came for what was promised to them");
        self.wait("all orders to come to their end", HAND_OVER_MAX, |day| match day.orders.settle(&doors)? {
            0 => Ok(()),
            open => Err(format!("{open} are open").into()),
        })?;
        Ok(())
    }

    fn kill_store(&mut self, events: &mut Events) -> Result<(), DemoError> {
        self.pass_until(KILL_AT_S)?;
        let killed = Instant::now();
        let id = self.chain.kill(KILLED);
        self.clock.go_on(MESH_AT_S);
        let before = self.tills.acked(KILLED);
        self.say(format!("store {KILLED} killed while selling (kill -9, process {id}): its tills ask again and again"));
        self.pass(POWER_OFF)?;
        let took = self.chain.restart(KILLED)?.as_secs_f64();
        self.say(format!("store {KILLED} started again, ready after {took:.1} s: it finds every sale it acknowledged"));
        self.wait(&format!("store {KILLED} to acknowledge a sale again"), RESTART_MAX, |day| {
            let sold = day.tills.acked(KILLED) - before;
            if sold > 0 { Ok(()) } else { Err(String::from("none so far").into()) }
        })?;
        events.down = killed.elapsed();
        Ok(())
    }

    fn reach_by_neighbour(&mut self, events: &mut Events) -> Result<(), DemoError> {
        self.pass_until(MESH_AT_S)?;
        self.wait(&format!("store {FAR} to know its neighbours"), NEIGHBOUR_MAX, |day| {
            match status_of(day.chain.store(FAR))?.neighbours() {
                0 => Err(String::from("no link to another store").into()),
                _ => Ok(()),
            }
        })?;
        self.chain.cut(FAR, true)?;
        let cut = Instant::now();
        self.say(format!("store {FAR} reaches the hub only through its neighbours, who carry what they cannot read"));
        self.wait("the line to be dead at both ends", LINE_MAX, |day| {
            let linked = status_of(day.chain.store(FAR))?.reaches_hub();
            if linked { Err(String::from("it is up").into()) } else { Ok(()) }
        })?;
        let before = self.at_hub(FAR)?;
        self.clock.go_on(DIRECT_AT_S);
        self.pass_until(DIRECT_AT_S)?;
        // A day at high speed may pass faster than a parcel travels.
        events.carried = self.wait(&format!("sales of store {FAR} to reach the hub"), CARRY_MAX, |day| {
            match day.at_hub(FAR).map_err(Seen::Never)? - before {
                0 => Err(String::from("none came").into()),
                carried => Ok(carried),
            }
        })?;
        events.by_neighbour = cut.elapsed();
        self.chain.cut(FAR, false)?;
        self.clock.go_on(END_S);
        let carried = events.carried;
        self.say(format!(
            "{carried} sales of store {FAR} came to the hub sealed, by neighbours; its own line is back now"
        ));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), DemoError> {
        while !self.tills.is_done()? {
            self.pass(SHOW_AFTER)?;
        }
        self.say("the last sale is acknowledged, the shops close");
        self.hand_over()
    }

    /// Receipts of a store that the hub has.
    fn at_hub(&self, store: u32) -> Result<u64, DemoError> {
        let sums = books(self.chain.hub(), store).map_err(DemoError::refused("the takings at the hub"))?;
        Ok(sums.receipts)
    }

    fn sold(&self) -> usize {
        (1..=STORES).map(|store| self.tills.acked(store)).sum()
    }

    fn say(&self, words: impl AsRef<str>) {
        self.view.say(format!("{}  {}", self.clock.shows(), words.as_ref()));
    }

    /// Lets the day go on until a time of day.
    fn pass_until(&mut self, at_s: u32) -> Result<(), DemoError> {
        let due = self.clock.due(at_s).unwrap_or_else(Instant::now);
        self.pass(due.saturating_duration_since(Instant::now()))
    }

    fn pass(&mut self, time: Duration) -> Result<(), DemoError> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.look()?;
            self.interrupt.sleep(until.saturating_duration_since(Instant::now()).min(SHOW_AFTER))?;
        }
        Ok(())
    }

    /// Waits for something that is bound to come, while the day goes on.
    fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut ask: impl FnMut(&Self) -> Result<T, Seen>,
    ) -> Result<T, DemoError> {
        let interrupt = self.interrupt;
        interrupt.until(what, limit, || {
            self.look()?;
            ask(self)
        })
    }

    /// Shows how it goes. A till that gave up and a node that ended by itself end the day.
    fn look(&mut self) -> Result<(), DemoError> {
        self.view.show(&self.clock.shows(), self.board, self.tills);
        self.chain.check()?;
        self.tills.is_done().map(|_| ())
    }
}

/// Orders are placed by then; the goods are on the shelves since six.
const ORDER_AT_S: u32 = 9 * 3_600;

/// A fifth of the day's sales are rung up by then.
pub const CUT_AT_S: u32 = 12 * 3_600;

/// Another fifth later.
const MEND_AT_S: u32 = 14 * 3_600 + 30 * 60;

/// Just below half of the day's sales.
const KILL_AT_S: u32 = 15 * 3_600;

const MESH_AT_S: u32 = 16 * 3_600;

/// A third of the day's sales later.
const DIRECT_AT_S: u32 = 20 * 3_600 + 30 * 60;

/// The last sale is a few minutes earlier.
const END_S: u32 = 24 * 3_600;

/// The store that is killed.
const KILLED: u32 = 2;

/// The store that has neighbours only.
const FAR: u32 = 3;

/// As long as somebody needs to find the switch.
const POWER_OFF: Duration = Duration::from_secs(1);

/// Rows on the screen change this often.
const SHOW_AFTER: Duration = Duration::from_millis(100);

/// Reconnecting takes a second or two, and a small box may be busy.
const CATCH_UP_MAX: Duration = Duration::from_secs(40);

const RESTART_MAX: Duration = Duration::from_secs(60);

const NEIGHBOUR_MAX: Duration = Duration::from_secs(40);

const LINE_MAX: Duration = Duration::from_secs(10);

/// A hundred hand-overs, each durable twice, after the last promise has arrived.
const HAND_OVER_MAX: Duration = Duration::from_secs(60);

/// An offer travels in milliseconds; rights that it needs may have to be asked for.
const READY_MAX: Duration = Duration::from_secs(20);

/// An account travels in milliseconds, and its key with it.
const MEMBERS_MAX: Duration = Duration::from_secs(20);

/// A parcel leaves after 3 s of silence, and is sent again after 5 s.
const CARRY_MAX: Duration = Duration::from_secs(40);
