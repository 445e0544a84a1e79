//! Every page as everybody may meet it: narrow and wide, in both languages, light and dark. It keeps the rules, complains of nothing, asks nobody
//! else for anything, and is light.

use std::time::Duration;

use serde_json::json;
use stockroom_tests::browser::pages::{Host, LANGUAGES, PAGES, Page, WIDTHS};
use stockroom_tests::browser::worlds::World;
use stockroom_tests::browser::{Browser, Look, Scheme};

#[test]
fn every_page_keeps_every_rule_is_light_and_asks_nobody_else() {
    let world = World::chain();
    let mut found = Vec::new();
    for host in [Host::Store, Host::Hub] {
        let pages = || PAGES.iter().filter(move |page| page.host == host);
        let Some(browser) = pages().next().and_then(|page| page.browser(&world)) else { return };
        let mut entered = None;
        for page in pages() {
            let who = page.seen_by.map(|person| person.staff);
            if who.is_some() && who != entered {
                page.enter(&browser);
                entered = who;
            }
            for language in LANGUAGES {
                let (wrong, first_byte) = walked(&browser, page, &world, language);
                println!("{:12} {language:5} {:6.1} ms to the first byte", page.name, first_byte.as_secs_f64() * 1e3);
                found.extend(wrong.into_iter().map(|wrong| format!("{} {language}: {wrong}", page.name)));
            }
        }
    }
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

/// What is wrong with a page in a language, and how long it took to come.
fn walked(browser: &Browser, page: &Page, world: &World, language: &str) -> (Vec<String>, Duration) {
    browser.look(Look { width: WIDTHS[0], scheme: Scheme::Light });
    browser.go(&page.path_in_language(world, language));
    let cost = browser.weight();
    let mut found = Vec::new();
    if cost.bytes >= BYTES_MAX {
        found.push(format!("{} bytes, not less than {BYTES_MAX}", cost.bytes));
    }
    if cost.first_byte > FIRST_BYTE_MAX {
        found.push(format!("{:?} to the first byte", cost.first_byte));
    }
    let head = browser.eval(
        "return fetch(location.href, { cache: 'no-store' }).then((answer) => \
         [answer.status, document.documentElement.lang, (answer.headers.get('content-security-policy') || '').includes(\"default-src 'none'\")])",
    );
    if head != json!([200, language, true]) {
        found.push(format!("status, language and a policy are {head}"));
    }
    for width in WIDTHS {
        browser.look(Look { width, scheme: Scheme::Light });
        found.extend(browser.breaches().into_iter().map(|breach| format!("{width}: {breach}")));
        browser.look(Look { width, scheme: Scheme::Dark });
        found.extend(browser.breaches_of(&OF_COLOUR).into_iter().map(|breach| format!("{width} dark: {breach}")));
    }
    found.extend(browser.complaints());
    (found, cost.first_byte)
}

/// What may differ between light and dark; everything else is the same in both.
const OF_COLOUR: [&str; 3] = ["contrast", "edge", "focus"];

/// Of a page with all that it loads.
const BYTES_MAX: u64 = 100_000;

/// For a debug binary on a busy machine; the figures that count are measured elsewhere.
const FIRST_BYTE_MAX: Duration = Duration::from_secs(5);
