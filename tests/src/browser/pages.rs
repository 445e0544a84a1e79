//! All pages: where each stands, who sees it, and what has to be shown on it. Pictures and the walk over all rules follow this one table.

use super::Browser;
use super::worlds::{HANNA, MIA, Person, Stage, TEA, World};

/// One page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// For files and messages.
    pub name: &'static str,
    /// Where it is served.
    pub host: Host,
    /// Its path; `{order}`, `{sku}`, `{count}`, `{transfer}`, `{member}` and `{rider}` stand for something of the [`World`].
    pub path: &'static str,
    /// Who sees it; `None` for everybody.
    pub seen_by: Option<Person>,
}

/// Which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Store 1.
    Store,
    /// The hub.
    Hub,
}

impl Page {
    /// The path in a world.
    pub fn path_in(&self, world: &World) -> String {
        let rider = world.rider_page.as_str();
        self.path
            .replace("{order}", &world.placed(Stage::Ready).order)
            .replace("{sku}", TEA.sku)
            .replace("{member}", &world.member)
            .replace("{count}", &world.count.to_string())
            .replace("{transfer}", &world.transfer)
            .replace("{rider}", rider)
    }

    /// The same in a language.
    pub fn path_in_language(&self, world: &World, language: &str) -> String {
        let path = self.path_in(world);
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}lang={language}")
    }

    /// Signs in whoever sees the page, if not everybody does.
    pub fn enter(&self, browser: &Browser) {
        if let Some(person) = &self.seen_by {
            sign_in(browser, person);
        }
    }

    /// A browser at the page's node, not signed in. `None` where there is no browser.
    pub fn browser(&self, world: &World) -> Option<Browser> {
        match self.host {
            Host::Store => Browser::open(world.store(1).address()),
            Host::Hub => Browser::open(world.hub.address()),
        }
    }
}

/// Signs somebody in by the page for it.
pub fn sign_in(browser: &Browser, person: &Person) {
    // To a page that every node has, in words that this function knows.
    browser.go("/sign-in?then=/link&lang=en");
    browser.fill("Short name", person.staff);
    browser.fill("PIN", person.pin);
    // Not by the words on the button: the way to this page has the same.
    browser.press(super::Key::Enter);
    browser.see_at("/link");
    browser.see(person.name);
}

/// What exists, in the order in which people meet it. First what everybody sees, so that nobody is signed in yet.
pub const PAGES: &[Page] = &[
    open("rider", Host::Hub, "{rider}"),
    open("sign-in", Host::Store, "/sign-in"),
    open("pair", Host::Store, "/pair"),
    of_store("link", "/link"),
    of_store("till", "/till"),
    of_store("orders", "/orders"),
    of_store("order", "/orders/{order}"),
    of_store("picking", "/picking"),
    of_store("handover", "/handover"),
    of_store("returns", "/returns"),
    of_store("couriers", "/couriers"),
    of_store("stock", "/stock"),
    of_store("stock-found", "/stock?q=milk"),
    of_store("stock-one", "/stock/{sku}"),
    of_store("receiving", "/receiving"),
    of_store("counts", "/counts"),
    of_store("count", "/counts/{count}"),
    of_store("transfers", "/transfers"),
    of_store("transfer", "/transfers/{transfer}"),
    of_store("members", "/members"),
    of_store("member", "/members/{member}"),
    of_store("report", "/members/{member}/report"),
    of_store("labels", "/labels"),
    of_store("today", "/today"),
    of_hub("fleet", "/fleet"),
    of_hub("fleet-store", "/fleet/1"),
    of_hub("chain-orders", "/chain/orders"),
    of_hub("chain-order", "/chain/orders/{order}"),
    of_hub("chain-rights", "/chain/rights"),
    of_hub("chain-stock", "/chain/stock"),
    of_hub("chain-prices", "/chain/prices"),
    of_hub("chain-risk", "/chain/risk"),
    of_hub("enrol", "/enrol"),
    of_hub("security", "/security"),
];

const fn open(name: &'static str, host: Host, path: &'static str) -> Page {
    Page { name, host, path, seen_by: None }
}

const fn of_store(name: &'static str, path: &'static str) -> Page {
    Page { name, host: Host::Store, path, seen_by: Some(MIA) }
}

const fn of_hub(name: &'static str, path: &'static str) -> Page {
    Page { name, host: Host::Hub, path, seen_by: Some(HANNA) }
}

/// The languages that pages speak.
pub const LANGUAGES: [&str; 2] = ["en", "zh-CN"];

/// Widths of windows: a phone or handheld, a tablet at a till, a desk.
pub const WIDTHS: [u32; 3] = [360, 768, 1440];
