//! The HTTP side of the test courier service.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use stockroom_crdt::ids::{Digest, hex};
use tokio::net::TcpListener;

use super::{APP_ID, CODE, Health, MERCHANT_ID, SECRET, State, lock};

type Server = Arc<Mutex<State>>;
type Reply = (StatusCode, String);

pub(super) async fn serve(listener: TcpListener, state: Server) {
    let routes = Router::new()
        .route("/openapi/token", post(grant_code))
        .route("/openapi/refreshToken", post(grant_refresh))
        .route("/v3/invoke/{verb}", post(invoke))
        .with_state(state);
    // The runtime that runs this is dropped with the server.
    let _ = axum::serve(listener, routes).await;
}

/// A callback's body.
pub(super) fn signed_callback(business: &Value, secret: &str, now_ms: u64) -> Vec<u8> {
    let (business, timestamp) = (business.to_string(), now_ms.to_string());
    let signature = digest(&format!("{secret}app_id={APP_ID}&business_data={business}&timestamp={timestamp}"));
    json!({ "app_id": APP_ID, "timestamp": timestamp, "business_data": business, "signature": signature })
        .to_string()
        .into_bytes()
}

async fn grant_code(Shared(server): Shared<Server>, body: Bytes) -> Reply {
    answer(&server, &body, &["app_id", "code", "grant_type", "merchant_id", "timestamp"], |state, fields| {
        let code = text(fields, "code");
        if code != CODE || state.code_used.contains(&code) {
            return Err("code 无效");
        }
        state.code_used.push(code);
        Ok(granted(state))
    })
    .await
}

async fn grant_refresh(Shared(server): Shared<Server>, body: Bytes) -> Reply {
    answer(&server, &body, &["app_id", "grant_type", "merchant_id", "refresh_token", "timestamp"], |state, fields| {
        let known = text(fields, "refresh_token").starts_with("refresh-");
        if known { Ok(granted(state)) } else { Err("refresh_token 无效") }
    })
    .await
}

async fn invoke(Shared(server): Shared<Server>, Path(verb): Path<String>, body: Bytes) -> Reply {
    let signed = ["access_token", "app_id", "business_data", "merchant_id", "timestamp", "version"];
    answer(&server, &body, &signed, |state, fields| {
        if text(fields, "access_token") != format!("access-{}", state.token) {
            return Err("access_token 无效");
        }
        let business: Value = serde_json::from_str(&text(fields, "business_data")).map_err(|_| "business_data")?;
        let now_ms = state.now_ms;
        match verb.as_str() {
            "preCreateOrder" => Ok(json!({ "goods_infos": [
                { "actual_delivery_amount_cent": 950, "is_valid": 1, "service_goods_id": 11 },
                { "actual_delivery_amount_cent": 800, "is_valid": 1, "service_goods_id": 12,
                  "predict_delivery_time": 1_800_000 },
                { "actual_delivery_amount_cent": 100, "is_valid": 0, "service_goods_id": 13 },
            ] })),
            "createOrder" => state.orders.create(business, now_ms),
            "getOrderDetail" => state.orders.detail(&business),
            "preCancelOrder" => state.orders.cancel_costs(&business),
            "cancelOrder" => state.orders.cancel(&business, now_ms),
            _ => Err("no such verb"),
        }
    })
    .await
}

fn granted(state: &State) -> Value {
    json!({ "app_id": APP_ID, "merchant_id": MERCHANT_ID, "access_token": format!("access-{}", state.token),
        "refresh_token": format!("refresh-{}", state.token), "expire_in": 31_536_000, "re_expire_in": 32_140_800 })
}

/// Checks the signature over exactly these fields, does what is asked, and answers as the server's health allows.
async fn answer(
    server: &Server,
    body: &[u8],
    signed: &[&str],
    act: impl FnOnce(&mut State, &Value) -> Result<Value, &'static str>,
) -> Reply {
    let health = lock(server).health;
    let broken = |status| (StatusCode::from_u16(status).expect("a status"), String::from("<html>sorry</html>"));
    match health {
        Health::Broken(status) => return broken(status),
        Health::Garbage => return (StatusCode::OK, "<html>welcome</html>".into()),
        Health::Endless => {
            return (StatusCode::OK, format!("{{\"code\":\"200\",\"msg\":\"{}\"}}", "x".repeat(1 << 20)));
        }
        Health::Slow(wait) => tokio::time::sleep(wait).await,
        Health::Good | Health::DoneButBroken(_) => {}
    }
    let mut state = lock(server);
    let fields: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let pairs: Vec<_> = signed.iter().map(|name| format!("{name}={}", text(&fields, name))).collect();
    let right = digest(&format!("{SECRET}{}", pairs.join("&")));
    let known = text(&fields, "app_id") == APP_ID && text(&fields, "merchant_id") == MERCHANT_ID;
    if text(&fields, "signature") != right || !known {
        state.bad_signatures += 1;
        return (StatusCode::OK, json!({ "code": "403", "msg": "验签失败" }).to_string());
    }
    let done = act(&mut state, &fields);
    if let Health::DoneButBroken(status) = health {
        return broken(status);
    }
    let reply = match done {
        Ok(Value::Null) => json!({ "code": "200", "msg": "success" }),
        Ok(business) => json!({ "code": "200", "msg": "success", "business_data": business.to_string() }),
        Err(message) => json!({ "code": 500_001, "msg": message }),
    };
    (StatusCode::OK, reply.to_string())
}

fn text(fields: &Value, name: &str) -> String {
    fields[name].as_str().unwrap_or_default().to_owned()
}

fn digest(text: &str) -> String {
    hex(&Digest::of(&[text.as_bytes()]).0)
}
