//! Stock counts: scans of a session, and its closing, which resets the book.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_core::input::Command;
use stockroom_core::input::goods::{Doubtful, Uncounted};
use stockroom_crdt::count::CountScan;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::Recount;
use utoipa::ToSchema;

use super::goods::{named, packs, unit_of};
use super::idempotency::{KeyHeader, Keyed, created};
use super::problem::Answered;
use super::request::Segment;
use super::values::{Moment, Text, Word};
use super::{Api, unexpected_entry};

/// A counter saw goods in a zone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountScanBody {
    /// Shelf, back room, staging: zones of one session are summed before the reset.
    #[serde(default)]
    #[schema(value_type = String)]
    zone: Text<Code>,
    /// What; either this or `code`.
    #[schema(value_type = Option<String>)]
    sku: Option<Text<Sku>>,
    /// A scanned code; `quantity` then counts packs.
    code: Option<String>,
    /// How many lie there, 0 or more. A second scan of the same zone and SKU by the same counter replaces the first.
    quantity: i64,
    /// `each` or `gram`; the product's if absent.
    #[schema(value_type = Option<String>)]
    unit: Option<Text<Unit>>,
    /// This settles the zone: what other counters found there before does not count any more.
    #[serde(default)]
    settles: bool,
    /// Who counted.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// A scan as it was written.
#[derive(Serialize, ToSchema)]
pub struct CountScanAnswer {
    /// Shelf, back room, staging.
    #[schema(value_type = String)]
    zone: Text<Code>,
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// How many.
    quantity: i64,
    /// It settles the zone.
    settles: bool,
    /// Who counted.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// When: what moved before is in the figure, what moves later is not.
    #[schema(value_type = String, format = DateTime)]
    scanned_at: Text<Moment>,
}

/// Closes a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CountCloseBody {
    /// What to do with products that must be counted again: `refuse` to close and name them, which is what happens if this is
    /// absent; `leave-out`, so that their book stays; `accept` those that moved while they were counted, marked for a recount.
    #[schema(value_type = Option<String>)]
    doubtful: Option<Text<Doubtful>>,
    /// What to do with products of the sheet that nobody counted: `keep` their book, which is what happens if this is absent;
    /// `zero`, which confirms that there is nothing of them.
    #[schema(value_type = Option<String>)]
    uncounted: Option<Text<Uncounted>>,
    /// Who closes it.
    #[serde(default)]
    #[schema(value_type = String)]
    staff: Text<Code>,
}

/// What a session's closing did.
#[derive(Serialize, ToSchema)]
pub struct CountCloseAnswer {
    /// The session.
    session: u64,
    /// When it was closed.
    #[schema(value_type = String, format = DateTime)]
    closed_at: Text<Moment>,
    /// Who closed it.
    #[schema(value_type = String)]
    staff: Text<Code>,
    /// The counted products.
    lines: Vec<CountLineAnswer>,
}

/// The sum over the zones of one product.
#[derive(Serialize, ToSchema)]
pub struct CountLineAnswer {
    /// What.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its unit.
    #[schema(value_type = String)]
    unit: Text<Unit>,
    /// How many in all zones together.
    quantity: i64,
    /// When the last zone was scanned.
    #[schema(value_type = String, format = DateTime)]
    scanned_at: Text<Moment>,
    /// Why it should be counted again, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    recount: Option<&'static str>,
}

/// One scan of a session. The first one opens it; counters choose its number.
#[utoipa::path(post, path = "/v1/counts/{session}/scans", tag = "counts", params(("session" = u64, Path), KeyHeader),
    request_body = CountScanBody, responses((status = 201, body = CountScanAnswer)))]
pub async fn create_scan(
    State(api): State<Arc<Api>>,
    Segment(session): Segment<u64>,
    Keyed { value, retry }: Keyed<CountScanBody>,
) -> Answered {
    api.own_store()?;
    let scan = api.read(|books| {
        let named = named(books, "", value.sku, value.code).map_err(|problem| problem.without_prefix("."))?;
        let quantity = packs("quantity", value.quantity, named.pack)?;
        let unit = unit_of(books, &named.sku, value.unit)?;
        let (zone, staff) = (value.zone.0, value.staff.0);
        Ok(CountScan { session, zone, sku: named.sku, unit, quantity, settles: value.settles, staff })
    })?;
    let written = api.write(Command::CountScan(retry, scan)).await;
    let written = written.map_err(|problem| problem.without_prefix("scan."))?;
    let Fact::CountScan(scan) = written.entry.fact else { return unexpected_entry() };
    Ok(created(written.replayed, CountScanAnswer::new(scan, written.entry.hlc.ms())))
}

/// Closes a session: the book of every product scanned becomes what was counted, and what moved since. Counters who disagree
/// about a zone stop it until a scan settles that, or their product is left out.
#[utoipa::path(post, path = "/v1/counts/{session}/close", tag = "counts", params(("session" = u64, Path), KeyHeader),
    request_body = CountCloseBody, responses((status = 201, body = CountCloseAnswer)))]
pub async fn close_count(
    State(api): State<Arc<Api>>,
    Segment(session): Segment<u64>,
    Keyed { value, retry }: Keyed<CountCloseBody>,
) -> Answered {
    api.own_store()?;
    let doubtful = value.doubtful.map_or(Doubtful::Refuse, |word| word.0);
    let uncounted = value.uncounted.map_or(Uncounted::Keep, |word| word.0);
    let close = Command::CountClose { retry, session, staff: value.staff.0, doubtful, uncounted };
    let written = api.write(close).await?;
    let Fact::CountClose(close) = written.entry.fact else { return unexpected_entry() };
    let lines = close.lines.into_iter().map(|line| CountLineAnswer {
        sku: Text(line.sku),
        unit: Text(line.unit),
        quantity: line.quantity,
        scanned_at: Text(Moment(line.scanned_ms)),
        recount: line.ambiguous.then(|| Recount::MovedWhileCounting.as_str()),
    });
    let answer = CountCloseAnswer {
        session,
        closed_at: Text(Moment(written.entry.hlc.ms())),
        staff: Text(close.staff),
        lines: lines.collect(),
    };
    Ok(created(written.replayed, answer))
}

impl CountScanAnswer {
    /// A scan as it was written.
    pub fn new(scan: CountScan, at_ms: u64) -> Self {
        Self {
            zone: Text(scan.zone),
            sku: Text(scan.sku),
            unit: Text(scan.unit),
            quantity: scan.quantity,
            settles: scan.settles,
            staff: Text(scan.staff),
            scanned_at: Text(Moment(at_ms)),
        }
    }
}

impl Word for Doubtful {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "leave-out" => Ok(Self::LeaveOut),
            "accept" => Ok(Self::Accept),
            _ => Err("is not one of refuse, leave-out, accept".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Refuse => "refuse".into(),
            Self::LeaveOut => "leave-out".into(),
            Self::Accept => "accept".into(),
        }
    }
}

impl Word for Uncounted {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "zero" => Ok(Self::Zero),
            _ => Err("is neither keep nor zero".into()),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Keep => "keep".into(),
            Self::Zero => "zero".into(),
        }
    }
}
