//! What head office sets: prices, promotions, what points are worth, campaigns.

use stockroom_core::input::loyalty::IssueRequest;
use stockroom_core::input::{Command, RetryKey};
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::ids::{Code, Digest, StoreId};
use stockroom_crdt::loyalty::campaign::{Bearer, Campaign, CouponKind};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::money::Currency;
use stockroom_crdt::price::Price;

use crate::cast::sku;
use crate::plan::tills::{CouponPlan, CouponsAre, Programme, Tariff};
use crate::run::Play;
use crate::run::people::code;

impl Play<'_> {
    /// Head office sets prices. A hub that is down is told another day.
    pub(crate) fn tariff(&mut self, tariff: &Tariff) {
        let hub = self.cast.hubs[0];
        let from_ms = self.world.now_ms.saturating_add_signed(tariff.from_in_ms);
        let book = code("default");
        let price = |(product, minor): &(u16, i64)| Price {
            book: book.clone(),
            sku: sku(*product),
            from_ms,
            minor: Some(*minor),
            currency: Currency::parse("EUR").expect("three letters"),
        };
        let key = |what: &[u8]| {
            let key = Digest::of(&[what, &self.wishes.to_be_bytes()]);
            RetryKey { key, body: key }
        };
        let (prices, promotions) = (key(b"prices"), key(b"promotions"));
        if !tariff.prices.is_empty() {
            let command = Command::Prices(prices, tariff.prices.iter().map(price).collect());
            let _ = self.world.ask(hub, command);
        }
        if let Some((number, products, percent, lasts_ms)) = &tariff.promotion {
            let promotion = Promotion {
                book,
                id: code(&format!("promo{number}")),
                name: format!("{percent} percent off"),
                from_ms,
                until_ms: from_ms + lasts_ms,
                ended: false,
                members_only: false,
                stores: Vec::new(),
                skus: products.iter().map(|product| sku(*product)).collect(),
                departments: Vec::new(),
                gives: Gives::Percent(u32::from(*percent) * 100),
                priority: 0,
                exclusive: false,
                per_basket: 0,
            };
            let _ = self.world.ask(hub, Command::Promotions(promotions, vec![promotion]));
        }
        self.mark(
            "W18 tariff",
            hub,
            None,
            format!("{} prices from {:+} s", tariff.prices.len(), tariff.from_in_ms / 1_000),
        );
    }

    /// Head office says what points are worth, makes campaigns, and places rights to coupons with the stores in turn.
    pub(crate) fn programme(&mut self, programme: &Programme) {
        let hub = self.cast.hubs[0];
        let wish = self.wishes;
        let key = |what: &str| {
            let key = Digest::of(&[what.as_bytes(), &wish.to_be_bytes()]);
            RetryKey { key, body: key }
        };
        let Programme { offline_limit, share, .. } = *programme;
        let (earn_per, worth) = (EARN_PER, WORTH);
        let rules = LoyaltyRules { ended: false, earn_per, worth, months: 12, offline_limit, share, tiers: Vec::new() };
        let _ = self.world.ask(hub, Command::Loyalty(key("loyalty"), Box::new(rules)));
        let campaigns: Vec<Campaign> =
            (0..).zip(&programme.campaigns).map(|(number, plan)| campaign(number, plan)).collect();
        if campaigns.is_empty() {
            return;
        }
        let _ = self.world.ask(hub, Command::Campaigns(key("campaigns"), campaigns));
        let stores = self.cast.stores.len() as u32;
        for (number, plan) in (0..).zip(&programme.campaigns) {
            let CouponsAre::Single(coupons) = plan.kind else { continue };
            for first in 0..coupons {
                let issue = IssueRequest {
                    campaign: name_of(number),
                    first,
                    count: 1,
                    store: StoreId(1 + first % stores),
                    member: None,
                };
                let _ = self.world.ask(hub, Command::IssueCoupons(key(&format!("issue {number} {first}")), issue));
            }
        }
        self.mark("W19 campaigns", hub, None, format!("{} campaigns", programme.campaigns.len()));
    }
}

/// A campaign as head office writes it.
fn campaign(number: u16, plan: &CouponPlan) -> Campaign {
    let id = name_of(number);
    let terms = Promotion {
        book: id.clone(),
        id: id.clone(),
        name: format!("campaign {number}"),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: Vec::new(),
        departments: Vec::new(),
        gives: Gives::Basket { from: 0, off: plan.off },
        priority: 0,
        exclusive: false,
        per_basket: 1,
    };
    Campaign {
        terms,
        issuer: code("brand"),
        funder: code("brand"),
        bearer: Bearer::Funder,
        alone: false,
        returns: plan.returns,
        budget: 0,
        worth_max: 0,
        kind: match plan.kind {
            CouponsAre::Single(coupons) => CouponKind::Single(coupons),
            CouponsAre::Pool(coupons) => CouponKind::FirstN(coupons),
            CouponsAre::Printed(coupons, store_limit) => CouponKind::Printed { coupons, store_limit },
        },
        // Printed before the run begins.
        secret: [7; 16],
    }
}

fn name_of(number: u16) -> Code {
    code(&format!("CAMP{number}"))
}

/// What is printed on a coupon; a pool has its name alone.
pub(crate) fn code_of(number: u16, serial: Option<u32>) -> Option<Code> {
    let Some(serial) = serial else { return Some(name_of(number)) };
    let printed = CouponPlan { kind: CouponsAre::Printed(serial + 1, 1), off: 1, returns: false };
    campaign(number, &printed).code(serial)
}

/// Minor units for which a point is earned, and minor units that it pays.
const EARN_PER: i64 = 100;
const WORTH: i64 = 10;
