//! Orders at the test courier service, and what its couriers do with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered after a quarter of an hour.
    Delivers,
    /// Not taken at all.
    Refuses,
    /// Taken by the service, by no courier.
    NobodyAccepts,
    /// A courier takes it and gives it back.
    CourierCancels,
    /// A courier takes it and never comes.
    NeverComes,
    /// A courier picks the goods up and is not heard of again.
    GetsLost,
    /// The customer does not open; the goods come back, which this service does not report.
    FailsAtTheDoor,
}

/// What the test may see of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderView {
    /// As `getOrderDetail` gives it.
    pub status: i64,
    /// As `createOrder` got it.
    pub asked: Value,
    /// As `cancelOrder` got it, if it came.
    pub cancelled: Option<Value>,
}

#[derive(Debug)]
pub(super) struct Orders {
    pub(super) fate: Fate,
    /// `business_data` of callbacks that wait.
    pub(super) news: Vec<Value>,
    orders: BTreeMap<String, Order>,
}

#[derive(Debug)]
struct Order {
    number: u64,
    asked: Value,
    created_ms: u64,
    fate: Fate,
    status: i64,
    done: usize,
    log: Vec<(i64, u64)>,
    cancelled: Option<Value>,
}

impl Default for Orders {
    fn default() -> Self {
        Self { fate: Fate::Delivers, news: Vec::new(), orders: BTreeMap::new() }
    }
}

impl Fate {
    /// Status, and seconds after the order was made.
    fn steps(self) -> &'static [(i64, u64)] {
        match self {
            Fate::Delivers => &[(1, 0), (20, 60), (80, 300), (2, 420), (3, 900)],
            Fate::Refuses => &[],
            Fate::NobodyAccepts => &[(1, 0)],
            Fate::CourierCancels => &[(1, 0), (20, 60), (4, 200)],
            Fate::NeverComes => &[(1, 0), (20, 60)],
            Fate::GetsLost => &[(1, 0), (20, 60), (80, 300), (2, 420)],
            Fate::FailsAtTheDoor => &[(1, 0), (20, 60), (80, 300), (2, 420), (5, 900)],
        }
    }
}

impl Orders {
    pub(super) fn advance(&mut self, now_ms: u64) {
        for order in self.orders.values_mut() {
            while let Some(&(status, after_s)) = order.fate.steps().get(order.done)
                && order.cancelled.is_none()
                && order.created_ms + after_s * 1000 <= now_ms
            {
                order.done += 1;
                let news = order.step(status, order.created_ms + after_s * 1000);
                self.news.push(news);
            }
        }
    }

    pub(super) fn create(&mut self, asked: Value, now_ms: u64) -> Result<Value, &'static str> {
        let code = asked["partner_order_code"].as_str().unwrap_or_default().to_owned();
        let number = self.orders.len() as u64 + 1;
        if self.fate == Fate::Refuses {
            return Err("超出配送范围 OVER_RANGE_MAX_DISTANCE_ERROR");
        }
        if self.orders.contains_key(&code) {
            return Err("partner_order_code 重复");
        }
        let (log, fate) = (vec![(0, now_ms)], self.fate);
        let order = Order { number, asked, created_ms: now_ms, fate, status: 0, done: 0, log, cancelled: None };
        self.orders.insert(code, order);
        Ok(json!({ "order_id": number }))
    }

    pub(super) fn detail(&self, business: &Value) -> Result<Value, &'static str> {
        let code = business["partner_order_code"].as_str().unwrap_or_default();
        let order = self.orders.get(code).ok_or("订单不存在")?;
        let (name, phone) = order.carrier(order.status);
        let line = |&(status, at_ms): &(i64, u64)| {
            let (name, phone) = order.carrier(status);
            json!({ "order_status": status, "occur_time": at_ms, "carrier_driver_name": name,
                "carrier_driver_phone": phone })
        };
        let log: Vec<_> = order.log.iter().map(line).collect();
        Ok(json!({
            "order_id": order.number, "partner_order_code": code, "order_status": order.status,
            "carrier_driver_name": name, "carrier_driver_phone": phone, "order_actual_amount_cent": 800,
            "abnormal_desc": if order.status == 5 { "联系不上顾客" } else { "" }, "event_log_details": log,
        }))
    }

    pub(super) fn cancel_costs(&self, business: &Value) -> Result<Value, &'static str> {
        let code = business["partner_order_code"].as_str().unwrap_or_default();
        let order = self.orders.get(code).ok_or("订单不存在")?;
        let cost = if matches!(order.status, 20 | 80) { 300 } else { 0 };
        Ok(json!({ "actual_cancel_cost_cent": cost }))
    }

    pub(super) fn cancel(&mut self, business: &Value, now_ms: u64) -> Result<Value, &'static str> {
        let code = business["partner_order_code"].as_str().unwrap_or_default();
        let order = self.orders.get_mut(code).ok_or("订单不存在")?;
        if !matches!(order.status, 0 | 1 | 20 | 80) {
            return Err("订单当前状态不可取消");
        }
        order.cancelled = Some(business.clone());
        let news = order.step(4, now_ms);
        self.news.push(news);
        Ok(Value::Null)
    }

    pub(super) fn view(&self, code: &str) -> Option<OrderView> {
        let Order { status, asked, cancelled, .. } = self.orders.get(code)?;
        Some(OrderView { status: *status, asked: asked.clone(), cancelled: cancelled.clone() })
    }

    pub(super) fn count(&self) -> usize {
        self.orders.len()
    }
}

impl Order {
    /// Takes a step and gives the callback that tells of it.
    fn step(&mut self, status: i64, at_ms: u64) -> Value {
        self.status = status;
        self.log.push((status, at_ms));
        let (name, phone) = self.carrier(status);
        let place = (status == 2).then_some((31.175_304, 121.531_542));
        json!({ "callback_business_type": "orderStatusNotify", "param": {
            "order_id": self.number, "partner_order_code": self.asked["partner_order_code"],
            "order_status": status, "push_time": at_ms, "carrier_driver_name": name, "carrier_driver_phone": phone,
            "description": if status == 5 { "联系不上顾客" } else { "" },
            "cancel_reason": (status == 4 && self.cancelled.is_some()).then_some(2),
            "latitude": place.map(|place| place.0), "longitude": place.map(|place| place.1),
        } })
    }

    /// From the assignment on, the courier.
    fn carrier(&self, status: i64) -> (Option<String>, Option<String>) {
        let assigned = !matches!(status, 0 | 1) && self.log.iter().any(|(status, _)| *status == 20) || status == 20;
        let named = |text: String| assigned.then_some(text);
        (named(format!("骑手{}", self.number)), named(format!("1380000{:04}", self.number)))
    }
}
