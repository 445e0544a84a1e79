//! What goes over a link of the star, and how many bytes it is: rights in the encoding in which they are stored and sent.

use stockroom_crdt::codec::{Rows, Sink, col};
use stockroom_crdt::ids::{Actor, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::rights::{Account, Class, RightsRow};

use super::draws::Draws;
use crate::link::LinkSpec;

/// From a node to the centre.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Its row of goods, if the centre may not have it.
    pub goods: Option<RightsRow>,
    /// Its row of the overbooking budget, likewise.
    pub budget: Option<RightsRow>,
    /// Units asked for so far.
    pub seen: u64,
    /// Soft promises that wait for a right.
    pub waiting: u64,
    /// Sum of the risks of all its soft promises, parts per million.
    pub risk_ppm: u64,
    /// A numbered request for so many rights.
    pub request: Option<(u32, u64)>,
}

/// From the centre to a node.
#[derive(Clone, Debug, Default)]
pub struct Word {
    /// The centre's row as the node's scope has it: what was granted to this node, and which of its requests was answered.
    pub goods: Option<RightsRow>,
    /// The same of the overbooking budget.
    pub budget: Option<RightsRow>,
    /// What others have and want.
    pub others: Option<Others>,
    /// A numbered wish for so many rights back.
    pub reclaim: Option<(u32, u64)>,
    /// Rights that are cut off will very likely come back: a soft promise may stand on them.
    pub backed: bool,
}

/// What a node has to know for a soft promise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Others {
    /// Free rights elsewhere.
    pub elsewhere: u64,
    /// What others ask for, units per millisecond.
    pub rate: f64,
    /// The risk that a soft promise may have, parts per million.
    pub allowed_ppm: u32,
}

/// One link, up or down. What is under way when it fails is lost: it belongs to an earlier `time`.
#[derive(Debug)]
pub struct Wire {
    /// The path.
    pub spec: LinkSpec,
    /// It is up.
    pub up: bool,
    /// How many times it has failed; a message of an earlier time never arrives.
    pub time: u32,
    /// Bytes sent in both directions.
    pub bytes: u64,
    busy_us: [u64; 2],
    last_ms: [u64; 2],
}

/// One of the two directions of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Up.
    ToCentre = 0,
    /// Down.
    ToNode = 1,
}

/// The part of the centre's row that the scope of one lower end holds.
pub fn facing(row: &RightsRow, node: Actor) -> RightsRow {
    let mut part = RightsRow::default();
    part.grants.extend(row.grants.get(&node).map(|units| (node, *units)));
    part.served.extend(row.served.get(&node).map(|number| (node, *number)));
    part
}

impl Report {
    /// Bytes of the message.
    pub fn bytes(&self) -> usize {
        let hints = Rows::of(|sink| {
            sink.uint(col::COUNT, self.seen);
            sink.uint(col::B, self.waiting);
            sink.uint(col::C, self.risk_ppm);
            if let Some((number, units)) = self.request {
                sink.uint(col::D, u64::from(number));
                sink.uint(col::QUANTITY, units);
            }
        });
        entries([&self.goods, &self.budget]) + hints.len() + FRAME_BYTES
    }
}

impl Word {
    /// Bytes of the message.
    pub fn bytes(&self) -> usize {
        let hints = Rows::of(|sink| {
            if let Some(others) = self.others {
                sink.uint(col::QUANTITY, others.elsewhere);
                sink.uint(col::E, u64::from(others.allowed_ppm));
                // Thousandths of a unit per day.
                sink.uint(col::A, (others.rate * 86_400_000.0 * 1_000.0) as u64);
            }
            if let Some((number, units)) = self.reclaim {
                sink.uint(col::D, u64::from(number));
                sink.uint(col::QUANTITY, units);
            }
        });
        entries([&self.goods, &self.budget]) + hints.len() + FRAME_BYTES
    }
}

impl Wire {
    /// A link that is up.
    pub fn new(spec: LinkSpec) -> Self {
        Self { spec, up: true, time: 0, bytes: 0, busy_us: [0; 2], last_ms: [0; 2] }
    }

    /// Sends to the centre or to the node; when it arrives, unless the link fails before. Nothing is sent on a link that is down.
    pub fn send(&mut self, now_ms: u64, way: Way, bytes: usize, draws: &mut Draws) -> Option<u64> {
        if !self.up {
            return None;
        }
        self.bytes += bytes as u64;
        let crossing = self.spec.cross(now_ms, way == Way::ToCentre, bytes, self.busy_us[way as usize], draws.word());
        self.busy_us[way as usize] = crossing.busy_us;
        // A later message never overtakes an earlier one.
        let arrives = crossing.arrives_ms.max(self.last_ms[way as usize]);
        self.last_ms[way as usize] = arrives;
        Some(arrives)
    }

    /// The link fails.
    pub fn cut(&mut self) {
        self.up = false;
        self.time += 1;
        (self.busy_us, self.last_ms) = ([0; 2], [0; 2]);
    }
}

fn entries(rows: [&Option<RightsRow>; 2]) -> usize {
    let entry = |(row, class): (&Option<RightsRow>, Class)| {
        row.as_ref().map_or(0, |row| {
            let bytes = Rows::of(|sink| {
                account().encode(sink);
                class.encode(sink);
                row.encode(sink);
            });
            bytes.len() + ENTRY_BYTES
        })
    };
    rows.into_iter().zip([Class::Goods, Class::Overbooking]).map(entry).sum()
}

/// The account of every run: a number of usual length.
fn account() -> Account {
    Account { store: StoreId(101), sku: Sku::parse("1082185").expect("digits are a SKU"), unit: Unit::Each }
}

/// Per entry beside its row, assumed: kind, hybrid clock, actor, sequence number, and its share of the log's hash and seal.
pub const ENTRY_BYTES: usize = 24;

/// Per message, assumed: the frame's kind and length, and the account that its hints are about.
pub const FRAME_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::draws::Stream;
    use super::*;

    #[test]
    fn a_row_costs_what_it_is_encoded_in() {
        let node = Actor::new(7, 1);
        let mut row = RightsRow { used: 3, ..RightsRow::default() };
        assert_eq!(Report::default().bytes(), FRAME_BYTES + 3);
        let small = Report { goods: Some(row.clone()), ..Report::default() }.bytes();
        // 1 for the store, 4 for the SKU, 1 each for unit, class and five numbers.
        assert!((FRAME_BYTES + 3 + ENTRY_BYTES + 11..=FRAME_BYTES + 3 + ENTRY_BYTES + 14).contains(&small), "{small}");
        row.grants.insert(node, 300);
        row.grants.insert(Actor::new(8, 1), 300);
        row.mint = 1_000_000;
        let part = facing(&row, node);
        assert_eq!((part.grants.len(), part.mint), (1, 0), "the rest of the row stands in other scopes");
    }

    #[test]
    fn nothing_is_sent_on_a_link_that_is_down() {
        let mut draws = Draws::new(1, 0, Stream::Wire);
        let mut wire = Wire::new(LinkSpec::wan());
        assert_eq!(wire.send(1_000, Way::ToCentre, 900, &mut draws), Some(1_021));
        wire.cut();
        assert_eq!(wire.send(1_100, Way::ToNode, 900, &mut draws), None);
        assert_eq!((wire.time, wire.bytes), (1, 900));
    }
}
