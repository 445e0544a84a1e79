//! Paper: what a store's people print of what stands in the record, shown for a browser or sent to the shop's printer.
//!
//! A sheet is made of the books only, never of the request. The same sheet, saying the same, is printed once; a reprint says that it is a
//! copy. What the sheets say stands in [`made`].

pub mod made;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use serde::{Deserialize, Serialize};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::ids::{Sku, hex};
use stockroom_crdt::order::OrderId;
use utoipa::{IntoParams, ToSchema};

use super::fulfillments::lists;
use super::idempotency::{KeyHeader, Keyed, done};
use super::problem::{Answered, Kind, Problem};
use super::request::{Params, Segment, Segments};
use super::values::{ReceiptId, Text, Word};
use super::{Api, unexpected};
use crate::paper::html::{Marking, POLICY, html_of_all};
use crate::paper::spool::{Spool, SpoolError, Submitted};
use crate::paper::words::Language;
use made::{Part, Printout};

/// What is printed of a fulfillment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// On the goods that wait.
    Label,
    /// On each bag.
    BagTag,
    /// For whoever fetches the goods.
    PickList,
    /// For the customer, once the goods were handed over.
    Receipt,
}

/// In which form a sheet is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// To be printed from a browser.
    Html,
}

/// Which fulfillment of an order, and in which form.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SheetParams {
    /// At this store; this node's own if absent, needed at a hub.
    store: Option<u32>,
    /// Of this offer; the newest that is open if absent.
    generation: Option<u16>,
    /// `html`, also if absent.
    #[param(value_type = Option<String>)]
    format: Option<Text<Format>>,
}

/// In which form.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FormatParams {
    /// `html`, also if absent.
    #[param(value_type = Option<String>)]
    format: Option<Text<Format>>,
}

/// What is to be printed of a fulfillment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrintBody {
    /// `label`, `bag-tag`, `pick-list` or `receipt`.
    #[schema(value_type = String, example = "label")]
    sheet: Text<Paper>,
    /// At which store; this node's own if absent, needed at a hub.
    store: Option<u32>,
    /// Of which offer; the newest that is open if absent.
    generation: Option<u16>,
    /// How many of it there are to be, 1 to 10; 1 if absent. Asked for again, what was printed is not printed again.
    #[serde(default = "one")]
    copies: u8,
    /// Print it although it was printed before; each sheet then says that it is a copy.
    #[serde(default)]
    reprint: bool,
}

/// The orders of a pick list that is to be printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrintListBody {
    /// Their numbers, 1 to 24.
    #[schema(value_type = Vec<String>)]
    orders: Vec<Text<OrderId>>,
    /// At which store; this node's own if absent, needed at a hub.
    store: Option<u32>,
    /// How many of it there are to be, 1 to 10; 1 if absent. Asked for again, what was printed is not printed again.
    #[serde(default = "one")]
    copies: u8,
    /// Print it although it was printed before; each sheet then says that it is a copy.
    #[serde(default)]
    reprint: bool,
}

/// How often a receipt is to be printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrintReceiptBody {
    /// How many of it there are to be, 1 to 10; 1 if absent. Asked for again, what was printed is not printed again.
    #[serde(default = "one")]
    copies: u8,
    /// Print it although it was printed before; each sheet then says that it is a copy.
    #[serde(default)]
    reprint: bool,
}

/// Which labels on shelves are to be printed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrintLabelsBody {
    /// At which store; this node's own if absent, needed at a hub.
    pub store: Option<u32>,
    /// Only of these products; every label that has to be changed if empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub skus: Vec<Text<Sku>>,
    /// How many of each there are to be, 1 to 10; 1 if absent. Asked for again, what was printed is not printed again.
    #[serde(default = "one")]
    copies: u8,
    /// Print them although they were printed before; each sheet then says that it is a copy.
    #[serde(default)]
    reprint: bool,
}

/// How often something is printed.
#[derive(Clone, Copy)]
struct Times {
    copies: u8,
    reprint: bool,
}

/// What became of a request to print.
#[derive(Serialize, ToSchema)]
pub struct PrintAnswer {
    /// `queued` while something of it waits for the printer, `printed` if all of it was printed before: ask for a reprint.
    state: &'static str,
    /// Sheets that it takes.
    sheets: usize,
    /// Sheets that wait for the printer, of everybody.
    waiting: usize,
    /// Why the printer does not print; absent if it does, or was not tried yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// A label, the tags of all bags, the pick list or the receipt of a fulfillment, as a page to print from a browser.
#[utoipa::path(get, path = "/v1/fulfillments/{order}/sheets/{sheet}", tag = "fulfillments",
    params(("order" = String, Path), ("sheet" = String, Path, description = "`label`, `bag-tag`, `pick-list` or `receipt`"), SheetParams),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn show_part_sheet(
    State(api): State<Arc<Api>>,
    Segments(order, sheet): Segments<OrderId, Paper>,
    Params(params): Params<SheetParams>,
) -> Answered {
    let part = Part { store: api.store_or_own(params.store)?, order, generation: params.generation };
    match params.format.map_or(Format::Html, |format| format.0) {
        Format::Html => shown(&made_of_part(&api, part, sheet).await?),
    }
}

/// Prints a label, the tags of all bags, the pick list or the receipt of a fulfillment on the shop's printer. The same sheet, saying the same,
/// is printed once, whoever asks.
#[utoipa::path(post, path = "/v1/fulfillments/{order}/print", tag = "fulfillments", params(("order" = String, Path), KeyHeader),
    request_body = PrintBody, responses((status = 200, body = PrintAnswer)))]
pub async fn print_part(
    State(api): State<Arc<Api>>,
    Segment(order): Segment<OrderId>,
    Keyed { value, retry }: Keyed<PrintBody>,
) -> Answered {
    let part = Part { store: api.store_or_own(value.store)?, order, generation: value.generation };
    let times = Times::of(value.copies, value.reprint)?;
    let printer = printer(&api)?;
    let sheets = made_of_part(&api, part, value.sheet.0).await?;
    print(printer, sheets, times, hex(&retry.key.0)).await
}

/// Prints one pick list for several orders: goods are sorted into numbered totes while they are fetched.
#[utoipa::path(post, path = "/v1/pick-lists/print", tag = "fulfillments", params(KeyHeader), request_body = PrintListBody,
    responses((status = 200, body = PrintAnswer)))]
pub async fn print_pick_list(State(api): State<Arc<Api>>, Keyed { value, retry }: Keyed<PrintListBody>) -> Answered {
    let store = api.store_or_own(value.store)?;
    let times = Times::of(value.copies, value.reprint)?;
    let printer = printer(&api)?;
    let orders: Vec<_> = value.orders.iter().map(|order| order.0).collect();
    if orders.is_empty() || orders.len() > lists::COUNT_MAX {
        return Err(Problem::invalid("orders", format_args!("are not 1 to {}", lists::COUNT_MAX)));
    }
    let language = printer.language();
    let sheet = api.read_much(move |books| made::pick_list(books, store, &lists::of(books, store, &orders)?, language));
    print(printer, vec![sheet.await?], times, hex(&retry.key.0)).await
}

/// A receipt as a page to print from a browser. At the store that sold it bears the signed code with which goods can be returned elsewhere.
#[utoipa::path(get, path = "/v1/receipts/{number}/sheet", tag = "sales", params(("number" = String, Path), FormatParams),
    responses((status = 200, content_type = "text/html", body = String)))]
pub async fn show_receipt_sheet(
    State(api): State<Arc<Api>>,
    Segment(receipt): Segment<ReceiptId>,
    Params(params): Params<FormatParams>,
) -> Answered {
    match params.format.map_or(Format::Html, |format| format.0) {
        Format::Html => shown(&[made_of_receipt(&api, receipt).await?]),
    }
}

/// Prints a receipt on the shop's printer. The same receipt is printed once; one that was voided since is another sheet.
#[utoipa::path(post, path = "/v1/receipts/{number}/print", tag = "sales", params(("number" = String, Path), KeyHeader),
    request_body = PrintReceiptBody, responses((status = 200, body = PrintAnswer)))]
pub async fn print_receipt(
    State(api): State<Arc<Api>>,
    Segment(receipt): Segment<ReceiptId>,
    Keyed { value, retry }: Keyed<PrintReceiptBody>,
) -> Answered {
    let times = Times::of(value.copies, value.reprint)?;
    let printer = printer(&api)?;
    let sheet = made_of_receipt(&api, receipt).await?;
    print(printer, vec![sheet], times, hex(&retry.key.0)).await
}

/// The shop's printer, if there is one.
pub fn printer(api: &Api) -> Answered<Arc<Spool>> {
    let printer = api.config.printer.clone().filter(|printer| printer.has_printer());
    printer.ok_or_else(|| {
        let what = "no printer is set up at this node: set target in [printer] of its configuration, or print from the browser";
        Problem::new(Kind::Conflict, what)
    })
}

/// Sheets as a page that a browser prints.
pub fn shown(sheets: &[Printout]) -> Answered {
    let Some((first, others)) = sheets.split_first() else {
        return Err(Problem::new(Kind::Conflict, "there is nothing to print"));
    };
    let others: Vec<_> = others.iter().map(|sheet| sheet.page.clone()).collect();
    let page = html_of_all(&first.page, &others, Marking::Original);
    Ok(([(header::CONTENT_SECURITY_POLICY, format!("{POLICY}; frame-ancestors 'none'"))], Html(page)).into_response())
}

/// The language of what is put on paper here.
pub fn language(api: &Api) -> Language {
    api.config.printer.as_ref().map_or(Language::default(), |printer| printer.language())
}

/// Prints labels for shelves.
pub async fn print_labels_of(api: &Api, labels: Vec<Printout>, body: &PrintLabelsBody, retry: RetryKey) -> Answered {
    let times = Times::of(body.copies, body.reprint)?;
    let printer = printer(api)?;
    if labels.is_empty() {
        return Err(Problem::new(Kind::Conflict, "no label has to be changed: there is nothing to print"));
    }
    print(printer, labels, times, hex(&retry.key.0)).await
}

async fn made_of_part(api: &Api, part: Part, sheet: Paper) -> Answered<Vec<Printout>> {
    let language = language(api);
    api.read_much(move |books| made::of_part(books, part, sheet, language)).await
}

async fn made_of_receipt(api: &Api, receipt: ReceiptId) -> Answered<Printout> {
    let language = language(api);
    let mut sheet = api.read(|books| made::receipt(books, receipt))?;
    if receipt.store.0 == api.info.store {
        sheet.code = match api.ask(Command::SignReceipt(receipt.number)).await {
            Ok(Answer::SignedReceipt { bytes }) => Some(super::returns::code_of(&bytes)),
            Ok(answer) => return unexpected(&answer),
            // Without a code goods still come back to this store: a receipt that is too long for one is a receipt.
            Err(problem) if problem.kind() == Kind::Conflict => None,
            Err(problem) => return Err(problem),
        };
    }
    Ok(made::printed_receipt(&sheet, language))
}

async fn print(printer: Arc<Spool>, sheets: Vec<Printout>, times: Times, wish: String) -> Answered {
    let printing = tokio::task::spawn_blocking(move || submit(&printer, &sheets, times, &wish)).await;
    let printed = printing.map_err(|_| Problem::new(Kind::Storage, "the node failed while it printed"))?;
    Ok(done(false, printed.map_err(|error| Problem::new(Kind::Conflict, error.to_string()))?))
}

fn submit(printer: &Spool, sheets: &[Printout], times: Times, wish: &str) -> Result<PrintAnswer, SpoolError> {
    let mut waits = false;
    for copy in 1..=times.copies {
        for sheet in sheets {
            let key = format!("{}/{copy}", sheet.key);
            let submitted = match times.reprint {
                true => printer.reprint(&key, wish, &sheet.page)?,
                false => printer.submit(&key, &sheet.page)?,
            };
            waits |= match submitted {
                Submitted::Queued | Submitted::Waits => true,
                Submitted::Printed => false,
            };
        }
    }
    let status = printer.status();
    Ok(PrintAnswer {
        state: if waits { "queued" } else { "printed" },
        sheets: sheets.len() * usize::from(times.copies),
        waiting: status.waiting,
        trouble: status.trouble,
    })
}

impl Times {
    fn of(copies: u8, reprint: bool) -> Answered<Self> {
        let fits = (1..=COPIES_MAX).contains(&copies);
        let wrong = || Problem::invalid("copies", format_args!("is not 1 to {COPIES_MAX}"));
        fits.then_some(Self { copies, reprint }).ok_or_else(wrong)
    }
}

fn one() -> u8 {
    1
}

impl Paper {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Label, Self::BagTag, Self::PickList, Self::Receipt];

    /// As it is named in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::BagTag => "bag-tag",
            Self::PickList => "pick-list",
            Self::Receipt => "receipt",
        }
    }
}

impl Word for Paper {
    fn read(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|paper| paper.as_str() == text);
        known.ok_or_else(|| "is none of label, bag-tag, pick-list, receipt".into())
    }

    fn write(&self) -> String {
        self.as_str().into()
    }
}

impl Word for Format {
    fn read(text: &str) -> Result<Self, String> {
        if text == "html" { Ok(Self::Html) } else { Err("is not html".into()) }
    }

    fn write(&self) -> String {
        "html".into()
    }
}

/// Copies in one go: more is a slip of the finger, and a roll of paper.
const COPIES_MAX: u8 = 10;
