//! What stands around every page: title, navigation, the link's state in words and colour, who is signed in; and a page for what went wrong.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use stockroom_core::status::Status;
use stockroom_core::sync::link::Relation;

use super::ask::{Ask, Trouble};
use super::assets;
use super::cookies::{self, Keep};
use super::shown::Shown;
use super::words::{LANGUAGES, Language, Shell};

/// A page, without what stands around it.
pub struct Page {
    /// Its title, which is its heading as well.
    pub title: String,
    /// Its content, without the heading.
    pub body: Markup,
    /// Scripts of its own, besides the one that all pages have.
    pub scripts: &'static [&'static str],
    /// Which entry of the navigation it belongs to: a path.
    pub under: &'static str,
}

impl Page {
    /// A page without scripts of its own.
    pub fn new(under: &'static str, title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), body, scripts: &[], under }
    }

    /// With scripts of its own, by their names among the assets.
    pub fn with(self, scripts: &'static [&'static str]) -> Self {
        Self { scripts, ..self }
    }
}

/// How the node stands to its hub, for the bar of every page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LinkState {
    /// `good`, `waiting`, `cut` or `bad`: also the colour.
    pub state: &'static str,
    /// The same in words.
    pub words: String,
    /// What that means, or how much waits.
    pub detail: String,
}

/// The answer to a request for a page.
pub fn respond(ask: &Ask, made: Result<Page, Trouble>) -> Response {
    let (status, page) = match made {
        Ok(page) => (StatusCode::OK, page),
        Err(trouble) => {
            let status = StatusCode::from_u16(trouble.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, of_trouble(ask, &trouble))
        }
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(ask.language().tag())),
    ];
    let mut response = (status, headers, Html(document(ask, &page))).into_response();
    if ask.param("lang").is_some() {
        let cookie = cookies::write(cookies::LANGUAGE, ask.language().tag(), Keep::Long, ask.over());
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// How the node stands to its hub.
pub fn link_state(language: Language, status: &Status) -> LinkState {
    let words = Shell::of(language);
    if status.store.is_none() {
        let (all, connected) = (status.stores.len(), status.stores.iter().filter(|store| store.connected).count());
        let state = if connected == all { "good" } else { "waiting" };
        let detail = format!("{} {connected} / {all}", words.stores_connected);
        return LinkState { state, words: words.hub_here.into(), detail };
    }
    if status.turned_away {
        return LinkState { state: "bad", words: words.turned_away.into(), detail: words.turned_away_call.into() };
    }
    let linked = status.peers.iter().any(|peer| peer.relation == Relation::Parent && peer.ready);
    let waiting = status.backlog.entries;
    match (linked, waiting) {
        (true, 0) => LinkState { state: "good", words: words.in_touch.into(), detail: words.all_sent.into() },
        (true, _) => {
            LinkState { state: "waiting", words: words.in_touch.into(), detail: format!("{} {waiting}", words.waiting) }
        }
        (false, 0) => LinkState { state: "cut", words: words.cut_off.into(), detail: words.cut_off_go_on.into() },
        (false, _) => {
            // The figure first: a narrow screen cuts what follows.
            let detail = format!("{} {waiting} · {}", words.waiting, words.cut_off_go_on);
            LinkState { state: "cut", words: words.cut_off.into(), detail }
        }
    }
}

/// A figure that is not this node's own, with its age.
pub fn aged(shown: &Shown, language: Language, known_ms: Option<u64>) -> Markup {
    let words = Shell::of(language);
    match known_ms {
        Some(at) => html! { span.aged { (words.age) " " (shown.moment(at)) " (" (shown.age(at)) ")" } },
        None => html! { span.aged.never { (words.never) } },
    }
}

fn document(ask: &Ask, page: &Page) -> String {
    let (language, words) = (ask.language(), Shell::of(ask.language()));
    let shown = ask.shown();
    let currency = shown.currency().map_or(String::new(), |currency| currency.as_str().to_owned());
    let info = &ask.api().info;
    let place = ask.store().map_or_else(|| info.name.clone(), |store| store.name.clone());
    let link = link_state(language, &ask.api().handle.status());
    let document = html! {
        (DOCTYPE)
        html lang=(language.tag()) data-digits=(shown.digits()) data-currency=(currency) data-zone=(ask.store().map_or("UTC", |store| store.zone.as_str()))
            data-store=(info.store) data-node=(info.node) data-staff=(ask.signed_in().map_or("", |record| record.staff.as_str())) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · " (place) }
                link rel="stylesheet" href=(assets::path("page.css"));
                link rel="icon" href=(assets::ICON) type="image/svg+xml";
                link rel="manifest" href=(assets::MANIFEST);
                script src=(assets::path(assets::words_of(language))) defer {}
                script src=(assets::path("page.js")) defer {}
                @for script in page.scripts { script src=(assets::path(script)) defer {} }
            }
            // Before it is paired a device may not follow what changes.
            body data-still=[(ask.path() == "/pair").then_some("")] {
                a.skip href="#content" { (words.skip) }
                header.bar {
                    p.place { a href="/start" { (place) } }
                    p #link-state.link-state data-state=(link.state) role="status" {
                        a href="/link" { b { (link.words) } " " span { (link.detail) } }
                    }
                    (person(ask, words))
                }
                nav.places aria-label=(words.menu) { ul { (places(ask, page.under, words)) } }
                main #content tabindex="-1" {
                    h1 { (page.title) }
                    noscript { p.said.bad { (words.no_script) } }
                    p #said.said role="alert" hidden {}
                    (page.body)
                }
                footer { (languages(language, words)) }
            }
        }
    };
    document.into_string()
}

fn places(ask: &Ask, under: &str, words: &Shell) -> Markup {
    let store: [(&str, &str); 7] = [
        ("/till", words.till),
        ("/orders", words.orders),
        ("/stock", words.stock),
        ("/members", words.members),
        ("/labels", words.labels),
        ("/today", words.today),
        ("/link", words.link),
    ];
    let hub: [(&str, &str); 8] = [
        ("/fleet", words.fleet),
        ("/chain/orders", words.chain_orders),
        ("/chain/stock", words.chain_stock),
        ("/chain/rights", words.chain_rights),
        ("/chain/prices", words.chain_prices),
        ("/chain/risk", words.chain_risk),
        ("/enrol", words.enrol),
        ("/security", words.security),
    ];
    let places = if ask.api().info.store == 0 { &hub[..] } else { &store[..] };
    html! {
        @for (path, word) in places {
            li { a href=(path) aria-current=[(*path == under).then_some("page")] { (word) } }
        }
    }
}

fn person(ask: &Ask, words: &Shell) -> Markup {
    html! {
        @match ask.signed_in() {
            Some(record) => form.person data-post="/pages/sign-out" data-then="/sign-in" {
                span.name { (record.name) }
                button.quiet { (words.sign_out) }
            },
            None if ask.must_sign_in() && ask.path() != "/sign-in" => p.person { a.button.quiet href="/sign-in" { (words.sign_in) } },
            None => {}
        }
    }
}

fn languages(now: Language, words: &Shell) -> Markup {
    html! {
        form.languages data-post="/pages/language" data-then="reload" aria-label=(words.language) {
            @for (language, name) in LANGUAGES {
                button.quiet name="language" value=(language.tag()) lang=(language.tag()) aria-pressed=(language == now) { (name) }
            }
        }
    }
}

fn of_trouble(ask: &Ask, trouble: &Trouble) -> Page {
    let words = Shell::of(ask.language());
    let sentence = match trouble.status {
        404 => words.not_found,
        403 => words.of_manager,
        _ => words.wrong_title,
    };
    let body = html! {
        p.said.bad { (sentence) }
        @if !trouble.detail.is_empty() && trouble.status != 404 { p.quiet { (trouble.detail) } }
        p.acts { a.button href=(ask.path()) { (words.again) } " " a.button.quiet href="/start" { (words.home) } }
    };
    Page::new("", words.wrong_title, body)
}

/// Only this node's own style, scripts and pictures, and requests to itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
    worker-src 'self'; manifest-src 'self'; media-src 'self' blob:; frame-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";
