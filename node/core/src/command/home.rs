//! Which node of a store keeps its goods: a decree of head office. The one before gives its rights up, or, if it is not there any more,
//! they are written off with the risk that somebody has to name.

use stockroom_crdt::capability::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Epoch, NodeId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::Retire;

use super::{Failed, at_hub, policy};
use crate::input::Refusal;
use crate::input::enrolment::HomeRequest;
use crate::journal::Place;
use crate::replica::Replica;
use crate::rights::known;
use crate::view::View;

/// Makes a node the home of its store's goods under the next term, and writes off what the store's other nodes hold: from then on they
/// have to open another life, with nothing. One commit; gives the place of the store's record.
pub fn promote(replica: &mut Replica, request: HomeRequest) -> Result<Place, Failed> {
    at_hub(replica)?;
    let view = View::new(&replica.overlay);
    let HomeRequest { store, node, .. } = request;
    let unknown = |field: &str, what| Refusal::Unknown { field: field.into(), what };
    let mut record = view.store(store)?.ok_or_else(|| unknown("store", "store"))?;
    let nodes = view.nodes()?.into_iter().filter(|known| known.role == Role::Store && known.store == store);
    let (this, others): (Vec<_>, Vec<_>) = nodes.map(|known| known.node).partition(|known| *known == node);
    if this.is_empty() {
        return Err(unknown("node", "node of this store").into());
    }
    if replica.is_fenced(node) {
        return Err(Refusal::State(format!("node {} is fenced: nobody believes it", node.0)).into());
    }
    if record.home == node {
        return Err(Refusal::State(format!("node {} is the home of store {} already", node.0, store.0)).into());
    }
    let mut lives = Vec::new();
    for other in others {
        lives.extend(held(replica, &request, other)?);
    }
    let risk = lives.iter().map(|(_, units)| *units).fold(0, u64::saturating_add);
    if request.accept.unwrap_or(0) != risk {
        let message = format!(
            "the store's other nodes may have promised up to {risk} units that nobody here knows of; if they are cut off and go on, \
             that many promises may be broken. To make node {} the home, accept {risk}",
            node.0
        );
        return Err(Refusal::invalid("accept", message).into());
    }
    (record.home, record.term) = (node, record.term + 1);
    // The record comes first: a life that was opened because of the decree is later than it (`known::obstacle`).
    let place = replica.write(&Scope::Control, vec![Fact::Store(record)])?[0];
    let decrees = lives.into_iter().map(|(actor, risk)| {
        Fact::Retire(Retire { actor, reason: request.reason.clone(), staff: request.staff.clone(), risk })
    });
    let decrees: Vec<_> = decrees.collect();
    if !decrees.is_empty() {
        replica.write(&Scope::StoreRights(store), decrees)?;
    }
    replica.alarm(format!("node {} is the home of store {} now; {risk} units are at risk", node.0, store.0));
    Ok(place)
}

/// The lives of another node that stand in the way, with what they hold. Its first, if it was never heard.
fn held(replica: &Replica, request: &HomeRequest, other: NodeId) -> Result<Vec<(Actor, u64)>, Failed> {
    let at_risk = policy::at_risk(replica, other)?.into_iter().filter(|(store, ..)| *store == request.store);
    let lives: Vec<_> = at_risk.map(|(_, actor, units)| (actor, units)).collect();
    let retired = known::retired(&replica.overlay, request.store)?;
    let is_new = lives.is_empty() && !retired.iter().any(|actor| actor.node == other);
    Ok(if is_new { vec![(Actor { node: other, epoch: Epoch(1) }, 0)] } else { lives })
}
