//! What the core cannot see for itself: how much room the disk has, and the store's offset from UTC.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use stockroom_core::input::{DiskSpace, Event};
use stockroom_core::view::View;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::StoreId;
use tokio::sync::{broadcast, mpsc};

use super::engine::Control;
use crate::config;
use crate::disk;
use crate::enrol::LOCAL_ZONE;
use crate::handle::Handle;

/// Tells the core whenever the room on the disk changed. Ends with the core.
pub async fn disk_space(path: PathBuf, floors: config::Disk, core: mpsc::Sender<Control>) {
    let mut told = DiskSpace::Ample;
    loop {
        let (path, floors) = (path.clone(), floors.clone());
        match tokio::task::spawn_blocking(move || disk::space(&path, &floors)).await {
            Ok(Ok(space)) if space != told => {
                tracing::warn!(?space, "room on the disk");
                told = space;
                if core.send(Control::Disk(space)).await.is_err() {
                    return;
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "room on the disk is unknown"),
            Err(_) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(DISK_AFTER) => {}
            () = core.closed() => return,
        }
    }
}

/// The offset of a store's zone at this moment, seconds east of UTC.
pub fn zone_now(store: StoreId, handle: &Handle) -> i32 {
    offset(&zone_name(handle, store), Timestamp::now())
}

/// Tells the core the offset of the store's zone: at the start, every hour, and when the store's record changed. A hub has no store.
pub async fn zone(store: StoreId, handle: Handle, core: mpsc::Sender<Control>) {
    let mut told = None;
    let mut events = handle.events();
    loop {
        let name = zone_name(&handle, store);
        let offset_s = offset(&name, Timestamp::now());
        if told != Some(offset_s) {
            tracing::info!(zone = name, offset_s, "time zone");
            told = Some(offset_s);
            if core.send(Control::Zone(offset_s)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = record_changed(&mut events) => {}
            () = tokio::time::sleep(ZONE_AFTER) => {}
            () = core.closed() => return,
        }
    }
}

/// Tells a hub's core the offsets of all stores' zones: at the start, every hour, and when a store's record changed. It reckons opening
/// hours with them.
pub async fn zones(handle: Handle, core: mpsc::Sender<Control>) {
    let mut told = Vec::new();
    let mut events = handle.events();
    loop {
        let records = handle.snapshot().and_then(|snapshot| View::new(&*snapshot).stores()).unwrap_or_default();
        let now = Timestamp::now();
        let of_store = |record: &StoreRecord| {
            let zone = record.zone.as_str();
            (record.store, offset(if zone.is_empty() { LOCAL_ZONE } else { zone }, now) / 60)
        };
        let offsets: Vec<_> = records.iter().map(of_store).collect();
        if told != offsets {
            told.clone_from(&offsets);
            if core.send(Control::Zones(offsets)).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = record_changed(&mut events) => {}
            () = tokio::time::sleep(ZONE_AFTER) => {}
            () = core.closed() => return,
        }
    }
}

async fn record_changed(events: &mut broadcast::Receiver<crate::handle::NumberedEvent>) {
    loop {
        match events.recv().await {
            Ok(numbered) => {
                if matches!(numbered.event, Event::Entry { kind: kind::STORE, .. }) {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The engine is gone; the caller notices by its own channel.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

fn zone_name(handle: &Handle, store: StoreId) -> String {
    let record = handle.snapshot().and_then(|snapshot| View::new(&*snapshot).store(store));
    let zone = record.ok().flatten().map(|record| record.zone.as_str().to_owned());
    zone.filter(|zone| !zone.is_empty()).unwrap_or_else(|| LOCAL_ZONE.into())
}

/// Seconds east of UTC; an unknown zone counts as the machine's own.
fn offset(name: &str, at: Timestamp) -> i32 {
    let zone = match name {
        LOCAL_ZONE => TimeZone::system(),
        name => TimeZone::get(name).unwrap_or_else(|error| {
            tracing::warn!(zone = name, %error, "unknown time zone");
            TimeZone::system()
        }),
    };
    zone.to_offset(at).seconds()
}

/// A shop writes some MiB a day at most; ten seconds of an import are what may slip through.
const DISK_AFTER: Duration = Duration::from_secs(10);

/// Daylight saving begins and ends on the hour.
const ZONE_AFTER: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_follows_daylight_saving() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        if TimeZone::get("Europe/Berlin").is_ok() {
            assert_eq!(offset("Europe/Berlin", at("2026-01-15T12:00:00Z")), 3_600);
            assert_eq!(offset("Europe/Berlin", at("2026-07-15T12:00:00Z")), 7_200);
        }
        assert_eq!(offset("no/such", at("2026-01-15T12:00:00Z")), offset(LOCAL_ZONE, at("2026-01-15T12:00:00Z")));
    }
}
