//! Where shops are, and when and to where people of a city ordered.
//!
//! Degrees are held as millionths, and distances are reckoned in whole centimetres, so that every machine finds the same shop nearest.

use std::io::BufRead;

use super::DataError;
use super::rows::{Column, Row, Rows};

/// A point on the ground, in millionths of a degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// To the north.
    pub north: i64,
    /// To the east.
    pub east: i64,
}

impl Point {
    /// The square of the distance, in square centimetres, on a plane that touches the globe at `self`'s latitude in Tokyo: a degree to
    /// the east has 90.4 km there, one to the north 111.3 km. Good to a percent within a city.
    pub fn apart(self, other: Self) -> i64 {
        let north = (self.north - other.north) * NORTH_CM / 1_000;
        let east = (self.east - other.east) * EAST_CM / 1_000;
        north.saturating_mul(north).saturating_add(east.saturating_mul(east))
    }
}

/// A shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    /// The source's number.
    pub id: u32,
    /// Its chain.
    pub brand: String,
    /// Where it is.
    pub at: Point,
}

/// Somebody ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Second of the day, local time.
    pub second: u32,
    /// Where the goods went.
    pub to: Point,
}

/// Real places and times of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Shops, by the source's number.
    pub shops: Vec<Shop>,
    /// Orders in the source's order, those left out that it marks as implausible.
    pub asked: Vec<Asked>,
}

/// Reads shops, compressed or not: `store_id,brand_en,lat,lng` among other columns.
///
/// # Errors
/// The header is another, a field is missing, no number or nowhere on the globe, or there is no row at all.
pub fn read_shops(input: impl BufRead, file: &str) -> Result<Vec<Shop>, DataError> {
    let mut rows = Rows::open(input, file)?;
    let [id, brand, lat, lng] = rows.columns(["store_id", "brand_en", "lat", "lng"])?;
    let mut shops = Vec::new();
    while let Some(row) = rows.next_row()? {
        shops.push(Shop { id: row.small(id)?, brand: row.name(brand)?.to_owned(), at: point(&row, lat, lng)? });
    }
    if shops.is_empty() {
        return Err(rows.fault("has no rows"));
    }
    shops.sort_by_key(|shop| shop.id);
    Ok(shops)
}

/// Reads orders, compressed or not: `placed_s,dest_lat,dest_lon,flag` among other columns. Rows with a flag are left out.
///
/// # Errors
/// The header is another, a field is missing, no number, nowhere on the globe or beyond a day, or no row is left.
pub fn read_asked(input: impl BufRead, file: &str) -> Result<Vec<Asked>, DataError> {
    let mut rows = Rows::open(input, file)?;
    let [placed, lat, lng, flag] = rows.columns(["placed_s", "dest_lat", "dest_lon", "flag"])?;
    let mut asked = Vec::new();
    while let Some(row) = rows.next_row()? {
        let second = u32::try_from(row.whole(placed, DAY_S - 1)?).expect("a day has fewer seconds");
        let to = point(&row, lat, lng)?;
        if row.text(flag).is_empty() {
            asked.push(Asked { second, to });
        }
    }
    if asked.is_empty() {
        return Err(rows.fault("has no rows that are plausible"));
    }
    Ok(asked)
}

fn point(row: &Row<'_>, lat: Column, lng: Column) -> Result<Point, DataError> {
    Ok(Point { north: row.signed(lat, 6, 90_000_000)?, east: row.signed(lng, 6, 180_000_000)? })
}

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// Centimetres in a thousandth of a degree to the north.
const NORTH_CM: i64 = 11_132;

/// The same to the east, where Tokyo lies.
const EAST_CM: i64 = 9_040;

#[cfg(test)]
mod tests {
    use super::Point;

    #[test]
    fn two_stations_of_tokyo_are_as_far_apart_as_a_map_says() {
        let shinjuku = Point { north: 35_690_000, east: 139_700_000 };
        let yotsuya = Point { north: 35_686_000, east: 139_730_000 };
        let metres = shinjuku.apart(yotsuya).isqrt() / 100;
        assert!((2_700..2_780).contains(&metres), "{metres}");
    }
}
