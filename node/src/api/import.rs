//! Importing a product list from CSV: every bad line is reported with its number, and unless asked otherwise nothing is
//! imported while there is one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use stockroom_core::input::{Command, RetryKey};
use stockroom_crdt::gtin::Gtin;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::money::Currency;
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Channel, Product};
use utoipa::{IntoParams, ToSchema};

use super::idempotency::{KeyHeader, KeyedBytes, created, part_of, take};
use super::limits::IMPORT_CHUNK;
use super::prices::{check_price, check_start};
use super::problem::{Answered, Kind, LineError, Problem};
use super::products::{BarcodeBody, ProductBody};
use super::request::Params;
use super::values::{Moment, Text, Word, now_ms};
use super::{Api, Books};

/// How to import.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportParams {
    /// Import the good lines although there are bad ones.
    #[serde(default)]
    partial: bool,
    /// The book for the column `price`; needed when there are prices.
    #[param(value_type = Option<String>)]
    book: Option<Text<Code>>,
    /// The currency of lines without one in a column `currency`.
    #[param(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// From when the prices hold; now if absent.
    #[param(value_type = Option<String>)]
    from: Option<Text<Moment>>,
}

/// What was imported.
#[derive(Serialize, ToSchema)]
pub struct ImportAnswer {
    /// Lines that were read, without the header.
    lines: usize,
    /// Products that stand in the catalogue as the list says.
    products: usize,
    /// Prices that stand in the book as the list says.
    prices: usize,
    /// Every bad line; only with `partial=true`.
    errors: Vec<LineError>,
}

/// A good line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    line: u64,
    product: Product,
    price: Option<Price>,
}

/// A list, line by line. Bad lines keep their place, so that a retry cuts the list into the same commands.
struct List {
    rows: Vec<Option<Row>>,
    errors: Vec<LineError>,
}

/// Imports products, and prices if there is a column `price`. At the hub.
///
/// The first line names the columns, in any order: `sku`, `name` and, as needed, `unit`, `barcodes` (`;` between them,
/// `gtin*pack`), `item_number`, `tax_code`, `department`, `owner`, `age_min`, `excluded` (channels, `;` between them),
/// `price` (minor units), `currency`. At most 16 MiB. One try is carried out in several commits: after an interruption the
/// same request under the same key does the rest.
#[utoipa::path(post, path = "/v1/products/import", tag = "catalogue", params(ImportParams, KeyHeader),
    request_body(content = String, content_type = "text/csv"), responses((status = 201, body = ImportAnswer)))]
pub async fn import_products(
    State(api): State<Arc<Api>>,
    Params(params): Params<ImportParams>,
    request: Request,
) -> Answered {
    let KeyedBytes { bytes, retry } = take(request, &api, "text/csv").await?;
    let partial = params.partial;
    let checking = move |books: &Books<'_>| {
        let mut list = parse(&bytes, &params, now_ms())?;
        list.check(books)?;
        let parts = list.rows.len().div_ceil(IMPORT_CHUNK);
        let replayed = is_replayed(books, retry, parts)?;
        Ok((list, replayed))
    };
    let (list, replayed) = api.read_much(checking).await?;
    if !list.errors.is_empty() && !partial {
        return Err(Problem::of_lines(list.errors));
    }
    let (mut products, mut prices) = (0, 0);
    for (index, chunk) in list.rows.chunks(IMPORT_CHUNK).enumerate() {
        let rows: Vec<&Row> = chunk.iter().flatten().collect();
        products += rows.len();
        prices += rows.iter().filter(|row| row.price.is_some()).count();
        write(&api, retry, index, &rows).await?;
    }
    Ok(created(replayed, ImportAnswer { lines: list.rows.len(), products, prices, errors: list.errors }))
}

/// Writes one chunk. What stands in the catalogue as the list says is not written again: a list that is imported every
/// night must not grow the logs.
async fn write(api: &Api, retry: RetryKey, index: usize, rows: &[&Row]) -> Answered<()> {
    let (products, prices) = api.read(|books| {
        let (mut products, mut prices) = (Vec::new(), Vec::new());
        for row in rows {
            if books.product(&row.product.sku)?.as_ref() != Some(&row.product) {
                products.push(row.product.clone());
            }
            if let Some(price) = &row.price {
                let held = books.price(&price.book, &price.sku, price.from_ms)?;
                if held.is_none_or(|held| (held.minor, held.currency) != (price.minor, price.currency)) {
                    prices.push(price.clone());
                }
            }
        }
        Ok((products, prices))
    })?;
    if !products.is_empty() {
        api.ask(Command::Products(part_of(retry, PRODUCTS, index), products)).await?;
    }
    if !prices.is_empty() {
        api.ask(Command::Prices(part_of(retry, PRICES, index), prices)).await?;
    }
    Ok(())
}

/// Whether an earlier try of this request wrote something. An earlier use of the key for another list is refused here,
/// before the first chunk is written.
fn is_replayed(books: &Books<'_>, retry: RetryKey, parts: usize) -> Answered<bool> {
    let mut replayed = false;
    for index in 0..parts {
        for what in [PRODUCTS, PRICES] {
            match books.retried(part_of(retry, what, index).key)? {
                Some(body) if body != retry.body => {
                    return Err(Problem::new(Kind::KeyReused, "the key was used for another list"));
                }
                Some(_) => replayed = true,
                None => {}
            }
        }
    }
    Ok(replayed)
}

impl List {
    /// Finds lines that do not fit the catalogue: a product keeps its unit.
    fn check(&mut self, books: &Books<'_>) -> Answered<()> {
        for slot in &mut self.rows {
            let Some(row) = slot else { continue };
            let held = books.product(&row.product.sku)?;
            if let Some(held) = held.filter(|held| held.unit != row.product.unit) {
                let detail = format!("is {} already; a product keeps its unit", held.unit.as_str());
                self.errors.push(LineError { line: row.line, field: Some("unit".into()), detail });
                *slot = None;
            }
        }
        self.errors.sort_by_key(|error| error.line);
        Ok(())
    }
}

/// Reads the list. Fails as a whole only if its head is wrong.
fn parse(bytes: &[u8], params: &ImportParams, now: u64) -> Answered<List> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let head = reader.headers().map_err(|error| Problem::new(Kind::MalformedBody, error.to_string()))?.clone();
    let columns: Vec<&str> = head.iter().collect();
    check_head(&columns, params)?;
    let mut list = List { rows: Vec::new(), errors: Vec::new() };
    let mut first_lines = BTreeMap::new();
    for record in reader.records() {
        let line = match &record {
            Ok(record) => record.position().map_or(0, csv::Position::line),
            Err(error) => error.position().map_or(0, csv::Position::line),
        };
        let row = record
            .map_err(|error| Problem::new(Kind::InvalidField, csv_fault(&error)))
            .and_then(|record| row(&columns, &record, (line, now), params))
            .and_then(|row| match first_lines.insert(row.product.sku.clone(), line) {
                Some(first) => Err(Problem::invalid("sku", format_args!("stands in line {first} already"))),
                None => Ok(row),
            });
        list.rows.push(row.map_err(|problem| list.errors.push(problem.at_line(line))).ok());
    }
    Ok(list)
}

fn check_head(columns: &[&str], params: &ImportParams) -> Answered<()> {
    for (index, column) in columns.iter().enumerate() {
        if !COLUMNS.contains(column) {
            return Err(Problem::invalid(*column, format_args!("is not a column; there are {}", COLUMNS.join(", "))));
        }
        if columns[..index].contains(column) {
            return Err(Problem::invalid(*column, "stands twice in the head"));
        }
    }
    for needed in ["sku", "name"] {
        if !columns.contains(&needed) {
            return Err(Problem::invalid(needed, "is missing in the head of the list"));
        }
    }
    if columns.contains(&"price") && params.book.is_none() {
        return Err(Problem::invalid("book", "is needed, since the list has prices: add ?book="));
    }
    Ok(())
}

fn row(columns: &[&str], record: &csv::StringRecord, at: (u64, u64), params: &ImportParams) -> Answered<Row> {
    if record.len() != columns.len() {
        let detail = format!("has {} columns, the head has {}", record.len(), columns.len());
        return Err(Problem::new(Kind::InvalidField, detail));
    }
    let cell =
        |name: &str| columns.iter().position(|column| *column == name).and_then(|at| record.get(at)).unwrap_or("");
    let body = ProductBody {
        sku: word(cell("sku"), "sku")?,
        name: cell("name").into(),
        unit: word(or(cell("unit"), "each"), "unit")?,
        barcodes: parts(cell("barcodes")).map(barcode).collect::<Answered<_>>()?,
        item_number: word(or(cell("item_number"), "0"), "item_number")?.0,
        tax_code: word(cell("tax_code"), "tax_code")?,
        department: word(cell("department"), "department")?,
        owner: word(cell("owner"), "owner")?,
        age_min: word(or(cell("age_min"), "0"), "age_min")?.0,
        excluded: parts(cell("excluded")).map(|part| word::<Channel>(part, "excluded")).collect::<Answered<_>>()?,
        discontinued: false,
    };
    let product = body.to_product()?;
    let price = price(&product.sku, (cell("price"), cell("currency")), at.1, params)?;
    Ok(Row { line: at.0, product, price })
}

fn price(sku: &Sku, cells: (&str, &str), now: u64, params: &ImportParams) -> Answered<Option<Price>> {
    let (price, currency) = cells;
    let (Some(book), false) = (&params.book, price.is_empty()) else { return Ok(None) };
    let minor: i64 = price.parse().map_err(|_| Problem::invalid("price", "is not a whole number of minor units"))?;
    check_price("price", Some(minor))?;
    let currency = match (currency, &params.currency) {
        ("", Some(currency)) => currency.0,
        ("", None) => return Err(Problem::invalid("currency", "is needed beside a price")),
        (given, _) => word(given, "currency")?.0,
    };
    let from_ms = params.from.as_ref().map_or(now, |from| from.0.0);
    check_start("from", from_ms, now)?;
    Ok(Some(Price { book: book.0.clone(), sku: sku.clone(), from_ms, minor: Some(minor), currency }))
}

fn barcode(part: &str) -> Answered<BarcodeBody> {
    let (gtin, pack) = part.split_once('*').unwrap_or((part, "1"));
    let gtin: Text<Gtin> =
        word(gtin.trim(), "barcodes").map_err(|problem| problem.detailed(|detail| format!("{detail} ({part})")))?;
    Ok(BarcodeBody { gtin, pack: word(pack.trim(), "barcodes")?.0 })
}

fn word<T: Word>(cell: &str, column: &str) -> Answered<Text<T>> {
    T::read(cell).map(Text).map_err(|message| Problem::invalid(column, message))
}

fn parts(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').map(str::trim).filter(|part| !part.is_empty())
}

fn or<'a>(cell: &'a str, otherwise: &'a str) -> &'a str {
    if cell.is_empty() { otherwise } else { cell }
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".into(),
        _ => "cannot be read".into(),
    }
}

/// The path, which the gate gives more time.
pub const PATH: &str = "/v1/products/import";

const PRODUCTS: &str = "products";
const PRICES: &str = "prices";

const COLUMNS: [&str; 12] = [
    "sku",
    "name",
    "unit",
    "barcodes",
    "item_number",
    "tax_code",
    "department",
    "owner",
    "age_min",
    "excluded",
    "price",
    "currency",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn params(book: Option<&str>) -> ImportParams {
        let book = book.map(|book| Text(Code::parse(book).unwrap()));
        ImportParams { partial: false, book, currency: None, from: None }
    }

    #[test]
    fn a_list_is_read_by_the_names_of_its_columns() {
        let csv = "name,sku,barcodes,unit,excluded,price,currency\n\
                   \"Milk, fresh\",M1,4006381333931*12; 96385074,each,pickup;delivery,129,EUR\n\
                   Apples,A1,,gram,,,\n";
        let list = parse(csv.as_bytes(), &params(Some("main")), 7).unwrap();
        assert_eq!(list.errors, []);
        let rows: Vec<_> = list.rows.into_iter().flatten().collect();
        assert_eq!(rows[0].product.name, "Milk, fresh");
        assert_eq!(rows[0].product.barcodes.iter().map(|b| b.pack).collect::<Vec<_>>(), [1, 12]);
        assert_eq!(rows[0].product.excluded, 0b110);
        let price = rows[0].price.as_ref().unwrap();
        assert_eq!((price.minor, price.from_ms), (Some(129), 7));
        assert_eq!((rows[1].line, &rows[1].price), (3, &None));
    }

    #[test]
    fn every_bad_line_is_named_with_its_number() {
        let csv = "sku,name,barcodes,age_min\nA,Apple,4006381333932,\nB,Bread,,\n,nothing,,\nB,again,,\nC,Cola,,200\nD\n\
                   E,\"two\nlines\",,\nF,Fig,,-1\n";
        let list = parse(csv.as_bytes(), &params(None), 0).unwrap();
        let found: Vec<_> = list.errors.iter().map(|e| (e.line, e.field.as_deref().unwrap_or("-"))).collect();
        assert_eq!(
            found,
            [(2, "barcodes"), (4, "sku"), (5, "sku"), (6, "age_min"), (7, "-"), (8, "name"), (10, "age_min")]
        );
        assert!(list.errors[0].detail.contains("check digit"), "{}", list.errors[0].detail);
        assert_eq!(list.rows.iter().flatten().count(), 1);
    }

    #[test]
    fn a_wrong_head_is_refused_at_once() {
        for (csv, field) in [
            ("sku,name,colour\n", "colour"),
            ("sku,sku,name\n", "sku"),
            ("sku\n", "name"),
            ("", "sku"),
            ("sku,name,price\nA,B,1\n", "book"),
        ] {
            let problem = parse(csv.as_bytes(), &params(None), 0).map(|_| ()).unwrap_err();
            assert_eq!(problem.at_line(1).field.as_deref(), Some(field), "{csv}");
        }
    }
}
