//! Rules about promising, consent of owners, and decrees about rights of nodes that are gone.

use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, NodeId, StoreId};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::{Consent, Retire};
use stockroom_crdt::stock::policy::{PolicyRule, Target};
use stockroom_crdt::stock::rights::Class;

use super::{Failed, at_hub, check_fact, own_store};
use crate::books::{self, rights as book};
use crate::input::Refusal;
use crate::input::promises::DecreeRequest;
use crate::journal::Place;
use crate::replica::Replica;
use crate::rights::known;
use crate::view::View;

/// Says how the goods of a target may be promised.
pub fn rule(replica: &mut Replica, rule: PolicyRule) -> Result<Place, Failed> {
    at_hub(replica)?;
    rule.check().map_err(|field| Refusal::invalid(field, "is out of range"))?;
    if let Target::Sku(sku) = &rule.target
        && View::new(&replica.overlay).product(sku)?.is_none()
    {
        return Err(Refusal::Unknown { field: "sku".into(), what: "product" }.into());
    }
    if rule.target == Target::Department(Code::default()) {
        return Err(Refusal::invalid("department", "is empty").into());
    }
    Ok(replica.write(&Scope::Control, vec![Fact::PolicyRule(rule)])?[0])
}

/// The owner of goods in this store lets a share of them be promised by others.
pub fn consent(replica: &mut Replica, consent: Consent) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    let fact = Fact::Consent(consent);
    check_fact(&fact, "consent")?;
    Ok(replica.write(&Scope::StoreRights(store), vec![fact])?[0])
}

/// Writes off what a node holds that will never come back, or one of its earlier lives. Whoever decides it must name the risk: so
/// many units may have been promised by it that nobody knows of.
pub fn retire(replica: &mut Replica, request: DecreeRequest) -> Result<Place, Failed> {
    at_hub(replica)?;
    if books::node(&replica.overlay, request.node)?.is_none() {
        return Err(Refusal::Unknown { field: "node".into(), what: "node" }.into());
    }
    if request.node == replica.actor().node {
        return Err(Refusal::State("this is the node itself: its rights are not lost".into()).into());
    }
    let held = at_risk(replica, request.node)?;
    if held.is_empty() {
        let message = format!("node {} holds no rights that are not written off already", request.node.0);
        return Err(Refusal::State(message).into());
    }
    let risk = held.iter().map(|(_, _, units)| *units).fold(0, u64::saturating_add);
    if request.accept != Some(risk) {
        let message = format!(
            "node {} may have promised up to {risk} units that nobody here knows of; if it comes back, or its disk does, that many \
             promises may be broken. To write its rights off, accept {risk}",
            request.node.0
        );
        return Err(Refusal::invalid("accept", message).into());
    }
    let mut last = None;
    for (store, actor, risk) in held {
        let retire = Retire { actor, reason: request.reason.clone(), staff: request.staff.clone(), risk };
        last = replica.write(&Scope::StoreRights(store), vec![Fact::Retire(retire)])?.pop();
    }
    replica.alarm(format!("the rights of node {} are written off: {risk} units are at risk", request.node.0));
    last.ok_or_else(|| Refusal::State("there was nothing to write off".into()).into())
}

/// What the lives of a node hold in each store, of those that are not written off; also lives that hold nothing but stand in
/// the way of the store's next home.
pub(super) fn at_risk(
    replica: &Replica,
    node: NodeId,
) -> Result<Vec<(StoreId, stockroom_crdt::ids::Actor, u64)>, Failed> {
    let mut out = Vec::new();
    let logs = replica.journal.logs_by(node);
    let lives: std::collections::BTreeSet<_> = logs
        .filter_map(|(_, log)| match log.id.scope {
            Scope::StoreRights(store) => Some((store, log.id.actor)),
            _ => None,
        })
        .collect();
    for (store, actor) in lives {
        if known::retired(&replica.overlay, store)?.contains(&actor) {
            continue;
        }
        let mut units = 0u64;
        for account in book::accounts(&replica.overlay, store)? {
            for class in [Class::Goods, Class::Overbooking] {
                units = units.saturating_add(book::rights(&replica.overlay, &account, class)?.held(actor));
            }
        }
        out.push((store, actor, units));
    }
    Ok(out)
}
