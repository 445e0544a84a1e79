//! Business days: opened by the first sale or by hand, closed by hand or at the store's hour, while tills sell.

use stockroom_crdt::day::{DayClose, DayOpen};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::scope::Scope;

use super::{Failed, own_store};
use crate::books::days::{self, Day};
use crate::input::{CoreError, Refusal};
use crate::journal::Place;
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::view::View;

/// Opens the day by hand.
pub fn open(replica: &mut Replica, staff: Code) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    match days::last(&replica.overlay, store)?.filter(|day| day.closed_ms == 0) {
        Some(day) => Err(Refusal::State(format!("day {} is open already", day.number)).into()),
        None => Ok(write_open(replica, store, staff)?),
    }
}

/// Closes the day by hand. Sales that arrive later post to the next one, marked late.
pub fn close(replica: &mut Replica, staff: Code) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    match days::last(&replica.overlay, store)?.filter(|day| day.closed_ms == 0) {
        Some(day) => Ok(write_close(replica, store, day.number, staff)?),
        None => Err(Refusal::State("no day is open".into()).into()),
    }
}

/// The day to which a sale posts, opened if need be; and whether it was rung up before that day.
pub fn of_sale(replica: &mut Replica, store: StoreId, rung_ms: u64) -> Result<(u32, bool), CoreError> {
    roll_over(replica)?;
    let last = days::last(&replica.overlay, store)?;
    let number = match last.as_ref().filter(|day| day.closed_ms == 0) {
        Some(day) => day.number,
        None => {
            write_open(replica, store, Code::default())?;
            last.as_ref().map_or(0, |day| day.number) + 1
        }
    };
    let before = if number > 1 { days::load(&replica.overlay, store, number - 1)?.closed_ms } else { 0 };
    Ok((number, rung_ms < before))
}

/// Closes the open day if the store's hour has passed since its date. The next sale opens the next.
pub fn roll_over(replica: &mut Replica) -> Result<(), CoreError> {
    let Some(store) = replica.own_store() else { return Ok(()) };
    let Some(day) = open_day(replica, store)? else { return Ok(()) };
    let date = business_date(replica, store)?;
    // A day dated beyond tomorrow was opened by a clock that was wrong: it must not stay open until that date. A clock that
    // shows a time before this node was enrolled is wrong itself, as after a start in 1970: it ends no day.
    let opened_ahead = date + 1 < day.date && replica.now.wall_ms >= replica.me.capability().issued_ms;
    if date > day.date || opened_ahead {
        write_close(replica, store, day.number, Code::default())?;
    }
    Ok(())
}

/// When the open day rolls over, on the monotonic clock.
pub fn rollover_deadline(replica: &Replica) -> Option<u64> {
    let store = replica.own_store()?;
    let day = open_day(replica, store).ok().flatten()?;
    let offset_ms = i64::from(replica.zone_offset_s) * 1000;
    let rollover_ms = rollover_min(replica, store).ok()? * 60_000;
    let ends_local_ms = (i64::from(day.date) + 1) * DAY_MS + rollover_ms;
    let left = ends_local_ms - offset_ms - replica.now.wall_ms as i64;
    // The wall clock may jump meanwhile: look again at least once an hour.
    Some(replica.now.mono_ms + left.clamp(1, HOUR_MS) as u64)
}

fn open_day(replica: &Replica, store: StoreId) -> Result<Option<Day>, StoreError> {
    Ok(days::last(&replica.overlay, store)?.filter(|day| day.closed_ms == 0))
}

fn write_open(replica: &mut Replica, store: StoreId, staff: Code) -> Result<Place, CoreError> {
    let last = days::last(&replica.overlay, store)?;
    let number = last.as_ref().map_or(0, |day| day.number) + 1;
    let date = business_date(replica, store)?;
    let open = DayOpen { number, date, staff };
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::DayOpen(open)])?[0])
}

fn write_close(replica: &mut Replica, store: StoreId, number: u32, staff: Code) -> Result<Place, CoreError> {
    let place = replica.write(&Scope::StoreStock(store), vec![Fact::DayClose(DayClose { number, staff })])?[0];
    replica.seal(place.log)?;
    Ok(place)
}

/// The date that the store's hour makes of this moment, days since 1970.
fn business_date(replica: &Replica, store: StoreId) -> Result<u32, StoreError> {
    let local_ms = replica.now.wall_ms as i64 + i64::from(replica.zone_offset_s) * 1000;
    let shifted = local_ms - rollover_min(replica, store)? * 60_000;
    Ok(shifted.div_euclid(DAY_MS).clamp(0, i64::from(u32::MAX)) as u32)
}

fn rollover_min(replica: &Replica, store: StoreId) -> Result<i64, StoreError> {
    Ok(View::new(&replica.overlay).store(store)?.map_or(0, |record| i64::from(record.rollover_min)))
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
