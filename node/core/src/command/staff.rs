//! Staff: head office says who somebody is, a node says whether somebody may try a PIN. The PIN itself never comes here, only its hash
//! and whether it matched.

use stockroom_crdt::checkout::staff::StaffRecord;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::scope::Scope;

use super::{Failed, at_hub, check_fact};
use crate::books::sign_ins;
use crate::input::checkout::{SignInAnswer, SignInRequest};
use crate::input::{Answer, Refusal};
use crate::journal::Place;
use crate::replica::Replica;
use crate::view::View;

/// Puts a member of staff down.
pub fn staff(replica: &mut Replica, record: StaffRecord) -> Result<Place, Failed> {
    at_hub(replica)?;
    record.validate().map_err(|field| Refusal::invalid(field, "has no sense"))?;
    for (index, store) in record.stores.iter().enumerate() {
        if View::new(&replica.overlay).store(*store)?.is_none() {
            return Err(Refusal::Unknown { field: format!("stores[{index}]"), what: "store" }.into());
        }
    }
    let fact = Fact::Staff(record);
    check_fact(&fact, "staff")?;
    Ok(replica.write(&Scope::Control, vec![fact])?[0])
}

/// Takes a verdict about a PIN. One that comes while the next try has to wait is not used, whatever it says: tries at once are no more than
/// tries one after the other.
pub fn sign_in(replica: &mut Replica, request: &SignInRequest) -> Result<Answer, Failed> {
    let unknown = || Refusal::Unknown { field: "staff".into(), what: "member of staff with a PIN here" };
    let record = View::new(&replica.overlay).staff(&request.staff)?;
    let here = |record: &StaffRecord| match replica.own_store() {
        Some(store) => record.works_at(store),
        None => !record.ended,
    };
    let record = record.filter(|record| here(record) && !record.pin.is_empty()).ok_or_else(unknown)?;
    if record.pin != request.pin {
        return Ok(Answer::SignIn(SignInAnswer::Changed));
    }
    let held = sign_ins::wrong(&replica.overlay, &record.staff, &record.pin)?;
    let wait_ms = held.map_or(0, |held| held.wait_ms(replica.now));
    if wait_ms > 0 {
        replica.reached("a PIN was tried while the next try had to wait");
        return Ok(Answer::SignIn(SignInAnswer::Locked { wait_ms }));
    }
    if request.matched {
        sign_ins::clear(&mut replica.overlay, &record.staff)?;
        return Ok(Answer::SignIn(SignInAnswer::Right));
    }
    let noted = sign_ins::put_wrong(&mut replica.overlay, &record.staff, &record.pin, replica.now)?;
    let wait_ms = noted.wait_ms(replica.now);
    if wait_ms > 0 {
        let (staff, device) = (record.staff.as_str(), request.device.as_str());
        replica.alarm(format!("too many wrong PINs of {staff} at {device:?}: no try for {} s", wait_ms / 1_000));
    }
    Ok(Answer::SignIn(SignInAnswer::Wrong { left: noted.left(), wait_ms }))
}
