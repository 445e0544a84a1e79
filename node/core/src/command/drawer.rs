//! Drawers: somebody takes one with a float, moves cash, counts it blind and gives it back.

use stockroom_crdt::checkout::shift::{Cash, CashMove, ShiftClose, ShiftOpen};
use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId, TillId};
use stockroom_crdt::limits::AMOUNT_MAX;
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, earlier, own_store, remember};
use crate::books::sales;
use crate::books::shifts::{self, Range, Shift};
use crate::input::checkout::{DrawerDeed, DrawerRequest};
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::{Place, damaged};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};
use crate::view::View;

/// The first count of a shift that did not fit: it stands in no log, so that nobody learns from another node what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstCount {
    /// Minor units.
    pub counted: i64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// By whom.
    pub staff: Code,
}

/// Does something about a drawer, once per retry key. A count that does not fit is no write under the key: with an approver the same close
/// may be sent again.
pub fn drawer(replica: &mut Replica, retry: RetryKey, request: DrawerRequest) -> Result<Answer, Failed> {
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        return Ok(Answer::Written { place, replayed: true });
    }
    let store = own_store(replica)?;
    if request.staff.is_empty() {
        return Err(Refusal::invalid("staff", "is needed: who has the drawer").into());
    }
    let place = match request.deed {
        DrawerDeed::Open { float } => Some(open(replica, store, &request, float)?),
        DrawerDeed::Move { cash, amount, ref reason } => Some(shove(replica, store, &request, (cash, amount, reason))?),
        DrawerDeed::Close { counted } => close(replica, store, &request, counted)?,
    };
    let Some(place) = place else { return Ok(Answer::CountDiffers) };
    remember(replica, retry, place, 1);
    Ok(Answer::Written { place, replayed: false })
}

/// The first count of a shift that did not fit, if there was one at this node.
pub fn first_count(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    (till, number): (TillId, u32),
) -> Result<Option<FirstCount>, StoreError> {
    let Some(row) = snapshot.get(Table::Keys, &count_key(store, till, number))? else { return Ok(None) };
    let mut reader = RowReader::new(&row);
    let counted = reader.int(col::AMOUNT).map_err(damaged)?;
    let at_ms = reader.uint(col::TIME).map_err(damaged)?;
    let staff = Code::decode(&mut reader, col::STAFF).map_err(damaged)?;
    Ok(Some(FirstCount { counted, at_ms, staff }))
}

fn open(replica: &mut Replica, store: StoreId, request: &DrawerRequest, float: i64) -> Result<Place, Failed> {
    check_cash("float", float, 0)?;
    let last = shifts::last(&replica.overlay, store, request.till)?;
    if let Some(open) = last.as_ref().filter(|shift| shift.is_open()) {
        let whose = open.opening(None).map_or(String::new(), |open| format!(" by {}", open.what.staff));
        let message = format!("shift {} of till {} is open already{whose}", open.number, request.till.0);
        return Err(Refusal::State(message).into());
    }
    let number = last.map_or(0, |shift| shift.number).checked_add(1);
    let number = number.ok_or_else(|| Refusal::State("all numbers of shifts are used up".into()))?;
    let after = sales::last_receipt(&replica.overlay, store, request.till)?;
    write(
        replica,
        store,
        Fact::ShiftOpen(ShiftOpen { till: request.till, number, staff: request.staff.clone(), float, after }),
    )
}

fn shove(
    replica: &mut Replica,
    store: StoreId,
    request: &DrawerRequest,
    (cash, amount, reason): (Cash, i64, &Code),
) -> Result<Place, Failed> {
    check_cash("amount", amount, 1)?;
    if reason.is_empty() && cash != Cash::Drop {
        return Err(Refusal::invalid("reason", "is needed: what for").into());
    }
    let shift = must_be_open(replica, store, request.till)?;
    let limit = View::new(&replica.overlay).till_rules(store)?.cashier_limit;
    if amount > limit && request.approver.is_empty() {
        return Err(
            Refusal::invalid("approver", format!("is needed for more than {limit}: a manager approves it")).into()
        );
    }
    let moved = CashMove {
        till: request.till,
        shift: shift.number,
        cash,
        amount,
        reason: reason.clone(),
        staff: request.staff.clone(),
        approver: request.approver.clone(),
    };
    write(replica, store, Fact::CashMove(moved))
}

/// Closes the shift; `None` if the count does not fit and nobody approved it.
///
/// Whoever counts must not learn what should be there, and must not find it by trying: the first count that does not fit is kept, and after
/// it every close of the shift needs an approver, whatever it counted.
fn close(
    replica: &mut Replica,
    store: StoreId,
    request: &DrawerRequest,
    counted: i64,
) -> Result<Option<Place>, Failed> {
    check_cash("counted", counted, 0)?;
    let shift = must_be_open(replica, store, request.till)?;
    let view = View::new(&replica.overlay);
    let last = sales::last_receipt(&replica.overlay, store, request.till)?;
    let opening = shift.opening(None).map(|open| &open.what);
    let opening = opening.ok_or_else(|| Refusal::State("the opening of this shift is not known".into()))?;
    let range = Range { after: opening.after, last: Some(last) };
    let moves = shift.moves.iter().map(|said| &said.what);
    let moves = moves.filter(|cash| !planted(Plant::ZForgets) || cash.cash != Cash::Drop);
    let totals = view.totals(store, range, opening.float, moves)?;
    let limit = view.till_rules(store)?.drawer_limit;
    let close = ShiftClose {
        till: request.till,
        number: shift.number,
        staff: request.staff.clone(),
        approver: request.approver.clone(),
        counted,
        last,
        totals,
    };
    if request.approver.is_empty() {
        let before = first_count(&replica.overlay, store, (request.till, shift.number))?;
        if before.is_some() || close.over().saturating_abs() > limit {
            replica.reached("a drawer's count did not fit");
            if before.is_none() {
                note_count(replica, store, &close);
            }
            return Ok(None);
        }
    }
    let place = write(replica, store, Fact::ShiftClose(close))?;
    // A Z report is final, so it is signed at once.
    replica.seal(place.log)?;
    Ok(Some(place))
}

fn note_count(replica: &mut Replica, store: StoreId, close: &ShiftClose) {
    let now_ms = replica.now.wall_ms;
    let row = Rows::of(|sink| {
        sink.int(col::AMOUNT, close.counted);
        sink.uint(col::TIME, now_ms);
        close.staff.encode(sink, col::STAFF);
    });
    replica.overlay.put(Table::Keys, count_key(store, close.till, close.number), row);
}

/// The shift that is open at a till, or a refusal.
pub(super) fn must_be_open(replica: &Replica, store: StoreId, till: TillId) -> Result<Shift, Failed> {
    let last = shifts::last(&replica.overlay, store, till)?;
    let closed = match &last {
        Some(shift) => format!("no shift is open at till {}: shift {} is closed already", till.0, shift.number),
        None => format!("no shift was opened at till {}", till.0),
    };
    last.filter(Shift::is_open).ok_or_else(|| Refusal::State(closed).into())
}

fn write(replica: &mut Replica, store: StoreId, fact: Fact) -> Result<Place, Failed> {
    check_fact(&fact, "till")?;
    Ok(replica.write(&Scope::StoreStock(store), vec![fact])?[0])
}

fn check_cash(field: &str, amount: i64, min: i64) -> Result<(), Refusal> {
    if (min..=AMOUNT_MAX).contains(&amount) {
        Ok(())
    } else {
        Err(Refusal::invalid(field, format!("{amount} is not between {min} and {AMOUNT_MAX}")))
    }
}

/// Shorter than a retry key, and begins with other words than a sale's.
fn count_key(store: StoreId, till: TillId, number: u32) -> Vec<u8> {
    let parts = [store.0.to_be_bytes(), till.0.to_be_bytes(), number.to_be_bytes()].concat();
    [b"drawer/".as_slice(), &parts].concat()
}
