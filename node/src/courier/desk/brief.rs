//! From a fulfillment to what a courier is told: when one is asked for, which goods, for whom.

use serde::Deserialize;
use stockroom_core::orders::store::contact_about;
use stockroom_core::sealed::{self, Purpose};
use stockroom_core::storage::{Snapshot, StoreError};
use stockroom_core::view::View;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::TenantId;
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::offer::Offer;
use stockroom_crdt::order::resolve::part::State;
use stockroom_crdt::order::resolve::{Fulfillment, Known};
use stockroom_crdt::order::step::Step;
use stockroom_crdt::place::distance_m;

use crate::courier::desk::name::PartName;
use crate::courier::dispatcher::DispatchError;
use crate::courier::job::{Amount, Contact, DeliveryId, Item, Job};
use crate::courier::limits::ITEMS_MAX;
use crate::courier::settings::CourierSettings;

/// Reads the books for the desk.
pub struct Reader<'a> {
    /// The books at one commit.
    pub view: View<'a, dyn Snapshot>,
    /// How couriers are asked.
    pub settings: &'a CourierSettings,
    /// This node's tenant.
    pub tenant: TenantId,
    /// Opens what was sealed to this node.
    pub seal_secret: &'a [u8; 32],
}

/// Why nobody can be asked to bring a fulfillment.
#[derive(Debug, thiserror::Error)]
pub enum NoJob {
    /// There is no such fulfillment here.
    #[error("there is no such fulfillment here")]
    Unknown,
    /// Nobody said where the store is.
    #[error("nobody said where the store is")]
    NoStorePlace,
    /// The order does not say where it goes.
    #[error("the order does not say where it goes")]
    NoPlace,
    /// The dispatcher does not take it.
    #[error(transparent)]
    Refused(#[from] DispatchError),
    /// The books cannot be read.
    #[error(transparent)]
    Books(#[from] StoreError),
}

/// A contact as orders hold it, sealed.
#[derive(Deserialize)]
struct Sealed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    note: String,
}

impl Reader<'_> {
    /// A fulfillment as it stands, with its offer and all that its store knows of the order.
    pub fn part(&self, name: PartName) -> Result<Option<(Known, Fulfillment, Offer)>, StoreError> {
        let known = self.view.order_at(name.store, name.order)?;
        let part = known.fulfillments().into_iter().find(|part| part.generation == name.generation);
        let offer = known.parts.get(&(name.generation, name.store)).and_then(|part| part.offer.clone());
        Ok(part.zip(offer).map(|(part, offer)| (known, part, offer)))
    }

    /// Where a fulfillment stands.
    pub fn state(&self, name: PartName) -> Result<Option<State>, StoreError> {
        Ok(self.part(name)?.map(|(_, part, _)| part.state))
    }

    /// When the first courier is asked for: so long before the bags are expected to be ready as somebody needs to come. `None` while
    /// nobody at the store has begun.
    pub fn ask_ms(&self, name: PartName, (part, offer): (&Fulfillment, &Offer)) -> Result<Option<u64>, StoreError> {
        let eta_ms = self.settings.eta_minutes * MINUTE_MS;
        let before_due = |ms: u64| Some(offer.due_ms.saturating_sub(ms + eta_ms));
        Ok(match part.state {
            State::Packed | State::Ready | State::Awaited => before_due(self.settings.early_minutes * MINUTE_MS),
            State::Picking | State::Picked => before_due(self.ride_ms(name)?),
            _ => None,
        })
    }

    /// What a courier is asked to do. At a store the place is unknown: the rider reads the address, and the store's own stands in for it.
    pub fn job(&self, name: PartName, id: DeliveryId, now_ms: u64) -> Result<Job, NoJob> {
        let (_, part, offer) = self.part(name)?.ok_or(NoJob::Unknown)?;
        let from = self.place_of_store(name)?.ok_or(NoJob::NoStorePlace)?;
        let order = self.view.order(name.order)?.order;
        let to = match &order {
            Some(order) => order.place.ok_or(NoJob::NoPlace)?,
            None => from,
        };
        let mut goods = Vec::new();
        let (mut weight_g, mut minor) = (0, 0i64);
        let mut age_min = 0;
        for line in part.lines.iter().filter(|line| line.open() > 0) {
            let (sku, unit, each_minor) = match &line.substitute {
                Some(other) => (&other.sku, other.unit, other.unit_price),
                None => (&line.offered.sku, line.offered.unit, line.offered.unit_price),
            };
            let units = line.open();
            let paid_minor = stockroom_crdt::money::extend(unit, units, each_minor);
            let count = match unit {
                Unit::Each => units,
                Unit::Gram => 1,
            };
            let each_g = match unit {
                Unit::Each => self.settings.piece_grams,
                Unit::Gram => 1,
            };
            weight_g += units.unsigned_abs() * each_g;
            minor = minor.saturating_add(paid_minor);
            age_min = age_min.max(line.offered.age_min);
            if goods.len() < ITEMS_MAX {
                let name = self.view.product(sku)?.map_or_else(|| sku.to_string(), |product| product.name);
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                goods.push(Item { name, count, each_minor, paid_minor });
            }
        }
        let is_ready = part.state >= State::Packed;
        let ready_ms = if is_ready { now_ms } else { offer.due_ms.saturating_sub(self.ride_ms(name)?).max(now_ms) };
        let number = name.order.to_string();
        Ok(Job {
            delivery: id,
            store: name.store,
            from,
            to,
            goods,
            bags: bags(&self.view.order_at(name.store, name.order)?, name),
            weight_g,
            value: Amount { minor, currency: offer.currency },
            tip_minor: 0,
            bag_code: number[number.len() - BAG_CODE_DIGITS..].to_owned(),
            ask_ms: now_ms,
            ready_ms,
            due_ms: offer.due_ms,
            age_min: (age_min > 0).then_some(age_min),
        })
    }

    /// Who gets it: from what the home, or the store, was given sealed.
    pub fn contact(&self, name: PartName) -> Option<Contact> {
        let known = self.view.order(name.order).ok()?;
        let offer = known.parts.get(&(name.generation, name.store)).and_then(|part| part.offer.as_ref());
        let sealed =
            known.order.as_ref().map(|order| &order.contact).into_iter().chain(offer.map(|offer| &offer.contact));
        let about = contact_about(name.order);
        let open = |bytes: &Vec<u8>| sealed::open(self.seal_secret, (Purpose::Contact, self.tenant, &about), bytes);
        let plain = sealed.filter(|bytes| !bytes.is_empty()).find_map(open)?;
        let Sealed { name, phone, address, note } = serde_json::from_slice(&plain).ok()?;
        Some(Contact { name, phone, address, note })
    }

    /// From the door of the store to the customer's, without waiting.
    fn ride_ms(&self, name: PartName) -> Result<u64, StoreError> {
        let to = self.view.order(name.order)?.order.and_then(|order| order.place);
        let way = self.place_of_store(name)?.zip(to).map_or(0, |(from, to)| u64::from(distance_m(from, to)));
        let pace = self.settings.pace();
        Ok(way * 60 * MINUTE_MS / pace.m_per_hour + pace.stop_ms)
    }

    fn place_of_store(&self, name: PartName) -> Result<Option<Coordinates>, StoreError> {
        let said = self.view.store(name.store)?.and_then(|record| record.coordinates);
        let set = self.settings.places.get(&name.store.0.to_string());
        Ok(said.or_else(|| set.and_then(|[latitude, longitude]| Coordinates::new(*latitude, *longitude))))
    }
}

/// How many bags there are, as whoever packed them said; one if nobody did.
fn bags(known: &Known, name: PartName) -> u32 {
    let part = known.parts.get(&(name.generation, name.store));
    let packed = part.into_iter().flat_map(|part| &part.steps).filter(|event| event.says.step == Step::Pack);
    let last = packed.max_by_key(|event| (event.hlc, event.at));
    let digits = |note: &str| note.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok());
    last.and_then(|event| digits(event.says.note.as_str())).filter(|bags| (1..=BAGS_MAX).contains(bags)).unwrap_or(1)
}

const MINUTE_MS: u64 = 60_000;

/// More is a typing error.
const BAGS_MAX: u32 = 200;

/// Of the order's number, at its end.
const BAG_CODE_DIGITS: usize = 4;
