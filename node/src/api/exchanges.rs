//! Exchanges: goods come back and others go out, in one request and one commit.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::returns::ExchangeRequest;
use stockroom_core::input::{Answer, Command};
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::Code;
use utoipa::ToSchema;

use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::{Answered, Problem};
use super::receipts::SaleAnswer;
use super::returns::{ReturnAnswer, ReturnBody, find};
use super::sales::SaleBody;
use super::values::Text;
use super::who::{SessionHeader, Shown, Who};
use super::{Api, unexpected, unexpected_entry};
use crate::staff::approvals::What;

/// Goods that a customer brings, and what the customer takes for them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeBody {
    /// What comes back. `cash` need not be set: its worth pays for what goes out. `reference` joins both; the number of the return if absent.
    returned: ReturnBody,
    /// What goes out. Its `tenders` pay only what is still due; where the customer gets something back they are negative.
    sale: SaleBody,
}

/// Both halves of an exchange.
#[derive(Serialize, ToSchema)]
#[schema(as = Exchange)]
pub struct ExchangeAnswer {
    /// What joins them: `reference` of the return, and of the tender with which its worth paid for the sale.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Minor units that the customer paid on top; negative for what the customer got back.
    difference: i64,
    /// What came back.
    returned: ReturnAnswer,
    /// What went out.
    sale: SaleAnswer,
}

/// Takes goods back and sells others for them: both, or neither. Only where the worth of what comes back may be given at once: for receipts of
/// this store, for signed ones of others up to the limit, or on a manager's name.
#[utoipa::path(post, path = "/v1/exchanges", tag = "sales", params(KeyHeader, SessionHeader), request_body = ExchangeBody,
    responses((status = 201, body = ExchangeAnswer), (status = 200, body = ExchangeAnswer, description = "An earlier try had done it")))]
pub async fn create_exchange(
    State(api): State<Arc<Api>>,
    who: Who,
    Keyed { value, retry }: Keyed<ExchangeBody>,
) -> Answered {
    let store = api.own_store()?;
    who.may(&api, Role::Cashier)?;
    let approval = value.returned.approval.clone();
    let mut returned = value.returned.read().map_err(|problem| within("returned", problem))?;
    let sale = api.read(|books| {
        let sold = value.sale.read((books, store), retry.body, |request| {
            let shown = Shown { approver: returned.approver.clone(), approval: approval.clone() };
            returned.approver = who.needed_approver(&api, &shown, (What::Return, retry.body))?;
            returned.staff = who.name("staff", &returned.staff)?;
            request.approver = returned.approver.clone();
            request.cashier = who.name("cashier", &request.cashier)?;
            Ok(())
        });
        sold.map_err(|problem| within("sale", problem))
    })?;
    let answer = api.ask(Command::Exchange(retry, Box::new(ExchangeRequest { returned, sale }))).await?;
    let Answer::Exchanged { returned, sale, replayed } = answer else { return unexpected(&answer) };
    let (returned, sale) = api.read(|books| Ok((books.entry(returned)?, books.entry(sale)?)))?;
    let (Some(returned), Some(sale)) = (returned, sale) else { return unexpected_entry() };
    let (Fact::GoodsReturn(returned), Fact::Sale(sold)) = (returned.fact, sale.fact) else {
        return unexpected_entry();
    };
    if !replayed {
        api.metrics.sold();
    }
    let answer = ExchangeAnswer {
        reference: Text(returned.reference.clone()),
        difference: sold.total().saturating_sub(returned.amount()),
        returned: find(&api, returned.id)?,
        sale: SaleAnswer::new(store, sold, sale.hlc.ms()),
    };
    Ok(created(replayed, answer))
}

/// A problem with a field of one half.
fn within(half: &str, problem: Problem) -> Problem {
    match problem.field().map(str::to_owned) {
        Some(field) => problem.renamed(&field, &format!("{half}.{field}")),
        None => problem,
    }
}
