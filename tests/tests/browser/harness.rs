//! The harness itself, on pages with planted faults: what it says is seen, it sees.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fantoccini::key::Key;
use serde_json::json;
use stockroom_tests::browser::fixture::Fixture;
use stockroom_tests::browser::{Browser, Look, Scheme};

#[test]
fn complaints_of_the_browser_are_seen_unless_they_are_allowed() {
    let pages = Fixture::of([
        ("/good", "<title>Good</title><link rel=icon href=data:,><p>All is well"),
        ("/loud", "<title>Loud</title><link rel=icon href=data:,><script>console.error('planted')</script>"),
        ("/thrown", "<title>Thrown</title><link rel=icon href=data:,><script>throw new Error('planted')</script>"),
        ("/elsewhere", "<title>E</title><link rel=icon href=data:,><img alt='' src='http://stranger.example/spy.png'>"),
        ("/missing", "<title>Missing</title><link rel=icon href=data:,><script src=/nowhere.js></script>"),
    ]);
    let Some(browser) = Browser::open(&pages.address()) else { return };
    browser.go("/good");
    browser.see("All is well");
    browser.no_errors();
    for (path, words) in [
        ("/loud", "planted"),
        ("/thrown", "planted"),
        ("/elsewhere", "asked elsewhere: http://stranger.example/spy.png"),
        ("/missing", "404"),
    ] {
        browser.go(path);
        let complaints = browser.complaints();
        assert!(complaints.iter().any(|line| line.contains(words)), "{path}: {complaints:?}");
        browser.no_errors();
    }
    browser.go("/loud");
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(browser)));
    let words = dropped.expect_err("a browser with complaints does not go quietly");
    assert!(words.downcast_ref::<String>().is_some_and(|words| words.contains("planted")));
}

#[test]
fn hands_find_what_people_call_by_name() {
    let pages = Fixture::of([("/", FORM)]);
    let Some(browser) = Browser::open(&pages.address()) else { return };
    browser.go("/");
    browser.fill("Name", "Ann 安");
    browser.fill("Remark", "none");
    browser.fill("Name", "Bo");
    browser.choose("Size", "Large");
    browser.tick("I agree");
    browser.click("Save");
    browser.see_in("#said", "Bo none large true");
    browser.click("Save as a copy");
    browser.see("a copy");
    browser.see_not("a slow word");
    browser.click("Later");
    browser.see("a slow word");
    // A scanner is heard although nothing has the focus.
    browser.scan("4006381333931");
    browser.see_in("#scanned", "4006381333931");
    browser.go("/");
    browser.press(Key::Tab);
    assert_eq!(browser.focused(), "Name");
    browser.press(Key::Tab);
    browser.press_with(Key::Shift, Key::Tab);
    assert_eq!(browser.focused(), "Name");
    let failed = catch_unwind(AssertUnwindSafe(|| browser.wait_for("never", "return 1", |value| *value == json!(2))));
    assert!(failed.is_err(), "waiting has an end");
}

#[test]
fn a_window_is_as_wide_and_as_dark_as_asked() {
    let pages = Fixture::of([("/", "<!doctype html><title>Look</title><link rel=icon href=data:,><p>Look")]);
    let Some(browser) = Browser::open(&pages.address()) else { return };
    browser.go("/");
    for (width, scheme) in [(360, Scheme::Dark), (768, Scheme::Light), (1440, Scheme::Dark)] {
        browser.look(Look { width, scheme });
        let seen = browser.eval("return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]");
        assert_eq!(seen, json!([width, scheme == Scheme::Dark]));
    }
    assert!(browser.picture().starts_with(b"\x89PNG"));
    let weight = browser.weight();
    assert!(weight.bytes > 50 && weight.bytes < 5_000, "{weight:?}");
}

#[test]
fn a_lost_network_is_lost_for_the_service_worker_as_well() {
    let pages = Fixture::of([("/", WORKED), ("/sw.js", WORKER), ("/data", "fresh")]);
    let (Some(browser), Some(other)) = (Browser::open(&pages.address()), Browser::open(&pages.address())) else {
        return;
    };
    browser.go("/");
    browser.see_in("#worker", "fresh");
    browser.lose_network();
    browser.see_in("#line", "offline");
    browser.click("Ask");
    browser.see_in("#worker", "worker: gone");
    browser.see_in("#page", "page: gone");
    other.go("/");
    other.see_in("#worker", "fresh");
    browser.find_network();
    browser.see_in("#line", "online");
    browser.click("Ask");
    browser.see_in("#worker", "worker: fresh");
    browser.see_in("#page", "page: fresh");
    browser.lose_node();
    browser.click("Ask");
    browser.see_in("#page", "page: gone");
    browser.see_in("#line", "online");
}

const FORM: &str = r#"<!doctype html><title>Form</title><link rel=icon href=data:,>
<label>Name <input id=name></label><label for=remark>Remark</label><textarea id=remark></textarea>
<label>Size <select id=size><option value=small>Small</option><option value=large>Large</option></select></label>
<label><input type=checkbox id=agree> I agree</label>
<button id=copy>Save as a copy</button><button id=save>Save</button><button id=later>Later</button><p id=said></p><p id=scanned></p>
<script>
const by = (id) => document.getElementById(id);
by("save").onclick = () => { by("said").textContent = [by("name").value, by("remark").value, by("size").value, by("agree").checked].join(" "); };
by("copy").onclick = () => { by("said").textContent = "a copy"; };
by("later").onclick = () => setTimeout(() => { by("said").textContent = "a slow word"; }, 300);
let typed = "";
addEventListener("keydown", (event) => {
  if (event.key === "Enter") { by("scanned").textContent = typed; typed = ""; } else typed += event.key;
});
</script>"#;

const WORKED: &str = r#"<!doctype html><title>Worker</title><link rel=icon href=data:,>
<button id=ask>Ask</button><p id=worker></p><p id=page></p><p id=line></p>
<script>
const by = (id) => document.getElementById(id);
const ask = async () => {
  const ready = await navigator.serviceWorker.ready;
  ready.active.postMessage("ask");
  by("page").textContent = "page: " + await fetch("/data").then((answer) => answer.text(), () => "gone");
};
navigator.serviceWorker.onmessage = (event) => { by("worker").textContent = "worker: " + event.data; };
navigator.serviceWorker.register("/sw.js").then(ask);
const line = () => { by("line").textContent = navigator.onLine ? "online" : "offline"; };
addEventListener("online", line);
addEventListener("offline", line);
line();
by("ask").onclick = ask;
</script>"#;

const WORKER: &str = r#"addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", async (event) => {
  const said = await fetch("/data").then((answer) => answer.text(), () => "gone");
  event.source.postMessage(said);
});"#;
