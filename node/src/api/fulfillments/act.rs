//! What becomes of a fulfillment: said by the people of its store, and at a hub by whoever drives.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::command::fulfil::along::{PICKED_BY, TAKEN_BY};
use stockroom_core::input::orders::{FulfilRequest, Proof};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, hex};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::Fulfillment;
use stockroom_crdt::order::step::{Step, StepLine, Substitute};
use utoipa::ToSchema;

use super::along::AlongAnswer;
use super::answer::{FulfillmentAnswer, newest};
use super::scans::{ScannedAnswer, scan};
use super::{not_here, whole};
use crate::api::goods::named;
use crate::api::idempotency::{KeyHeader, Keyed, done, part_of};
use crate::api::orders::note_attempt;
use crate::api::orders::pass::read_pass;
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::request::Segments;
use crate::api::values::{Text, Word, now_ms};
use crate::api::who::{Shown as Approved, Who};
use crate::api::{Api, Books, unexpected, unexpected_entry};
use crate::staff::approvals::What;

/// What is said, and by whom. Each action takes what it needs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FulfilBody {
    /// At which store; this node's own if absent, needed at a hub.
    pub store: Option<u32>,
    /// Of which offer; the newest that is open if absent.
    pub generation: Option<u16>,
    /// About which lines; all if absent or empty.
    #[serde(default)]
    lines: Vec<ActLineBody>,
    /// `pick`: a barcode, counted up until the line is complete.
    scan: Option<String>,
    /// `pick` with `scan`: how many packs, or grams; 1 pack, or what the label says, if absent.
    pub quantity: Option<i64>,
    /// Why (`refuse`, `hold`, `decline`, `fail-delivery`), how many bags (`pack`), which bay (`stage`, `ready`), where (`arrived`), which
    /// courier or rider (`dispatch`), on what proof (`deliver`), with whom (`lose`); at most 32 bytes.
    #[serde(default)]
    #[schema(value_type = String)]
    note: Text<Code>,
    /// By whom.
    #[serde(default)]
    #[schema(value_type = String)]
    pub staff: Text<Code>,
    /// At which till or handheld, 0 for none.
    #[serde(default)]
    device: u32,
    /// `hand-over`: the six digits that the customer was given.
    code: Option<String>,
    /// `hand-over`: the text of the pass that the customer shows.
    pass: Option<String>,
    /// `hand-over`: the manager who looked at the customer and takes it on.
    #[schema(value_type = Option<String>)]
    approver: Option<Text<Code>>,
    /// `hand-over`, `bring-back`: what `/v1/approvals` gave for `hand-over`: it names the approver. A manager who is signed in needs none.
    approval: Option<String>,
    /// `take-along`: what this handheld will show for it, 16 to 64 characters that nobody guesses. Afterwards `hand-over` and `bring-back`
    /// need it.
    holder: Option<String>,
    /// `pick`: only if nobody has picked these lines before; so two people do not overwrite each other.
    #[serde(default)]
    anew: bool,
    /// `check-age`: which document was looked at, e.g. `id-card`. Nothing of it is copied.
    #[schema(value_type = Option<String>)]
    document: Option<Text<Code>>,
    /// `check-age`: whether the age is reached. If not, the lines that need it are declined.
    passed: Option<bool>,
}

/// One line.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActLineBody {
    /// Which line of the order, from 1; either this or `sku`.
    line: Option<u16>,
    /// The product of the line.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// Pieces or grams; for `pick` all that were found for the line, not how many more.
    quantity: i64,
    /// `pick`: why fewer than ordered: `not-found`, `out-of-stock` and `too-few` say that the shelf is empty, `damaged` and `expired` that what
    /// is missing is no good; all of them lower the book.
    #[serde(default)]
    #[schema(value_type = String)]
    reason: Text<Code>,
    /// `pick`: what was taken instead.
    substitute: Option<SubstituteBody>,
}

/// Other goods in place of what was ordered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubstituteBody {
    /// What; either this or `code`.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A scanned barcode.
    code: Option<String>,
    /// What the customer pays, minor units per piece or per kilogram; the store's price if absent, and never more than for what was ordered.
    unit_price: Option<i64>,
}

/// What was said, and where the fulfillment stands now.
#[derive(Serialize, ToSchema)]
pub struct ActAnswer {
    /// What was written, as the action is called; `counted` for a scan after which the line is not complete.
    did: &'static str,
    /// What a scan did.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned: Option<ScannedAnswer>,
    /// What a handheld that takes it along needs while it cannot ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    along: Option<AlongAnswer>,
    /// The fulfillment.
    fulfillment: FulfillmentAnswer,
}

/// What can be said about a fulfillment by people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub Step);

/// Says what becomes of a fulfillment. `accept` to `put-back`, `dispatch` and `returned` are for the store that holds it; `arrived` and what
/// couriers report also for the hub. `hand-over` needs the customer's code, the pass, or a manager; a wrong code is written down and
/// answered with the tries that are left.
#[utoipa::path(post, path = "/v1/fulfillments/{order}/{action}", tag = "fulfillments",
    params(("order" = String, Path), ("action" = String, Path, description = "`accept`, `refuse`, `start-picking`, `pick`, `pack`, `stage`, `ready`, `arrived`, `hand-over`, `decline`, `uncollected`, `put-back`, `confirm-cancel`, `deny-cancel`, `check-age`, `hold`, `resume`, `request-courier`, `assign-courier`, `courier-at-store`, `courier-refused`, `dispatch`, `deliver`, `fail-delivery`, `return`, `returned`, `lose`, `take-along` or `bring-back`"), KeyHeader),
    request_body = FulfilBody, responses((status = 200, body = ActAnswer)))]
pub async fn act_on_fulfillment(
    State(api): State<Arc<Api>>,
    who: Who,
    Segments(order, action): Segments<OrderId, Action>,
    Keyed { mut value, retry }: Keyed<FulfilBody>,
) -> Answered {
    let store = api.store_or_own(value.store)?;
    value.approve(&api, &who, (action, retry))?;
    value.staff = Text(who.name("staff", &value.staff.0)?);
    let what = action.write();
    let acted = act(&api, (order, store), action, (value, retry)).await;
    acted.map_err(|problem| {
        let problem = explained(&api, (order, store), problem);
        note_attempt(&api, &what, Some(order), &problem);
        problem
    })
}

async fn act(
    api: &Api,
    (order, store): (OrderId, StoreId),
    Action(step): Action,
    (body, retry): (FulfilBody, RetryKey),
) -> Answered {
    if let Some(code) = body.scan.clone() {
        if step != Step::Pick {
            return Err(Problem::invalid("scan", "is for pick only"));
        }
        let (step, replayed, scanned) = scan(api, (order, store), (&body, &code), retry).await?;
        let fulfillment = api.read(|books| whole(books, store, (order, body.generation)))?;
        let did = step.map_or("counted", Step::as_str);
        return Ok(done(replayed, ActAnswer { did, scanned: Some(scanned), along: None, fulfillment }));
    }
    let request = api.read(|books| body.request(books, (order, store), step))?;
    let step = request.step;
    if step == Step::Ready && !body.note.0.is_empty() {
        // Whoever says that it is ready may say in the same breath where it lies.
        let staged =
            FulfilRequest { step: Step::Stage, lines: Vec::new(), note: body.note.0.clone(), ..request.clone() };
        say(api, part_of(retry, "stage", 0), staged).await?;
    }
    let (generation, replayed) = say(api, retry, request).await?;
    let fulfillment = api.read(|books| whole(books, store, (order, Some(generation))))?;
    let along = match step {
        Step::TakeAlong => Some(AlongAnswer::of(api, (order, store), generation)?),
        _ => None,
    };
    Ok(done(replayed, ActAnswer { did: step.as_str(), scanned: None, along, fulfillment }))
}

/// Says it to the core: of which offer it was said, and whether an earlier try had said it.
pub async fn say(api: &Api, retry: RetryKey, request: FulfilRequest) -> Answered<(u16, bool)> {
    match api.ask(Command::Fulfil(retry, Box::new(request))).await? {
        Answer::Written { place, replayed } => {
            let entry = api.read(|books| Ok(books.entry(place)?))?;
            match entry.map(|entry| entry.fact) {
                Some(Fact::FulfillmentStep(said)) => Ok((said.generation, replayed)),
                _ => unexpected_entry(),
            }
        }
        Answer::CodeWrong { left } => Err(Problem::wrong_code(left)),
        answer => unexpected(&answer),
    }
}

impl FulfilBody {
    fn request(&self, books: &Books<'_>, (order, store): (OrderId, StoreId), step: Step) -> Answered<FulfilRequest> {
        let part = || {
            let known = books.order_at(store, order)?;
            newest(&known, store, self.generation).ok_or_else(|| not_here(order, store))
        };
        let (step, note, lines) = match (step, &self.document, self.passed) {
            (Step::CheckAge, Some(document), Some(true)) => (step, document.0.clone(), Vec::new()),
            (Step::CheckAge, Some(_), Some(false)) => (Step::Decline, failed_check(), aged(&part()?)),
            (Step::CheckAge, None, _) => {
                return Err(Problem::invalid("document", "is needed: which document was looked at"));
            }
            (Step::CheckAge, Some(_), None) => {
                return Err(Problem::invalid("passed", "is needed: whether the age is reached"));
            }
            (Step::TakeAlong, ..) => (step, self.holder_hash()?, Vec::new()),
            (Step::BringBack, ..) => (step, self.note.0.clone(), Vec::new()),
            (Step::Ready, ..) => (step, Code::default(), self.lines(books, part, step)?),
            _ => (step, self.note.0.clone(), self.lines(books, part, step)?),
        };
        Ok(FulfilRequest {
            order,
            store: Some(store),
            generation: self.generation,
            step,
            lines,
            note,
            staff: self.staff.0.clone(),
            device: self.device,
            proof: self.proof(step)?,
            holder: self.holder_hash()?,
            anew: self.anew,
        })
    }

    /// Whose word stands in for code and pass: a manager's, who showed that she is one.
    fn approve(&mut self, api: &Api, who: &Who, (Action(step), retry): (Action, RetryKey)) -> Answered<()> {
        if self.approval.is_none() && self.approver.is_none() {
            let is_taken_back = step == Step::BringBack && self.holder.is_none();
            if !is_taken_back || api.read(|books| Ok(books.retried(retry.key)?))?.is_some() {
                return Ok(());
            }
        }
        if !matches!(step, Step::HandOver | Step::BringBack) {
            let field = if self.approval.is_some() { "approval" } else { "approver" };
            return Err(Problem::invalid(field, "is for hand-over and bring-back only"));
        }
        let approver = self.approver.take().map(|named| named.0).unwrap_or_default();
        let shown = Approved { approver, approval: self.approval.take() };
        let mut approver = who.needed_approver(api, &shown, (What::HandOver, retry.body))?;
        if approver.is_empty() && step == Step::BringBack {
            // Nobody has a PIN here: names alone are believed, and hers is as good as any.
            approver =
                if self.staff.0.is_empty() { Code::parse("staff").unwrap_or_default() } else { self.staff.0.clone() };
        }
        self.approver = Some(Text(approver));
        Ok(())
    }

    fn holder_hash(&self) -> Answered<Code> {
        let Some(holder) = &self.holder else { return Ok(Code::default()) };
        if !(16..=64).contains(&holder.len()) {
            return Err(Problem::invalid("holder", "is not 16 to 64 characters"));
        }
        let hash = hex(&Digest::of(&[b"holder", holder.as_bytes()]).short());
        Code::parse(&hash).map_err(|error| Problem::invalid("holder", error))
    }

    fn proof(&self, step: Step) -> Answered<Proof> {
        let proofs =
            [("code", self.code.is_some()), ("pass", self.pass.is_some()), ("approver", self.approver.is_some())];
        let given: Vec<_> = proofs.iter().filter(|(_, is_given)| *is_given).map(|(field, _)| *field).collect();
        match given.as_slice() {
            [field, ..] if step != Step::HandOver && (step, *field) != (Step::BringBack, "approver") => {
                return Err(Problem::invalid(*field, "is for hand-over only"));
            }
            [_, field, ..] => return Err(Problem::invalid(*field, "stands beside another proof; one is enough")),
            [] | [_] => {}
        }
        Ok(match (&self.code, &self.pass, &self.approver) {
            (Some(code), ..) => Proof::Code(code.trim().to_owned()),
            (_, Some(pass), _) => Proof::Pass(read_pass(pass)?),
            (.., Some(approver)) => Proof::Manager(approver.0.clone()),
            (None, None, None) => Proof::None,
        })
    }

    fn lines(
        &self,
        books: &Books<'_>,
        part: impl FnOnce() -> Answered<Fulfillment>,
        step: Step,
    ) -> Answered<Vec<StepLine>> {
        if self.lines.is_empty() {
            return Ok(Vec::new());
        }
        let part = part()?;
        let of = |(at, line): (usize, &ActLineBody)| line.read(books, &part, (at, step));
        let mut lines = self.lines.iter().enumerate().map(of).collect::<Answered<Vec<_>>>()?;
        lines.sort_by_key(|line| line.line);
        match lines.windows(2).find(|two| two[0].line == two[1].line) {
            Some(two) => Err(Problem::invalid("lines", format_args!("name line {} twice", two[0].line + 1))),
            None => Ok(lines),
        }
    }
}

impl ActLineBody {
    fn read(&self, books: &Books<'_>, part: &Fulfillment, (at, step): (usize, Step)) -> Answered<StepLine> {
        let field = |name: &str| format!("lines[{at}].{name}");
        let found = match (self.line, &self.sku) {
            (Some(line), None) => part.lines.iter().find(|held| held.offered.line.checked_add(1) == Some(line)),
            (None, Some(sku)) => part.lines.iter().find(|held| held.offered.sku == sku.0),
            (Some(_), Some(_)) => {
                return Err(Problem::invalid(field("sku"), "stands beside line; one of them is enough"));
            }
            (None, None) => return Err(Problem::invalid(field("line"), "is missing, and there is no sku")),
        };
        let name = if self.line.is_some() { "line" } else { "sku" };
        let held = found.ok_or_else(|| Problem::unknown(field(name), "no such line in this fulfillment"))?;
        let substitute = match &self.substitute {
            Some(_) if step != Step::Pick => return Err(Problem::invalid(field("substitute"), "is for pick only")),
            Some(other) => {
                let most = held.offered.unit_price;
                Some(other.read(books, part.store, (&field("substitute"), most))?)
            }
            None => None,
        };
        Ok(StepLine { line: held.offered.line, quantity: self.quantity, reason: self.reason.0.clone(), substitute })
    }
}

impl SubstituteBody {
    fn read(&self, books: &Books<'_>, store: StoreId, (field, most): (&str, i64)) -> Answered<Substitute> {
        let sku = named(books, field, self.sku.clone(), self.code.clone())?.sku;
        let product = books.product(&sku)?;
        let product = product.ok_or_else(|| Problem::unknown(format!("{field}.sku"), "no such product"))?;
        let usual = books.price_at_store(store, &sku, now_ms())?.unwrap_or(most).min(most);
        Ok(Substitute { sku, unit: product.unit, unit_price: self.unit_price.unwrap_or(usual) })
    }
}

impl Word for Action {
    fn read(text: &str) -> Result<Self, String> {
        let step = if text == ARRIVED { Some(Step::Arrive) } else { Step::parse(text) };
        // What the node writes by itself is nobody's to say.
        let is_for_people = |step: &Step| !matches!(step, Step::StandDown | Step::WrongCode);
        step.filter(is_for_people).filter(|step| *step != Step::Arrive || text == ARRIVED).map(Self).ok_or_else(|| {
            let words: Vec<_> = Step::ALL.into_iter().filter(is_for_people).map(|step| Self(step).write()).collect();
            format!("is none of {}", words.join(", "))
        })
    }

    fn write(&self) -> String {
        if self.0 == Step::Arrive { ARRIVED.into() } else { self.0.as_str().into() }
    }
}

/// The same problem in the words of whoever stands at the counter.
pub fn explained(api: &Api, (order, store): (OrderId, StoreId), problem: Problem) -> Problem {
    if problem.kind() == Kind::UnknownReference && problem.field() == Some("order") {
        return not_here(order, store);
    }
    if problem.field() == Some("proof") {
        return problem.renamed("proof", "code");
    }
    if problem.kind() != Kind::Conflict {
        return problem;
    }
    if problem.said().starts_with(THIS_PASS) {
        return problem.of_kind(Kind::PassRefused);
    }
    if problem.said().starts_with(TAKEN_BY) || problem.said().contains(PICKED_BY) {
        return problem.of_kind(Kind::SomebodyElse);
    }
    match handed(api, order, store) {
        Some(at_ms) if problem.said().contains("handed over already") => Problem::handed_over(at_ms, store.0),
        _ => problem,
    }
}

/// When the customer got it, if that is so.
fn handed(api: &Api, order: OrderId, store: StoreId) -> Option<u64> {
    let read = api.read(|books| {
        let known = books.order_at(store, order)?;
        let when = |part: &Fulfillment| part.first(Step::HandOver).or_else(|| part.first(Step::Deliver));
        Ok(known.fulfillments().iter().filter_map(when).min())
    });
    read.ok().flatten().map(|hlc| hlc.ms())
}

/// What may not be given to somebody who is too young.
fn aged(part: &Fulfillment) -> Vec<StepLine> {
    let aged = part.lines.iter().filter(|line| line.offered.age_min > 0 && line.open() > 0);
    aged.map(|line| StepLine {
        line: line.offered.line,
        quantity: line.open(),
        reason: Code::default(),
        substitute: None,
    })
    .collect()
}

fn failed_check() -> Code {
    Code::parse("age-check-failed").unwrap_or_default()
}

/// A customer who has come: the word of the path is that of the other side.
const ARRIVED: &str = "arrived";

/// How the core begins every sentence about a pass that is no good.
pub const THIS_PASS: &str = "this pass";
