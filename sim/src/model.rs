//! What a store's core must agree with, told as simply as it can be: a list of what happened, and sums over it.
//!
//! Nothing here is incremental, indexed or stored. Every figure is added up from the list each time it is asked for.

use std::collections::BTreeMap;

use stockroom_core::input::sales::{SellRequest, VoidRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_crdt::ids::{Digest, Sku};
use stockroom_crdt::limits::QUANTITY_MAX;
use stockroom_crdt::money::{Unit, extend};
use stockroom_crdt::sale::ReceiptNumber;

/// A store as its till and its clerks remember it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    products: BTreeMap<Sku, Unit>,
    /// The series in which receipts are numbered: the node's epoch.
    pub series: u16,
    rollover_min: u64,
    happened: Vec<Happened>,
    keys: BTreeMap<Key, (Digest, usize)>,
    days: Vec<ModelDay>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Till(u32, u64),
    Client(Digest),
}

#[derive(Clone, Debug)]
enum Happened {
    Sale(ModelSale),
    Moved(Vec<Move>),
    Scan { session: u64, zone: String, line: Move },
    Closed { session: u64 },
    Day,
    Epoch,
}

/// A line of goods: what, and by how much the book changes (or, of a scan, how many were seen).
#[derive(Clone, Debug)]
struct Move {
    sku: Sku,
    unit: Unit,
    quantity: i64,
    at_ms: u64,
}

#[derive(Clone, Debug)]
struct ModelSale {
    receipt: ReceiptNumber,
    day: u32,
    late: bool,
    total: i64,
    moves: Vec<Move>,
    void_of: Option<ReceiptNumber>,
}

#[derive(Clone, Debug)]
struct ModelDay {
    date: u64,
    closed_ms: Option<u64>,
}

/// What an account must say. `None`: a count was spread over a restore, so only the wish for a recount is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Units on hand, and movements since the count on which they rest.
    pub on_hand: Option<(i64, u64)>,
    /// A recount is asked for.
    pub recount: bool,
}

/// How a command must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Something new, number `.0` of all that happened.
    New(usize),
    /// What number `.0` was answered.
    Again(usize),
    /// Done without an entry to point at.
    Done,
    /// A refusal of this sort.
    Refused(Sort),
}

/// Sorts of [`Refusal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Sort {
    Invalid,
    Unknown,
    Mismatch,
    State,
}

/// Per zone the scan that counts, with its number.
type Zones<'a> = BTreeMap<&'a str, (usize, &'a Move)>;

impl Expected {
    /// True when `answer` is of the kind that was expected; places are compared by the caller.
    pub fn fits(&self, answer: &Result<Answer, Refusal>) -> bool {
        match (self, answer) {
            (Self::New(_), Ok(Answer::Written { replayed, .. })) => !replayed,
            (Self::Again(_), Ok(Answer::Written { replayed, .. })) => *replayed,
            (Self::Done, Ok(Answer::Done)) => true,
            (Self::Refused(Sort::Invalid), Err(Refusal::Invalid { .. }))
            | (Self::Refused(Sort::Unknown), Err(Refusal::Unknown { .. }))
            | (Self::Refused(Sort::Mismatch), Err(Refusal::RetryMismatch))
            | (Self::Refused(Sort::State), Err(Refusal::State(_))) => true,
            _ => false,
        }
    }
}

impl Model {
    /// A store in its first epoch that sells `products`, and whose day rolls over so many minutes after midnight (UTC).
    pub fn new(products: BTreeMap<Sku, Unit>, rollover_min: u64) -> Self {
        Self { products, rollover_min, series: 1, ..Self::default() }
    }

    /// Carries a command out at `now_ms`, and says how it must be answered.
    pub fn apply(&mut self, command: &Command, now_ms: u64) -> Expected {
        let (key, body) = match command {
            Command::Sell(sell) => (Key::Till(sell.till.0, sell.till_seq), sell.body),
            Command::Void(void) => (Key::Till(void.till.0, void.till_seq), void.body),
            Command::NewEpoch(_) => {
                self.series += 1;
                self.happened.push(Happened::Epoch);
                return Expected::Done;
            }
            other => match retry_of(other) {
                Some(retry) => (Key::Client(retry.key), retry.body),
                None => return Expected::Refused(Sort::State),
            },
        };
        match self.keys.get(&key) {
            Some((held, number)) if *held == body => return Expected::Again(*number),
            Some(_) => return Expected::Refused(Sort::Mismatch),
            None => {}
        }
        match self.try_apply(command, now_ms) {
            Ok(()) => {
                let number = self.happened.len() - 1;
                self.keys.insert(key, (body, number));
                Expected::New(number)
            }
            Err(sort) => Expected::Refused(sort),
        }
    }

    fn try_apply(&mut self, command: &Command, now_ms: u64) -> Result<(), Sort> {
        match command {
            Command::Sell(request) => self.sell(request, now_ms)?,
            Command::Void(request) => self.void(request, now_ms)?,
            Command::Receive(_, receipt) => {
                let of =
                    |l: &stockroom_crdt::receiving::ReceiptLine| self.known(&l.sku, l.unit, (l.quantity, 1), now_ms);
                let moves = receipt.lines.iter().map(of).collect::<Result<Vec<_>, _>>()?;
                self.happened.push(Happened::Moved(moves));
            }
            Command::Adjust(_, adjustment) => {
                if adjustment.delta == 0 || adjustment.reason.is_empty() || adjustment.delta == i64::MIN {
                    return Err(Sort::Invalid);
                }
                let (takes, adds) = (adjustment.delta < 0, adjustment.delta > 0);
                match adjustment.reason.as_str() {
                    "damage" | "theft" | "own-use" | "expired" | "sample" if adds => return Err(Sort::Invalid),
                    "found" if takes => return Err(Sort::Invalid),
                    _ => {}
                }
                let mut moved = self.known(&adjustment.sku, adjustment.unit, (adjustment.delta.abs(), 1), now_ms)?;
                moved.quantity = adjustment.delta;
                self.happened.push(Happened::Moved(vec![moved]));
            }
            Command::CountScan(_, scan) => {
                let line = self.known(&scan.sku, scan.unit, (scan.quantity, 0), now_ms)?;
                self.check_open(scan.session)?;
                let zone = scan.zone.as_str().to_owned();
                self.happened.push(Happened::Scan { session: scan.session, zone, line });
            }
            Command::CountClose { session, .. } => {
                self.check_open(*session)?;
                if !self.happened.iter().any(|h| matches!(h, Happened::Scan { session: s, .. } if s == session)) {
                    return Err(Sort::Unknown);
                }
                self.happened.push(Happened::Closed { session: *session });
            }
            Command::DayOpen(..) if self.open_day().is_some() => return Err(Sort::State),
            Command::DayOpen(..) => self.day_opens(now_ms),
            Command::DayClose(..) => {
                self.days.last_mut().filter(|day| day.closed_ms.is_none()).ok_or(Sort::State)?.closed_ms = Some(now_ms);
                self.happened.push(Happened::Day);
            }
            _ => return Err(Sort::State),
        }
        Ok(())
    }

    /// The store's hour may have passed.
    pub fn wake(&mut self, now_ms: u64) {
        let date = self.date(now_ms);
        if let Some(day) = self.days.last_mut().filter(|day| day.closed_ms.is_none() && date > day.date) {
            day.closed_ms = Some(now_ms);
        }
    }

    /// Every account that anything moved or counted, by its name.
    pub fn stock(&self) -> BTreeMap<String, Figure> {
        let counted = self.happened.iter().flat_map(|happened| match happened {
            Happened::Closed { session } => self.scans(*session).into_keys().collect(),
            _ => Vec::new(),
        });
        let moved = self.moves().map(|(_, line)| (line.sku.clone(), line.unit));
        let accounts: std::collections::BTreeSet<_> = moved.chain(counted).collect();
        accounts.into_iter().map(|key| (format!("{}/{}", key.0, key.1.as_str()), self.figure(&key))).collect()
    }

    /// Receipts, late ones among them, and the total of each day, by its number.
    pub fn days(&self) -> BTreeMap<u32, (u64, u64, i64, bool)> {
        let mut out: BTreeMap<u32, (u64, u64, i64, bool)> = BTreeMap::new();
        for (number, day) in (1..).zip(&self.days) {
            out.insert(number, (0, 0, 0, day.closed_ms.is_some()));
        }
        for sale in self.sales() {
            let day = out.entry(sale.day).or_default();
            *day = (day.0 + 1, day.1 + u64::from(sale.late), day.2 + sale.total, day.3);
        }
        out
    }

    /// All receipt numbers with their totals.
    pub fn receipts(&self) -> BTreeMap<ReceiptNumber, i64> {
        self.sales().map(|sale| (sale.receipt, sale.total)).collect()
    }

    /// How many writes are remembered, so that a second try has no effect.
    pub fn retries(&self) -> usize {
        self.keys.len()
    }

    fn sell(&mut self, request: &SellRequest, now_ms: u64) -> Result<(), Sort> {
        let rung = request.rung_ms.unwrap_or(now_ms);
        let approved = !request.approver.is_empty();
        let (mut moves, mut total) = (Vec::new(), request.cash_rounding);
        for line in &request.lines {
            let own = self.products.get(&line.sku).copied();
            let unit = line.unit.or(own).unwrap_or(Unit::Each);
            let refused = line.quantity == 0
                || line.quantity == i64::MIN
                || (line.quantity < 0 && !approved)
                || line.quantity.abs() > QUANTITY_MAX
                || own.is_some_and(|own| own != unit);
            let price = line.unit_price.filter(|price| *price >= 0 && !refused).ok_or(Sort::Invalid)?;
            total += extend(unit, line.quantity, price) - line.discount;
            moves.push(Move { sku: line.sku.clone(), unit, quantity: -line.quantity, at_ms: rung });
        }
        if request.lines.is_empty() || total != request.tenders.iter().map(|tender| tender.amount).sum::<i64>() {
            return Err(Sort::Invalid);
        }
        self.post((request.till, None), rung, (total, moves), now_ms);
        Ok(())
    }

    fn void(&mut self, request: &VoidRequest, now_ms: u64) -> Result<(), Sort> {
        if request.approver.is_empty() {
            return Err(Sort::Invalid);
        }
        let original = self.sales().find(|sale| sale.receipt == request.receipt).cloned().ok_or(Sort::Unknown)?;
        if original.void_of.is_some() || self.sales().any(|sale| sale.void_of == Some(request.receipt)) {
            return Err(Sort::State);
        }
        let back = |line: Move| Move { quantity: -line.quantity, at_ms: now_ms, ..line };
        let moves = original.moves.into_iter().map(back).collect();
        self.post((request.till, Some(request.receipt)), now_ms, (-original.total, moves), now_ms);
        Ok(())
    }

    fn post(
        &mut self,
        (till, void_of): (stockroom_crdt::ids::TillId, Option<ReceiptNumber>),
        rung: u64,
        (total, moves): (i64, Vec<Move>),
        now_ms: u64,
    ) {
        self.wake(now_ms);
        if self.open_day().is_none() {
            self.day_opens(now_ms);
        }
        let series = self.series;
        let before = self.sales().filter(|sale| sale.receipt.till == till && sale.receipt.series == series).count();
        let day = self.days.len() as u32;
        let late = self.days.iter().rev().nth(1).and_then(|day| day.closed_ms).is_some_and(|closed| rung < closed);
        let receipt = ReceiptNumber { till, series, sequence: before as u64 + 1 };
        self.happened.push(Happened::Sale(ModelSale { receipt, day, late, total, moves, void_of }));
    }

    fn day_opens(&mut self, now_ms: u64) {
        self.days.push(ModelDay { date: self.date(now_ms), closed_ms: None });
        self.happened.push(Happened::Day);
    }

    fn open_day(&self) -> Option<&ModelDay> {
        self.days.last().filter(|day| day.closed_ms.is_none())
    }

    fn date(&self, now_ms: u64) -> u64 {
        (now_ms - self.rollover_min * 60_000) / 86_400_000
    }

    fn known(&self, sku: &Sku, unit: Unit, (quantity, min): (i64, i64), at_ms: u64) -> Result<Move, Sort> {
        if !(min..=QUANTITY_MAX).contains(&quantity) {
            return Err(Sort::Invalid);
        }
        match self.products.get(sku) {
            None => Err(Sort::Unknown),
            Some(own) if *own != unit => Err(Sort::Invalid),
            Some(_) => Ok(Move { sku: sku.clone(), unit, quantity, at_ms }),
        }
    }

    fn check_open(&self, session: u64) -> Result<(), Sort> {
        let closed = self.happened.iter().any(|h| matches!(h, Happened::Closed { session: s } if *s == session));
        if closed { Err(Sort::State) } else { Ok(()) }
    }

    fn sales(&self) -> impl Iterator<Item = &ModelSale> {
        self.happened.iter().filter_map(|happened| if let Happened::Sale(sale) = happened { Some(sale) } else { None })
    }

    fn moves(&self) -> impl Iterator<Item = (usize, &Move)> {
        self.happened.iter().enumerate().flat_map(|(at, happened)| {
            let lines: &[Move] = match happened {
                Happened::Sale(sale) => &sale.moves,
                Happened::Moved(lines) => lines,
                Happened::Scan { .. } | Happened::Closed { .. } | Happened::Day | Happened::Epoch => &[],
            };
            lines.iter().map(move |line| (at, line))
        })
    }

    /// The scans of a session that count: the last of each product and zone, with its number.
    fn scans(&self, session: u64) -> BTreeMap<(Sku, Unit), Zones<'_>> {
        let mut out: BTreeMap<_, Zones<'_>> = BTreeMap::new();
        for (at, happened) in self.happened.iter().enumerate() {
            if let Happened::Scan { session: s, zone, line } = happened
                && *s == session
            {
                out.entry((line.sku.clone(), line.unit)).or_default().insert(zone.as_str(), (at, line));
            }
        }
        out
    }

    fn figure(&self, account: &(Sku, Unit)) -> Figure {
        let of_account = |line: &Move| line.sku == account.0 && line.unit == account.1;
        let closes = self.happened.iter().enumerate().rev().filter_map(|(at, happened)| match happened {
            Happened::Closed { session } => Some((at, self.scans(*session).remove(account)?)),
            _ => None,
        });
        let Some((closed, zones)) = closes.into_iter().next() else {
            let all: Vec<_> = self.moves().filter(|(_, line)| of_account(line)).collect();
            let sum = all.iter().map(|(_, line)| line.quantity).sum();
            return Figure { on_hand: Some((sum, all.len() as u64)), recount: false };
        };
        let ats = || zones.values().map(|(at, _)| *at);
        let (first, last) = (ats().min().unwrap_or(0), ats().max().unwrap_or(0));
        let scanned_ms = zones.values().map(|(_, line)| line.at_ms).max().unwrap_or(0);
        let counted: i64 = zones.values().map(|(_, line)| line.quantity).sum();
        let after: Vec<_> = self.moves().filter(|(at, line)| *at > last && of_account(line)).collect();
        let between = self.moves().any(|(at, line)| of_account(line) && (first..last).contains(&at));
        let late = after.iter().any(|(_, line)| line.at_ms < scanned_ms);
        let epoch =
            self.happened[first..closed].iter().rposition(|h| matches!(h, Happened::Epoch)).map(|at| first + at);
        let torn = epoch.is_some_and(|epoch| self.moves().any(|(at, l)| of_account(l) && (first..epoch).contains(&at)));
        let sum = counted + after.iter().map(|(_, line)| line.quantity).sum::<i64>();
        let on_hand = (!torn).then_some((sum, after.len() as u64));
        Figure { on_hand, recount: between || late || torn }
    }
}

fn retry_of(command: &Command) -> Option<&RetryKey> {
    match command {
        Command::Receive(retry, _)
        | Command::Adjust(retry, _)
        | Command::CountScan(retry, _)
        | Command::CountClose { retry, .. }
        | Command::DayOpen(retry, _)
        | Command::DayClose(retry, _) => Some(retry),
        _ => None,
    }
}
