//! Pages of a hub: what head office looks at and decides.
//!
//! | module | what it shows |
//! |---|---|
//! | [`fleet`], [`map`] | all stores, where they are, and which are truly in sync |
//! | [`store`] | one store in depth, also on its owner's phone |
//! | [`orders`], [`order`] | orders of the chain; why one went where it went, money, pass |
//! | [`rights`] | who may promise how many of a product, and why |
//! | [`stock`] | a product in all stores |
//! | [`prices`], [`campaigns`] | price books, promotions and coupons, and which stores have the newest |
//! | [`risk`] | what is due at stores that cannot be asked |
//! | [`enrol`] | letting nodes in, believing them no more, staff of head office |
//! | [`security`] | what the node noticed |

pub mod campaigns;
pub mod enrol;
pub mod fleet;
pub mod map;
pub mod order;
pub mod orders;
pub mod prices;
pub mod rights;
pub mod risk;
pub mod security;
pub mod stock;
pub mod store;

use maud::{Markup, html};
use serde::Deserialize;
use stockroom_crdt::checkout::staff::Role;
use stockroom_crdt::control::StoreRecord;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::money::Currency;

use super::ask::{Ask, Trouble};
use super::shown::Shown;
use super::words::words;

words! {
    /// What several of these pages say.
    Common {
        in_sync: "in sync", "已同步";
        catching_up: "catching up", "同步中";
        cut_off: "no contact", "失联";
        never: "never heard", "从未联系";
        revoked: "revoked", "已吊销";
        office: "These pages are head office's: sign in as head office.", "此页面仅限总部人员，请以总部身份登录。";
        store: "Store", "门店";
        times: "Times are those of", "时间所在时区：";
        earlier: "Before", "上一页";
        next: "More", "下一页";
        of: "of", "共";
        show: "Show", "显示";
        none: "Nothing to show.", "暂无内容。";
        age: "as of", "截至";
        never_known: "nothing is known yet", "尚无数据";
    }
}

/// A product in a list of the API.
#[derive(Deserialize)]
pub struct Products {
    /// Those that were found.
    pub items: Vec<Product>,
}

/// A product, by its name.
#[derive(Deserialize)]
pub struct Product {
    /// Its number.
    pub sku: String,
    /// Its name.
    pub name: String,
}

/// Only at a hub, and only for head office.
pub fn for_office(ask: &Ask) -> Result<(), Trouble> {
    if ask.api().info.store != 0 {
        return Err(Trouble::not_found());
    }
    if ask.may(Role::HeadOffice) {
        return Ok(());
    }
    let detail = Common::of(ask.language()).office.to_owned();
    Err(Trouble { kind: "/problems/role-needed".into(), status: 403, detail })
}

/// A store's record, as it is known here.
pub fn record(ask: &Ask, store: u32) -> Result<Option<StoreRecord>, Trouble> {
    let found = ask.api().read(|books| Ok(books.store(StoreId(store))?));
    found.map_err(|_| Trouble { kind: "/problems/storage".into(), status: 500, detail: String::new() })
}

/// How values are written for somebody who looks at the whole chain: in the zone of its stores where they share one.
pub fn of_chain(ask: &Ask) -> Shown {
    let records = ask.api().read(|books| Ok(books.stores()?)).unwrap_or_default();
    let first = records.first().filter(|first| records.iter().all(|record| record.zone == first.zone));
    Shown::new(ask.language(), first)
}

/// How values are written for one store.
pub fn of_store(ask: &Ask, store: u32) -> Shown {
    let record = record(ask, store).ok().flatten();
    Shown::new(ask.language(), record.as_ref())
}

/// An amount in the currency that the API named.
pub fn amount(shown: &Shown, minor: i64, currency: &str) -> String {
    Currency::parse(currency).map_or_else(|| minor.to_string(), |currency| shown.amount(minor, currency))
}

/// A store's state in words and colour. Green is only what is truly in sync.
pub fn state_tag(words: &Common, state: &str) -> Markup {
    let (word, class) = match state {
        "in-sync" => (words.in_sync, "tag good"),
        "catching-up" => (words.catching_up, "tag warn"),
        "cut-off" => (words.cut_off, "tag bad"),
        "revoked" => (words.revoked, "tag bad"),
        _ => (words.never, "tag"),
    };
    html! { span class=(class) data-state=(state) { (word) } }
}

/// Until when something is known, in short: for tables that say so in their head.
pub fn until(shown: &Shown, words: &Common, known: Option<&str>) -> Markup {
    match known.and_then(super::shown::ms_of) {
        Some(at) => html! { (shown.age(at)) " " span.aged { "(" (shown.moment(at)) ")" } },
        None => html! { span.aged { (words.never_known) } },
    }
}
