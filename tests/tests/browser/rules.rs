//! Each rule is broken on purpose first: a rule that cannot fail is not a rule.

use stockroom_tests::browser::fixture::Fixture;
use stockroom_tests::browser::rules::RULES;
use stockroom_tests::browser::{Browser, Look, Scheme};

#[test]
fn every_rule_is_kept_by_a_good_page_and_broken_by_a_planted_breach() {
    let pages = Fixture::of([("/", GOOD)]);
    let Some(browser) = Browser::open(&pages.address()) else { return };
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.look(Look { width: 360, scheme });
        browser.go("/");
        browser.obeys_rules();
    }
    browser.look(Look { width: 360, scheme: Scheme::Light });
    for (rule, plant) in PLANTED {
        browser.go("/");
        browser.eval(plant);
        let breaches = browser.breaches();
        assert!(breaches.iter().any(|line| line.starts_with(&format!("{rule}: "))), "{plant}: {breaches:?}");
    }
    let unbroken: Vec<_> = RULES.iter().filter(|rule| PLANTED.iter().all(|(planted, _)| planted != *rule)).collect();
    assert!(unbroken.is_empty(), "no breach was planted for {unbroken:?}");
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.look(Look { width: 360, scheme });
        browser.go("/");
        browser.eval("document.querySelector('p').style.color = '#555'");
        let breaches = browser.breaches_of(&["contrast"]);
        assert_eq!(breaches.is_empty(), scheme == Scheme::Light, "dark grey is read in the light only: {breaches:?}");
    }
}

/// What breaks each rule, done to the good page.
const PLANTED: [(&str, &str); 34] = [
    ("contrast", "document.querySelector('p').style.color = '#888'"),
    ("contrast", "document.querySelector('p').style.opacity = '0.4'"),
    ("contrast", "document.querySelector('button').style.background = '#9ac'"),
    ("contrast", "document.querySelector('input').style.background = '#345'"),
    ("edge", "document.querySelector('input').style.border = '1px solid #ddd'"),
    ("name", "document.querySelector('button').textContent = ''"),
    ("name", "document.querySelector('button').setAttribute('aria-label', 'Other')"),
    ("image", "document.querySelector('img').removeAttribute('alt')"),
    ("image", "document.querySelector('main').insertAdjacentHTML('beforeend', '<svg width=9 height=9></svg>')"),
    ("label", "document.querySelector('label').replaceWith(document.querySelector('input'))"),
    ("label", "document.querySelector('input').remove()"),
    ("heading", "document.querySelector('h1').remove()"),
    ("heading", "document.querySelector('h2').outerHTML = '<h3>Too deep</h3>'"),
    ("language", "document.documentElement.lang = 'xx'"),
    ("language", "document.title = ''"),
    ("landmark", "document.querySelector('main').outerHTML = document.querySelector('main').innerHTML"),
    ("landmark", "document.body.insertAdjacentHTML('beforeend', '<p>Astray</p>')"),
    ("id", "document.querySelector('p').id = 'said'"),
    ("tabindex", "document.querySelector('button').tabIndex = 3"),
    ("order", "document.querySelector('form').style.cssText = 'display: flex; flex-direction: column-reverse'"),
    ("order", "document.querySelector('nav').style.cssText = 'display: flex; flex-direction: row-reverse'"),
    ("focus", "document.querySelector('button').style.outline = 'none'"),
    ("target", "document.querySelector('button').style.minHeight = '30px'"),
    ("target", "document.querySelector('[type=checkbox]').closest('label').style.minHeight = '20px'"),
    ("scroll", "document.querySelector('table').style.width = '500px'"),
    (
        "table",
        "document.querySelectorAll('th').forEach((one) => { one.outerHTML = '<td>' + one.textContent + '</td>'; })",
    ),
    ("aria", "document.querySelector('p').setAttribute('aria-labeled', 'x')"),
    ("aria", "document.querySelector('p').setAttribute('aria-describedby', 'nobody')"),
    ("aria", "document.querySelector('button').setAttribute('aria-expanded', 'maybe')"),
    ("aria", "document.querySelector('p').setAttribute('role', 'paragraphs')"),
    ("aria", "document.querySelector('form').setAttribute('aria-hidden', 'true')"),
    ("live", "document.querySelector('[role=status]').removeAttribute('role')"),
    ("nest", "document.querySelector('nav a').innerHTML = '<button>Inside</button>'"),
    ("nest", "document.querySelector('main').insertAdjacentHTML('beforeend', '<li>Alone</li>')"),
];

const GOOD: &str = r##"<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<title>Good</title><link rel=icon href=data:,><style>
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --blue: #035; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #eee; --paper: #111; --blue: #9cf; --on: #000; } }
body { margin: 0; padding: 8px; color: var(--ink); background: var(--paper); font: 16px sans-serif; }
nav a, button, input, select { display: inline-block; box-sizing: border-box; min-height: 44px; min-width: 44px; font: inherit; }
nav a { color: inherit; line-height: 44px; }
button { display: block; background: var(--blue); color: var(--on); border: 0; }
input { border: 1px solid #888; color: inherit; background: var(--paper); }
label { display: block; min-height: 44px; }
[type=checkbox] { min-height: 20px; min-width: 20px; }
:focus-visible { outline: 3px solid #b50; }
p a { color: inherit; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
</style></head><body><header><nav><a href="#one">One</a> <a href="#two">Two</a></nav></header>
<main><h1>Good</h1><p>Some words with <a href="#">a link</a> in them.</p><img alt="" width=8 height=8 src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<form><label>Name <input></label><label><input type=checkbox> I agree</label><button>Save</button></form><p id=said role=status></p>
<h2>List</h2><table><thead><tr><th>What</th></tr></thead><tbody><tr><td>Milk</td></tr></tbody></table><span class=unseen>For listeners</span></main></body></html>"##;
