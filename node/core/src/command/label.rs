//! Labels on shelves: somebody put some up.

use std::collections::BTreeSet;

use stockroom_crdt::checkout::label::LabelDone;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::scope::Scope;

use super::{Failed, own_store};
use crate::input::Refusal;
use crate::input::checkout::LabelsRequest;
use crate::limits::{IMPORT_ITEMS_MAX, LABEL_AHEAD_MS};
use crate::replica::Replica;
use crate::view::View;

/// Writes down that labels were put up, all or none. One that shows another price than it has to by now is not taken: it would hide that.
pub fn done(replica: &mut Replica, request: LabelsRequest) -> Result<usize, Failed> {
    let store = own_store(replica)?;
    if request.staff.is_empty() {
        return Err(Refusal::invalid("staff", "is missing: who put them up").into());
    }
    if !(1..=IMPORT_ITEMS_MAX).contains(&request.labels.len()) {
        return Err(Refusal::invalid("labels", format!("1 to {IMPORT_ITEMS_MAX} at a time")).into());
    }
    let (mut facts, mut skus) = (Vec::new(), BTreeSet::new());
    for (at, (sku, shows)) in request.labels.into_iter().enumerate() {
        let field = |name: &str| format!("labels[{at}].{name}");
        if !skus.insert(sku.clone()) {
            return Err(Refusal::invalid(field("sku"), "stands twice in this request").into());
        }
        let view = View::new(&replica.overlay);
        if view.product(&sku)?.is_none() {
            return Err(Refusal::Unknown { field: field("sku"), what: "product" }.into());
        }
        let Some(change) = view.label_change(store, &sku, (replica.now.wall_ms, LABEL_AHEAD_MS))? else {
            let message = "shows the right price already: nothing has to be put up";
            return Err(Refusal::invalid(field("sku"), message).into());
        };
        if change.minor != shows {
            let wanted = change.minor.map_or("no label".into(), |minor| minor.to_string());
            let message = format!("has to be {wanted} by now: print it again");
            return Err(Refusal::invalid(field("price"), message).into());
        }
        let (from_ms, minor) = (change.from_ms, change.minor);
        facts.push(Fact::LabelDone(LabelDone { sku, from_ms, minor, staff: request.staff.clone() }));
    }
    let count = facts.len();
    replica.write_many(&Scope::StoreStock(store), facts)?;
    Ok(count)
}
