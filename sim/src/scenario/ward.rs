//! Orders from real places at real times: shops of one ward, and the orders of another city laid over them.
//!
//! No record at hand has orders and the shops that they were collected from. So times of day and the pattern of places come from one
//! record and the shops from another, and what is done to fit them together is said in words.

use std::collections::BTreeMap;

use super::Draw;
use crate::data::places::{Asked, Places, Point, Shop};
use crate::data::thousands;

/// Shops of one chain in a ward, and orders laid over them.
pub(super) struct Ward {
    shops: Vec<Point>,
    /// Milliseconds from the beginning of the rush, and where.
    orders: Vec<(u64, Point)>,
    /// Shuffled places in `orders`, and how many of them were used.
    deck: Vec<usize>,
    used: usize,
    /// What was done to the records.
    words: String,
    /// Metres from each customer to the nearest store.
    ways: Vec<i64>,
    /// Customers who let the order go to the second store.
    seconds: u64,
}

/// An order of the ward.
pub(super) struct Laid {
    /// Milliseconds from the beginning of the rush.
    pub(super) at_ms: u64,
    /// The nearest store, and the next nearest if the customer lets it.
    pub(super) stores: Vec<u32>,
}

impl Ward {
    /// Picks so many shops, and spreads the recorded orders over them and a rush of this length.
    pub(super) fn draw(draw: &mut Draw<'_>, places: &Places, stores: u32, rush_ms: u64) -> Option<Self> {
        let (brand, shops) = chain(draw, &places.shops, stores as usize)?;
        let from_s = busiest(&places.asked);
        let (low, high) = middle(&places.asked)?;
        let (south_west, north_east) = corners(&shops)?;
        let inside = |asked: &&Asked| {
            (from_s..from_s + WINDOW_S).contains(&asked.second)
                && (low.north..=high.north).contains(&asked.to.north)
                && (low.east..=high.east).contains(&asked.to.east)
        };
        let onto = |value: i64, (low, high): (i64, i64), (from, to): (i64, i64)| {
            from + (value - low) * (to - from) / (high - low).max(1)
        };
        let lay = |asked: &Asked| {
            let at_ms = u64::from(asked.second - from_s) * rush_ms / u64::from(WINDOW_S);
            let north = onto(asked.to.north, (low.north, high.north), (south_west.north, north_east.north));
            let east = onto(asked.to.east, (low.east, high.east), (south_west.east, north_east.east));
            (at_ms, Point { north, east })
        };
        let orders: Vec<(u64, Point)> = places.asked.iter().filter(inside).map(lay).collect();
        let metres = |to: Point| south_west.apart(to).isqrt() / 100;
        let words = format!(
            "orders: real: {} of {} recorded same-city orders, from {}:00 to {}:00 on days laid over each other, that window scaled to {} min; \
             their destinations, the middle nine tenths each way, mapped onto {} by {} m around {} {brand} stores of one ward of Tokyo",
            thousands(orders.len() as u64),
            thousands(places.asked.len() as u64),
            from_s / 3_600,
            (from_s + WINDOW_S) / 3_600,
            rush_ms / 60_000,
            metres(Point { north: north_east.north, ..south_west }),
            metres(Point { east: north_east.east, ..south_west }),
            shops.len(),
        );
        let mut deck: Vec<usize> = (0..orders.len()).collect();
        for at in (1..deck.len()).rev() {
            deck.swap(at, draw.from(0, at as u64) as usize);
        }
        (!orders.is_empty()).then_some(Self { shops, orders, deck, used: 0, words, ways: Vec::new(), seconds: 0 })
    }

    /// The next order. When all are used they come again.
    pub(super) fn next(&mut self, draw: &mut Draw<'_>) -> Laid {
        let (at_ms, place) = self.orders[self.deck[self.used % self.deck.len()]];
        self.used += 1;
        let mut near: Vec<(i64, u32)> = (1..).zip(&self.shops).map(|(store, at)| (place.apart(*at), store)).collect();
        near.sort_unstable();
        self.ways.push(near[0].0.isqrt() / 100);
        // Whether a customer would walk to the second store is in no record.
        let lets = draw.chance(SECOND_PERCENT) && near.len() > 1;
        self.seconds += u64::from(lets);
        let stores = near.iter().take(if lets { 2 } else { 1 }).map(|(_, store)| *store).collect();
        Laid { at_ms, stores }
    }

    /// What was done, with the figures.
    pub(super) fn words(&mut self) -> String {
        self.ways.sort_unstable();
        let way = self.ways.get(self.ways.len() / 2).copied().unwrap_or(0);
        let times = self.used.div_ceil(self.orders.len().max(1));
        let used = thousands(self.used as u64);
        format!(
            "; {}; {used} orders, a recorded one used up to {times} times; half of the customers within {way} m of the nearest store, where they \
             collect; {} let it be the next nearest (assumed: {SECOND_PERCENT} %)",
            self.words,
            thousands(self.seconds)
        )
    }
}

/// A shop of the ward's largest chain, and those of the same chain that are nearest to it, but for shops next door: some are recorded twice,
/// and for others a customer makes no difference between them.
fn chain(draw: &mut Draw<'_>, shops: &[Shop], count: usize) -> Option<(String, Vec<Point>)> {
    let in_ward =
        |at: Point| (WARD.0.north..WARD.1.north).contains(&at.north) && (WARD.0.east..WARD.1.east).contains(&at.east);
    let mut brands: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for shop in shops.iter().filter(|shop| in_ward(shop.at)) {
        brands.entry(&shop.brand).or_default().push(shop.at);
    }
    let (brand, mut found) = brands.into_iter().max_by_key(|(_, found)| found.len())?;
    found.sort_unstable();
    found.dedup();
    if found.len() < count.max(2) {
        return None;
    }
    let first = found[draw.from(0, found.len() as u64 - 1) as usize];
    found.sort_by_key(|at| (first.apart(*at), *at));
    let mut spaced: Vec<Point> = Vec::new();
    for at in found {
        if spaced.len() < count && spaced.iter().all(|held| held.apart(at) >= SPACE_CM * SPACE_CM) {
            spaced.push(at);
        }
    }
    (spaced.len() >= count.max(2)).then_some((brand.to_owned(), spaced))
}

/// Shops are at least so far from each other.
const SPACE_CM: i64 = 30_000;

/// The second at which the busiest hours of a day begin, on the hour.
fn busiest(asked: &[Asked]) -> u32 {
    let mut hours = [0_u64; 24];
    asked.iter().for_each(|asked| hours[(asked.second / 3_600) as usize % 24] += 1);
    let window = (WINDOW_S / 3_600) as usize;
    let most = (0..=24 - window).max_by_key(|from| (hours[*from..from + window].iter().sum::<u64>(), 24 - from));
    most.unwrap_or(0) as u32 * 3_600
}

/// Between these are nine tenths of all destinations, each way: a few lie far outside the city.
fn middle(asked: &[Asked]) -> Option<(Point, Point)> {
    let bounds = |mut values: Vec<i64>| {
        values.sort_unstable();
        let twentieth = values.len() / 20;
        Some((*values.get(twentieth)?, *values.get(values.len().checked_sub(1 + twentieth)?)?))
    };
    let north = bounds(asked.iter().map(|asked| asked.to.north).collect())?;
    let east = bounds(asked.iter().map(|asked| asked.to.east).collect())?;
    Some((Point { north: north.0, east: east.0 }, Point { north: north.1, east: east.1 }))
}

fn corners(shops: &[Point]) -> Option<(Point, Point)> {
    let (north, east) = (shops.iter().map(|at| at.north), shops.iter().map(|at| at.east));
    Some((
        Point { north: north.clone().min()?, east: east.clone().min()? },
        Point { north: north.max()?, east: east.max()? },
    ))
}

/// About the ward of Shinjuku, by its southern, western, northern and eastern ends.
const WARD: (Point, Point) =
    (Point { north: 35_673_000, east: 139_673_000 }, Point { north: 35_730_000, east: 139_745_000 });

/// Of the recorded day, the busiest six hours.
const WINDOW_S: u32 = 6 * 3_600;

/// Customers who let the order go to another store: assumed.
const SECOND_PERCENT: u64 = 50;
