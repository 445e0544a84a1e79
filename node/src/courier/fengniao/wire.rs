//! The words of Fengniao's API, and what they mean in ours.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::money::Currency;

use crate::courier::fengniao::sign::Secret;
use crate::courier::job::{Amount, ExternalId, Item, Person, clipped};
use crate::courier::limits::ITEMS_MAX;
use crate::courier::report::{Party, Position, Reason, Report, State};
use crate::courier::settings::FengniaoSettings;
use crate::courier::{Ask, CallbackError, Quote};

/// What every answer looks like.
#[derive(Debug, Deserialize)]
pub struct Answer {
    #[serde(deserialize_with = "text_or_number")]
    code: String,
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    business_data: Option<serde_json::Value>,
}

/// Why an answer holds nothing.
#[derive(Debug)]
pub enum NoAnswer {
    /// It says no.
    Refused {
        /// Their code.
        code: String,
        /// Their words, clipped.
        message: String,
    },
    /// It makes no sense.
    Strange(String),
}

impl Answer {
    /// What was asked for: JSON in a string, sometimes bare.
    pub fn into_business<A: DeserializeOwned>(self) -> Result<A, NoAnswer> {
        if self.code != "200" {
            let message = clipped(self.msg.as_deref().unwrap_or_default());
            return Err(NoAnswer::Refused { code: clipped(&self.code), message });
        }
        let read = match self.business_data {
            Some(serde_json::Value::String(text)) if !text.is_empty() => serde_json::from_str(&text),
            Some(serde_json::Value::String(_)) | None => serde_json::from_value(serde_json::Value::Null),
            Some(other) => serde_json::from_value(other),
        };
        read.map_err(|error| NoAnswer::Strange(error.to_string()))
    }
}

/// `createOrder` and `preCreateOrder`.
#[derive(Debug, Serialize)]
pub struct NewOrder<'a> {
    partner_order_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_store_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_shop_code: Option<String>,
    /// 1 now, 3 for a time that was agreed.
    order_type: u8,
    position_source: u8,
    receiver_name: &'a str,
    receiver_primary_phone: &'a str,
    receiver_address: &'a str,
    receiver_longitude: f64,
    receiver_latitude: f64,
    goods_total_amount_cent: i64,
    goods_actual_amount_cent: i64,
    order_tip_amount_cent: i64,
    /// Kilograms.
    goods_weight: f64,
    goods_count: u32,
    goods_item_list: Vec<OrderItem>,
    order_add_time: u64,
    expect_fetch_time: u64,
    require_receive_time: u64,
    order_remark: &'a str,
    /// Short number that the courier says at the store.
    serial_number: &'a str,
    use_coupon: u8,
}

#[derive(Debug, Serialize)]
struct OrderItem {
    item_name: String,
    item_quantity: u32,
    item_amount_cent: i64,
    item_actual_amount_cent: i64,
    /// 1 small, 2 medium, 3 large; not weighed by us.
    item_size: u8,
}

impl<'a> NewOrder<'a> {
    /// Our question in their words.
    pub fn new(ask: &Ask<'a>, id: &ExternalId, settings: &FengniaoSettings) -> Self {
        let Ask { job, contact, now_ms } = *ask;
        let to = settings.position_source.datum().from_wgs84(job.to);
        let chain_store_id = settings.shops.get(&job.store.0.to_string()).copied();
        let out_shop_code = chain_store_id.is_none().then(|| job.store.0.to_string());
        let total = job.goods.iter().map(|item| item.each_minor.saturating_mul(item.count.into())).sum();
        Self {
            partner_order_code: id.to_string(),
            chain_store_id,
            out_shop_code,
            order_type: if job.due_ms > now_ms.saturating_add(NOW_MS) { 3 } else { 1 },
            position_source: settings.position_source.number(),
            receiver_name: &contact.name,
            receiver_primary_phone: &contact.phone,
            receiver_address: &contact.address,
            receiver_longitude: f64::from(to.longitude) / MICRO,
            receiver_latitude: f64::from(to.latitude) / MICRO,
            goods_total_amount_cent: total,
            goods_actual_amount_cent: job.value.minor,
            order_tip_amount_cent: job.tip_minor,
            goods_weight: job.weight_g as f64 / 1000.0,
            goods_count: job.goods.iter().map(|item| item.count).fold(0, u32::saturating_add),
            goods_item_list: items(&job.goods),
            order_add_time: now_ms,
            expect_fetch_time: job.ready_ms,
            require_receive_time: job.due_ms,
            order_remark: &contact.note,
            serial_number: &job.bag_code,
            use_coupon: 0,
        }
    }
}

fn items(goods: &[Item]) -> Vec<OrderItem> {
    let item = |item: &Item| OrderItem {
        item_name: clipped(&item.name),
        item_quantity: item.count,
        item_amount_cent: item.each_minor,
        item_actual_amount_cent: item.paid_minor,
        item_size: 1,
    };
    let (named, rest) = goods.split_at(goods.len().min(ITEMS_MAX));
    let mut all: Vec<_> = named.iter().map(item).collect();
    if !rest.is_empty() {
        let paid = rest.iter().map(|item| item.paid_minor).sum();
        let more = format!("+{}", rest.len());
        all.push(item(&Item { name: more, count: 1, each_minor: paid, paid_minor: paid }));
    }
    all
}

/// The answer to `createOrder`.
#[derive(Debug, Deserialize)]
pub struct Created {
    #[serde(default, deserialize_with = "text_or_number")]
    order_id: String,
}

impl Created {
    /// Their number; empty when they say none.
    pub fn order_id(self) -> String {
        clipped(&self.order_id)
    }
}

/// The answer to `preCreateOrder`.
#[derive(Debug, Deserialize)]
pub struct Offers {
    #[serde(default)]
    goods_infos: Vec<Offer>,
}

#[derive(Debug, Deserialize)]
struct Offer {
    actual_delivery_amount_cent: Option<i64>,
    /// Milliseconds from now.
    #[serde(default)]
    predict_delivery_time: Option<u64>,
    /// 0: not to be had now.
    #[serde(default)]
    is_valid: Option<u8>,
    #[serde(default)]
    service_goods_id: Option<serde_json::Value>,
}

impl Offers {
    /// The offer that costs least, of those that can be had.
    pub fn cheapest(self, now_ms: u64) -> Option<Quote> {
        let valid = self.goods_infos.into_iter().filter(|offer| offer.is_valid != Some(0));
        let priced = valid.filter_map(|offer| Some((offer.actual_delivery_amount_cent?, offer)));
        let (minor, offer) = priced.min_by_key(|(minor, _)| *minor)?;
        Some(Quote {
            fee: Amount { minor, currency: yuan() },
            pickup_ms: None,
            dropoff_ms: offer.predict_delivery_time.map(|in_ms| now_ms.saturating_add(in_ms)),
            expires_ms: None,
            reference: offer.service_goods_id.map(|id| clipped(id.to_string().trim_matches('"'))),
        })
    }
}

/// `getOrderDetail`.
#[derive(Debug, Serialize)]
pub struct Order {
    partner_order_code: String,
}

impl Order {
    /// By our own code: that is known also when no answer ever came.
    pub fn new(id: &ExternalId) -> Self {
        Self { partner_order_code: id.to_string() }
    }
}

/// The answer to `getOrderDetail`.
#[derive(Debug, Deserialize)]
pub struct Detail {
    order_status: i64,
    #[serde(default)]
    carrier_driver_name: Option<String>,
    #[serde(default)]
    carrier_driver_phone: Option<String>,
    #[serde(default)]
    order_actual_amount_cent: Option<i64>,
    #[serde(default)]
    abnormal_code: Option<String>,
    #[serde(default)]
    abnormal_desc: Option<String>,
    #[serde(default)]
    event_log_details: Vec<LogLine>,
}

#[derive(Debug, Deserialize)]
struct LogLine {
    order_status: i64,
    occur_time: u64,
    #[serde(default)]
    carrier_driver_name: Option<String>,
    #[serde(default)]
    carrier_driver_phone: Option<String>,
}

impl Detail {
    /// Every step of its log, and the status itself if the log lacks it.
    pub fn reports(&self, now_ms: u64) -> Vec<Report> {
        let words = [&self.abnormal_code, &self.abnormal_desc].map(|word| word.as_deref().unwrap_or_default());
        let words = words.join(" ");
        let line = |line: &LogLine| {
            let heard = step(line.order_status, line.occur_time, &words, None)?;
            Some(Report { courier: person(&line.carrier_driver_name, &line.carrier_driver_phone), ..heard })
        };
        let mut reports: Vec<_> = self.event_log_details.iter().filter_map(line).collect();
        if !self.event_log_details.iter().any(|line| line.order_status == self.order_status) {
            let last_ms = self.event_log_details.iter().map(|line| line.occur_time).max();
            reports.extend(step(self.order_status, last_ms.unwrap_or(now_ms), &words, None));
        }
        if let Some(last) = reports.iter_mut().max_by_key(|report| (report.at_ms, report.state)) {
            last.fee = self.order_actual_amount_cent.map(|minor| Amount { minor, currency: yuan() });
            last.courier =
                last.courier.take().or_else(|| person(&self.carrier_driver_name, &self.carrier_driver_phone));
        }
        reports
    }

    /// They say that it was cancelled, by whomever.
    pub fn was_called_off(&self) -> bool {
        self.order_status == STATUS_CANCELLED
    }
}

/// `preCancelOrder` and `cancelOrder`.
#[derive(Debug, Serialize)]
pub struct CancelOrder {
    partner_order_code: String,
    order_cancel_code: u32,
    order_cancel_other_reason: &'static str,
    /// 1 the shop, 2 the customer.
    order_cancel_role: u8,
    /// What it costs, as `preCancelOrder` said.
    pub actual_cancel_cost_cent: i64,
}

impl CancelOrder {
    /// Their form allows 20 characters of reason.
    pub fn new(id: &ExternalId, reason: Reason, order_cancel_code: u32) -> Self {
        let customer = matches!(reason, Reason::CustomerCancelled | Reason::CustomerRefused);
        let other = match reason {
            Reason::NoCourier => "无骑手接单",
            Reason::CourierLate => "骑手未到店",
            Reason::StoreNotReady => "商品未备好",
            Reason::CustomerUnreachable => "联系不上顾客",
            Reason::AddressWrong => "地址有误",
            Reason::CustomerRefused | Reason::CustomerCancelled => "顾客取消",
            Reason::AgeCheckFailed => "顾客证件不符",
            Reason::GoodsDamaged => "商品损坏",
            Reason::MerchantCancel => "商家取消",
            Reason::System => "系统原因",
            Reason::ForceMajeure => "不可抗力",
        };
        Self {
            partner_order_code: id.to_string(),
            order_cancel_code,
            order_cancel_other_reason: other,
            order_cancel_role: if customer { 2 } else { 1 },
            actual_cancel_cost_cent: 0,
        }
    }
}

/// The answer to `preCancelOrder`.
#[derive(Debug, Deserialize)]
pub struct Costs {
    /// Minor units.
    #[serde(default)]
    pub actual_cancel_cost_cent: i64,
}

#[derive(Deserialize)]
struct Callback {
    app_id: String,
    #[serde(deserialize_with = "text_or_number")]
    timestamp: String,
    business_data: String,
    signature: String,
}

#[derive(Deserialize)]
struct CallbackBusiness {
    callback_business_type: String,
    #[serde(default)]
    param: serde_json::Value,
}

#[derive(Deserialize)]
struct StatusParam {
    partner_order_code: String,
    order_status: i64,
    push_time: u64,
    #[serde(default)]
    carrier_driver_name: Option<String>,
    #[serde(default)]
    carrier_driver_phone: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    detail_description: Option<String>,
    #[serde(default)]
    error_code: Option<String>,
    /// 1 the customer, 2 the shop.
    #[serde(default)]
    cancel_reason: Option<i64>,
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
}

/// Reads a callback. What is not signed is not even looked into; what is no status is no news.
pub fn callback(raw: &[u8], app_id: &str, secret: &Secret) -> Result<Vec<(ExternalId, Report)>, CallbackError> {
    let malformed = |error: serde_json::Error| CallbackError::Malformed(clipped(&error.to_string()));
    let callback: Callback = serde_json::from_slice(raw).map_err(malformed)?;
    let fields = [
        ("app_id", callback.app_id.as_str()),
        ("business_data", &callback.business_data),
        ("timestamp", &callback.timestamp),
    ];
    if callback.app_id != app_id || !secret.verify(&fields, &callback.signature) {
        return Err(CallbackError::Signature);
    }
    let business: CallbackBusiness = serde_json::from_str(&callback.business_data).map_err(malformed)?;
    if business.callback_business_type != ORDER_STATUS {
        return Ok(Vec::new());
    }
    let param: StatusParam = serde_json::from_value(business.param).map_err(malformed)?;
    let id = ExternalId::parse(&param.partner_order_code).ok_or(CallbackError::Unknown)?;
    Ok(param.report().into_iter().map(|report| (id.clone(), report)).collect())
}

impl StatusParam {
    fn report(&self) -> Option<Report> {
        let words = [&self.error_code, &self.description, &self.detail_description];
        let words = words.map(|word| word.as_deref().unwrap_or_default()).join(" ");
        let heard = step(self.order_status, self.push_time, &words, self.cancel_reason)?;
        let place = self.latitude.zip(self.longitude).and_then(|(latitude, longitude)| wgs84(latitude, longitude));
        let position = place.map(|point| Position { point, at_ms: self.push_time });
        let courier = person(&self.carrier_driver_name, &self.carrier_driver_phone);
        Some(Report { courier, position, ..heard })
    }
}

/// A status in our words; none for a number that is not documented.
fn step(status: i64, at_ms: u64, words: &str, cancel_reason: Option<i64>) -> Option<Report> {
    let bare = |state| Some(Report::new(state, at_ms));
    match status {
        0 => bare(State::Requested),
        1 => bare(State::Accepted),
        20 => bare(State::CourierAssigned),
        80 => bare(State::CourierAtStore),
        2 => bare(State::PickedUp),
        3 => bare(State::Delivered),
        STATUS_CANCELLED => {
            let (reason, by) = match cancel_reason {
                Some(1) => (Reason::CustomerCancelled, Party::Customer),
                Some(2) => (Reason::MerchantCancel, Party::Merchant),
                _ => (reason_of(words).unwrap_or(Reason::System), Party::Service),
            };
            Some(Report::new(State::Cancelled, at_ms).because(reason, by))
        }
        5 => {
            let reason = reason_of(words).unwrap_or(Reason::System);
            Some(Report::new(State::Failed, at_ms).because(reason, Party::Service))
        }
        _ => None,
    }
}

/// A reason by the words that Fengniao and its couriers write. There is no published list of codes.
pub fn reason_of(words: &str) -> Option<Reason> {
    let known = |(keys, reason): &(&[&str], Reason)| keys.iter().any(|key| words.contains(key)).then_some(*reason);
    REASONS.iter().find_map(known)
}

/// Whether a refusal is about the access token, so that a new one may help.
pub fn is_about_the_token(code: &str, message: &str) -> bool {
    code == "HTTP 401" || message.to_ascii_lowercase().contains("token")
}

/// The only currency of this service.
pub fn yuan() -> Currency {
    Currency::parse("CNY").expect("three upper-case letters")
}

fn person(name: &Option<String>, phone: &Option<String>) -> Option<Person> {
    Person::of(name.as_deref().unwrap_or_default(), phone.as_deref().unwrap_or_default())
}

/// Couriers' telephones and Fengniao's map speak GCJ-02, whatever the shop declared for its own points.
fn wgs84(latitude: f64, longitude: f64) -> Option<Coordinates> {
    let micro = |degrees: f64| degrees.is_finite().then(|| (degrees * MICRO).round() as i32);
    let there = Coordinates::new(micro(latitude)?, micro(longitude)?)?;
    Some(stockroom_crdt::place::Datum::Gcj02.to_wgs84(there))
}

fn text_or_number<'a, D: Deserializer<'a>>(from: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

const REASONS: &[(&[&str], Reason)] = &[
    (&["无骑手", "无人接单", "没有骑手", "运力不足"], Reason::NoCourier),
    (&["OVER_RANGE", "超出配送范围", "距离太远", "地址"], Reason::AddressWrong),
    (&["联系不上", "无法联系", "不在家"], Reason::CustomerUnreachable),
    (&["拒收", "拒绝收货"], Reason::CustomerRefused),
    (&["证件", "年龄"], Reason::AgeCheckFailed),
    (&["破损", "损坏", "洒"], Reason::GoodsDamaged),
    (&["未备好", "出餐慢", "等待商家"], Reason::StoreNotReady),
    (&["骑手原因", "骑手未到"], Reason::CourierLate),
    (&["天气", "不可抗力"], Reason::ForceMajeure),
    (&["用户取消", "顾客取消"], Reason::CustomerCancelled),
    (&["商家取消", "商户取消"], Reason::MerchantCancel),
];

const STATUS_CANCELLED: i64 = 4;

/// The callback that tells an order's status.
const ORDER_STATUS: &str = "orderStatusNotify";

/// Promised later than this, it is an order for a time.
const NOW_MS: u64 = 90 * 60_000;

const MICRO: f64 = 1_000_000.0;
