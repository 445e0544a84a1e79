//! Settlement: what a store sold for each owner on a day, and whether an acquirer's file agrees with the cards and wallets that were taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::money::Currency;
use stockroom_crdt::sale::{Sale, TenderKind};
use utoipa::{IntoParams, ToSchema};

use super::limits::SETTLEMENT_LINES_MAX;
use super::problem::{Answered, LineError, Problem};
use super::request::{Params, expect_media_type, read_bytes};
use super::values::{Moment, ReceiptId, Text, Word};
use super::{Api, Books};

/// Which day of which store.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SettlementParams {
    /// The store; this node's own if absent.
    store: Option<u32>,
    /// Number of the business day.
    day: u32,
}

/// What a store sold for each owner on a day.
#[derive(Serialize, ToSchema)]
pub struct SettlementAnswer {
    /// The store.
    store: u32,
    /// Number of the business day.
    day: u32,
    /// The day was closed, as far as is known here: nothing is added any more but what comes late.
    closed: bool,
    /// By owner; the store's own goods have the empty one.
    owners: Vec<OwnerAnswer>,
}

/// What was sold for one owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OwnerAnswer {
    /// The concession, or the owner of the goods; empty for the store's own.
    #[schema(value_type = String)]
    owner: Text<Code>,
    /// Of the amounts.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// Lines that sold something, and lines that took something back.
    lines: u64,
    /// Minor units that customers owed for what was sold, with its tax.
    sales: i64,
    /// Minor units that were given back for goods that came back, with their tax; not negative.
    returns: i64,
    /// Tax in the difference of both.
    tax: i64,
    /// What is to be settled: sales less returns.
    due: i64,
}

/// An acquirer's file against what a store took on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct MatchAnswer {
    /// The store.
    store: u32,
    /// Number of the business day.
    day: u32,
    /// Tenders that the file has with the same amount.
    matched: usize,
    /// Minor units of these.
    matched_amount: i64,
    /// Tenders whose amount differs.
    differing: Vec<DifferenceAnswer>,
    /// Tenders that the file does not have: the money did not come.
    missing: Vec<TakenAnswer>,
    /// Lines of the file that no tender of the day has.
    unknown: Vec<FileLine>,
}

/// A tender with another amount than the file says.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceAnswer {
    /// What was taken.
    taken: TakenAnswer,
    /// What the file says.
    file: FileLine,
}

/// A card or a wallet's code that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TakenAnswer {
    /// On which receipt.
    #[schema(value_type = String)]
    receipt: Text<ReceiptId>,
    /// Under which the terminal knows it; may be empty for one that somebody entered.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// `card` or `other`.
    #[schema(value_type = String)]
    kind: Text<TenderKind>,
    /// Minor units.
    amount: i64,
    /// Of the amount.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// How sure the store was of it; absent for a sale that another system priced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    assurance: Option<Text<Assurance>>,
}

/// A line of an acquirer's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileLine {
    /// Which line of the file, from 1.
    line: u64,
    /// Under which the terminal knows the tender.
    #[schema(value_type = String)]
    reference: Text<Code>,
    /// Minor units.
    amount: i64,
    /// Of the amount.
    #[schema(value_type = String)]
    currency: Text<Currency>,
    /// When the acquirer booked it.
    #[schema(value_type = String, format = DateTime)]
    time: Text<Moment>,
}

/// What a store sold for each owner on a business day: goods of a counter's slip count for its concession, others for the owner that the
/// product names, else for the store itself.
#[utoipa::path(get, path = "/v1/settlement", tag = "settlement", params(SettlementParams),
    responses((status = 200, body = SettlementAnswer)))]
pub async fn show_settlement(
    State(api): State<Arc<Api>>,
    Params(params): Params<SettlementParams>,
) -> Answered<Json<SettlementAnswer>> {
    let store = api.store_or_own(params.store)?;
    let read = move |books: &Books<'_>| {
        let sales = sales_of(books, store, params.day)?;
        let days = books.days(store)?;
        let closed = days.iter().any(|day| day.number == params.day && day.closed_ms != 0);
        let owners = by_owner(&sales, |sale, line| {
            if !sale.seller.is_empty() {
                return Ok(sale.seller.clone());
            }
            Ok(books.product(&sale.lines[line].sku)?.map_or_else(Code::default, |product| product.owner))
        })?;
        Ok(Json(SettlementAnswer { store: store.0, day: params.day, closed, owners }))
    };
    api.read_much(read).await
}

/// Compares an acquirer's file with the cards and wallets that a store took on a business day. The body is CSV with the columns
/// `reference,amount,currency,time`: minor units, ISO 4217, RFC 3339. Nothing is written; the hub asks for each store and day.
#[utoipa::path(post, path = "/v1/settlement/match", tag = "settlement", params(SettlementParams),
    request_body(content = String, content_type = "text/csv"), responses((status = 200, body = MatchAnswer)))]
pub async fn match_settlement(
    State(api): State<Arc<Api>>,
    Params(params): Params<SettlementParams>,
    request: Request,
) -> Answered<Json<MatchAnswer>> {
    let store = api.store_or_own(params.store)?;
    expect_media_type(request.headers(), "text/csv")?;
    let bytes = read_bytes(request, &api).await?;
    let file = parse(&bytes)?;
    let read = move |books: &Books<'_>| {
        let taken = taken(books, store, &sales_of(books, store, params.day)?)?;
        Ok(Json(compare(store, params.day, taken, file)))
    };
    api.read_much(read).await
}

fn sales_of(books: &Books<'_>, store: StoreId, day: u32) -> Answered<Vec<Sale>> {
    if !books.days(store)?.iter().any(|held| held.number == day) {
        return Err(Problem::not_found(format!("nothing is known of day {day} of store {}", store.0)));
    }
    Ok(books.sales_of_day(store, day)?)
}

/// Sums by owner and currency. Voids take back what they name with the opposite sign, so they count like returns.
fn by_owner(sales: &[Sale], owner_of: impl Fn(&Sale, usize) -> Answered<Code>) -> Answered<Vec<OwnerAnswer>> {
    let mut owners: BTreeMap<(Code, Currency), OwnerAnswer> = BTreeMap::new();
    for sale in sales {
        for (at, line) in sale.lines.iter().enumerate() {
            let owner = owner_of(sale, at)?;
            let key = (owner.clone(), sale.currency);
            let sums = owners.entry(key).or_insert_with(|| OwnerAnswer {
                owner: Text(owner),
                currency: Text(sale.currency),
                lines: 0,
                sales: 0,
                returns: 0,
                tax: 0,
                due: 0,
            });
            let (amount, tax) = (line.amount(), line.tax.as_ref().map_or(0, |tax| tax.amount));
            sums.lines += 1;
            match line.quantity < 0 {
                true => sums.returns = sums.returns.saturating_sub(amount),
                false => sums.sales = sums.sales.saturating_add(amount),
            }
            sums.tax = sums.tax.saturating_add(tax);
            sums.due = sums.due.saturating_add(amount);
        }
    }
    Ok(owners.into_values().collect())
}

/// Cards and wallets' codes of some sales.
fn taken(books: &Books<'_>, store: StoreId, sales: &[Sale]) -> Answered<Vec<TakenAnswer>> {
    let mut all = Vec::new();
    for sale in sales {
        let assured = books.explained(store, sale.receipt)?.map(|explained| explained.assured).unwrap_or_default();
        for (at, tender) in sale.tenders.iter().enumerate() {
            match tender.kind {
                TenderKind::Card | TenderKind::Other => all.push(TakenAnswer {
                    receipt: Text(ReceiptId { store, number: sale.receipt }),
                    reference: Text(tender.reference.clone()),
                    kind: Text(tender.kind),
                    amount: tender.amount,
                    currency: Text(sale.currency),
                    assurance: assured.get(at).copied().map(Text),
                }),
                TenderKind::Cash | TenderKind::Voucher | TenderKind::Points => {}
            }
        }
    }
    Ok(all)
}

/// Each line of the file is matched once: with a tender of its reference and amount, else with one of its reference.
fn compare(store: StoreId, day: u32, taken: Vec<TakenAnswer>, file: Vec<FileLine>) -> MatchAnswer {
    let mut lines: BTreeMap<Code, Vec<FileLine>> = BTreeMap::new();
    for line in file {
        lines.entry(line.reference.0.clone()).or_default().push(line);
    }
    let (mut matched, mut matched_amount, mut rest) = (0, 0_i64, Vec::new());
    for tender in taken {
        let same = |line: &FileLine| line.amount == tender.amount && line.currency == tender.currency;
        let found = lines.get_mut(&tender.reference.0).filter(|_| !tender.reference.0.is_empty());
        match found.and_then(|found| found.iter().position(same).map(|at| found.remove(at))) {
            Some(line) => {
                matched += 1;
                matched_amount = matched_amount.saturating_add(line.amount);
            }
            None => rest.push(tender),
        }
    }
    let (mut differing, mut missing) = (Vec::new(), Vec::new());
    for taken in rest {
        let found = lines.get_mut(&taken.reference.0).filter(|_| !taken.reference.0.is_empty());
        match found.filter(|found| !found.is_empty()).map(|found| found.remove(0)) {
            Some(file) => differing.push(DifferenceAnswer { taken, file }),
            None => missing.push(taken),
        }
    }
    let mut unknown: Vec<_> = lines.into_values().flatten().collect();
    unknown.sort_by_key(|line| line.line);
    MatchAnswer { store: store.0, day, matched, matched_amount, differing, missing, unknown }
}

/// Reads a file; every line that is wrong is named.
fn parse(bytes: &[u8]) -> Answered<Vec<FileLine>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let head = reader.headers().map_err(|error| Problem::invalid("body", error))?.clone();
    let column = |name: &str| head.iter().position(|held| held == name);
    let columns = ["reference", "amount", "currency", "time"].map(|name| column(name).ok_or(name));
    let [reference, amount, currency, time] = columns;
    let missing = |name: &str| Problem::invalid("body", format_args!("has no column {name}"));
    let (reference, amount) = (reference.map_err(missing)?, amount.map_err(missing)?);
    let (currency, time) = (currency.map_err(missing)?, time.map_err(missing)?);
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for (at, record) in reader.records().enumerate() {
        let line = at as u64 + 2;
        if at >= SETTLEMENT_LINES_MAX {
            return Err(Problem::invalid("body", format_args!("has more than {SETTLEMENT_LINES_MAX} lines")));
        }
        let wrong = |field: Option<&str>, detail: String| LineError { line, field: field.map(str::to_owned), detail };
        let read = record.map_err(|error| wrong(None, error.to_string())).and_then(|record| {
            let of = |at: usize| record.get(at).unwrap_or_default().to_owned();
            let amount: Result<i64, _> = of(amount).parse();
            Ok(FileLine {
                line,
                reference: Text(Code::read(&of(reference)).map_err(|what| wrong(Some("reference"), what))?),
                amount: amount.map_err(|_| wrong(Some("amount"), "is not a whole number of minor units".into()))?,
                currency: Text(Currency::read(&of(currency)).map_err(|what| wrong(Some("currency"), what))?),
                time: Text(Moment::read(&of(time)).map_err(|what| wrong(Some("time"), what))?),
            })
        });
        match read {
            Ok(read) => lines.push(read),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(lines) } else { Err(Problem::of_lines(errors)) }
}

#[cfg(test)]
mod tests {
    use stockroom_crdt::ids::TillId;
    use stockroom_crdt::sale::ReceiptNumber;

    use super::*;

    fn tender(reference: &str, amount: i64) -> TakenAnswer {
        let number = ReceiptNumber { till: TillId(1), series: 1, sequence: 1 };
        TakenAnswer {
            receipt: Text(ReceiptId { store: StoreId(1), number }),
            reference: Text(Code::parse(reference).unwrap()),
            kind: Text(TenderKind::Card),
            amount,
            currency: Text(Currency::parse("EUR").unwrap()),
            assurance: None,
        }
    }

    const HEAD: &str = "reference,amount,currency,time\n";

    #[test]
    fn each_line_is_matched_once_and_the_rest_is_told_apart() {
        let file = format!(
            "{HEAD}a,500,EUR,2025-12-31T10:00:00Z\na,500,EUR,2025-12-31T10:00:01Z\nb,90,EUR,2025-12-31T10:00:02Z\n\
             x,1,EUR,2025-12-31T10:00:03Z\nd,70,USD,2025-12-31T10:00:04Z\n"
        );
        let taken = vec![tender("a", 500), tender("b", 100), tender("c", 5), tender("", 8), tender("d", 70)];
        let found = compare(StoreId(1), 3, taken, parse(file.as_bytes()).unwrap());
        assert_eq!((found.matched, found.matched_amount), (1, 500));
        let differing: Vec<_> = found.differing.iter().map(|it| (it.taken.amount, it.file.amount)).collect();
        assert_eq!(differing, [(100, 90), (70, 70)], "another currency is another amount");
        assert_eq!(found.missing.iter().map(|it| it.amount).collect::<Vec<_>>(), [5, 8]);
        assert_eq!(
            found.unknown.iter().map(|it| it.line).collect::<Vec<_>>(),
            [3, 5],
            "a line that stands twice is one too many"
        );
    }

    #[test]
    fn a_file_with_wrong_lines_is_refused_with_each_of_them() {
        assert!(parse(HEAD.as_bytes()).unwrap().is_empty());
        assert!(parse(b"reference,amount,time\n").unwrap_err().said().contains("currency"));
        let wrong = format!("{HEAD}a,5.00,EUR,2025-12-31T10:00:00Z\na,5,euro,2025-12-31T10:00:00Z\na,5,EUR,today\n");
        assert!(parse(wrong.as_bytes()).unwrap_err().said().contains("3 lines are wrong"));
    }
}
