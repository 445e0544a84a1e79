//! Tills and handhelds of this node: adding one gives its token once, as an address to open on it; a lost one is revoked.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stockroom_crdt::checkout::staff::Role;
use utoipa::ToSchema;

use super::Api;
use super::idempotency::created;
use super::problem::{Answered, Kind, Problem};
use super::request::Body;
use super::security::said;
use super::values::{Moment, Text, now_ms};
use super::who::Who;
use crate::devices::{Device, DeviceError};
use crate::paper::qr;

/// A device.
#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub struct DeviceAnswer {
    /// What people call it.
    name: String,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    added_at: Text<Moment>,
}

/// The devices, in the order in which they were added.
#[derive(Serialize, ToSchema)]
pub struct DeviceList {
    /// Them.
    items: Vec<DeviceAnswer>,
}

/// Which device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceBody {
    /// What people call it: 1 to 64 characters.
    name: String,
}

/// A device that was added.
#[derive(Serialize, ToSchema)]
pub struct AddedDevice {
    /// What people call it.
    name: String,
    /// Its token, which is stored nowhere: to be sent as `Authorization: Bearer`.
    token: String,
    /// What to open on it, so that its browser has the token.
    address: String,
    /// The address as a QR code: an SVG.
    qr: String,
}

/// A device that is believed no more.
#[derive(Serialize, ToSchema)]
pub struct RevokedDevice {
    /// What people called it.
    name: String,
}

/// The devices of this node. Needs a manager where somebody has a PIN.
#[utoipa::path(get, path = "/v1/devices", tag = "status", responses((status = 200, body = DeviceList)))]
pub async fn list_devices(State(api): State<Arc<Api>>, who: Who) -> Answered<Json<DeviceList>> {
    who.may(&api, Role::Manager)?;
    let items = api
        .config
        .devices
        .list()?
        .into_iter()
        .map(|Device { name, added_ms, .. }| DeviceAnswer { name, added_at: Text(Moment(added_ms)) });
    Ok(Json(DeviceList { items: items.collect() }))
}

/// Adds a device. Needs a manager where somebody has a PIN.
#[utoipa::path(post, path = "/v1/devices", tag = "status", request_body = DeviceBody,
    responses((status = 201, body = AddedDevice)))]
pub async fn add_device(State(api): State<Arc<Api>>, who: Who, Body { value, .. }: Body<DeviceBody>) -> Answered {
    who.may(&api, Role::Manager)?;
    let token = api.config.devices.add(&value.name, now_ms())?;
    tracing::info!(device = value.name, "device added");
    api.security.note(said("device", format!("device {} was added", value.name)));
    let address = format!("{}/pair#{token}", api.config.pages_at());
    let qr = qr::svg(&address).map_err(|_| Problem::new(Kind::Storage, "the address does not fit into a QR code"))?;
    Ok(created(false, AddedDevice { name: value.name, token, address, qr }))
}

/// Forbids a device at once. Needs a manager where somebody has a PIN.
#[utoipa::path(post, path = "/v1/devices/revoke", tag = "status", request_body = DeviceBody,
    responses((status = 200, body = RevokedDevice)))]
pub async fn revoke_device(
    State(api): State<Arc<Api>>,
    who: Who,
    Body { value, .. }: Body<DeviceBody>,
) -> Answered<Json<RevokedDevice>> {
    who.may(&api, Role::Manager)?;
    api.config.devices.revoke(&value.name)?;
    tracing::info!(device = value.name, "device revoked");
    api.security.note(said("device", format!("device {} is believed no more", value.name)));
    Ok(Json(RevokedDevice { name: value.name }))
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Name => Self::invalid("name", error.to_string()),
            DeviceError::Taken(_) | DeviceError::Full => Self::new(Kind::Conflict, error.to_string()),
            DeviceError::Unknown(_) => Self::not_found(error.to_string()),
            DeviceError::Io(..) | DeviceError::Damaged(..) | DeviceError::Random(_) => {
                tracing::error!(%error, "device tokens unusable");
                Self::new(Kind::Storage, "the node cannot use its device tokens")
            }
        }
    }
}
