//! The page on a rider's phone: one file with its own style and script, nothing from outside, usable on 360 pixels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use crate::courier::desk::steps::{RIDER_REASONS, reason_word};
use crate::courier::desk::wish::Carried;
use crate::courier::report::State;
use crate::courier::riders::Rider;

/// The whole page. Everything that others wrote is escaped.
pub(super) fn page(rider: &Rider, stops: &[Carried]) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Route of " (rider.person.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Route of " (rider.person.name) }
                p #outbox role="status" { "" }
                ul #trouble {}
                @if stops.is_empty() { p { "Nothing to bring. Load the page again when you are at the store." } }
                @for (at, stop) in stops.iter().enumerate() { (drawn(at + 1, stop)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string()
}

/// Only this page's own style and script, and requests to its own node.
pub(super) fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn drawn(number: usize, stop: &Carried) -> Markup {
    let goes_back = matches!(stop.state, State::Failed | State::Returning);
    html! {
        section data-id=(stop.id) data-out=(stop.has_left) {
            h2 { (number) ". " (stop.name.order) }
            @match &stop.contact {
                Some(contact) => {
                    p { b { (contact.name) } }
                    p.address { (contact.address) }
                    @if !contact.note.is_empty() { p { (contact.note) } }
                    @if !contact.phone.is_empty() { p { "Telephone " (contact.phone) } }
                }
                None => p { "Ask the store for the address." }
            }
            p { "Bags: " (stop.bags) ", on them " b { (stop.bag_code) } }
            p { "Promised for " time datetime=(moment(stop.due_ms)) { (moment(stop.due_ms)) } }
            @if let Some(age) = stop.age_min { p.warning { "Whoever takes it must be " (age) ": look at a document." } }
            @if goes_back { p.warning { "Goes back to the store." } }
            p.done hidden {}
            form data-act="delivered" {
                label { "Code of the customer" input name="code" inputmode="numeric" autocomplete="off" maxlength="6" pattern="[0-9]{6}"; }
                label { "or name of the photo" input name="photo" autocomplete="off" maxlength="20"; }
                label { "or name of the signature" input name="signature" autocomplete="off" maxlength="20"; }
                @if stop.age_min.is_some() { label.line { input type="checkbox" name="age_checked"; " I looked at a document" } }
                button { "Delivered" }
            }
            form data-act="failed" {
                label { "Why not"
                    select name="reason" {
                        @for reason in RIDER_REASONS { option value=(reason_word(reason)) { (reason_word(reason).replace('-', " ")) } }
                    }
                }
                button { "Not delivered" }
            }
            form data-act="returning" { button { "I bring it back" } }
        }
    }
}

fn moment(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

const STYLE: &str = "body{font:18px/1.4 sans-serif;margin:0 auto;padding:8px;max-width:560px;color:#111;background:#fff}\
h1{font-size:20px}h2{font-size:18px;margin:0}section{border:1px solid #888;border-radius:6px;padding:8px;margin:0 0 12px}\
p{margin:4px 0;overflow-wrap:anywhere}.address{font-size:20px}.warning{background:#fd6;padding:4px}label{display:block;margin:4px 0}\
.line{display:flex;gap:8px}input,select,button{font:inherit;box-sizing:border-box;width:100%;min-height:48px}\
input[type=checkbox]{width:32px}form{border-top:1px solid #ccc;padding:8px 0}button{background:#123;color:#fff;border:0;border-radius:6px}\
#outbox:not(:empty){background:#fd6;padding:8px}#trouble{color:#900;padding-left:20px}";

/// An outbox that outlives the page: acts wait in the phone, with key and time, and are sent in their order when there is a signal.
const SCRIPT: &str = r#"(() => {
"use strict";
const base = location.pathname, box = "stockroom-outbox " + base;
const read = () => { try { return JSON.parse(localStorage.getItem(box)) || []; } catch (e) { return []; } };
const write = (acts) => localStorage.setItem(box, JSON.stringify(acts));
const words = { delivered: "delivered", failed: "not delivered", returning: "on its way back" };
const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const sections = () => Array.from(document.querySelectorAll("section"));
const show = () => {
  const acts = read();
  document.getElementById("outbox").textContent = acts.length ? acts.length + " waiting to be sent" : "";
  for (const section of sections()) {
    const last = acts.filter((act) => act.id === section.dataset.id).pop();
    if (last) mark(section, words[last.act] + " (not sent yet)");
  }
};
const mark = (section, text) => { const done = section.querySelector(".done"); done.hidden = false; done.textContent = text; };
const trouble = (text) => { const line = document.createElement("li"); line.textContent = text; document.getElementById("trouble").append(line); };
const post = (path, body) => fetch(base + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), cache: "no-store", credentials: "omit" });
let sending = false;
const send = async () => {
  if (sending) return;
  sending = true;
  try {
    for (let acts = read(); acts.length; acts = read()) {
      const act = acts[0];
      const answer = await post("/acts", act);
      if (answer.status >= 500 || answer.status === 429 || answer.status === 408) break;
      const said = await answer.json().catch(() => ({}));
      const section = sections().find((one) => one.dataset.id === act.id);
      if (answer.ok) {
        if (section) mark(section, words[act.act] + ", sent");
      } else {
        trouble(act.id + ": " + (said.detail || "refused"));
        if (section) mark(section, "refused: " + (said.detail || ""));
      }
      write(read().filter((other) => other.key !== act.key));
    }
  } catch (e) { /* No signal: the outbox is tried again. */ }
  sending = false;
  show();
};
for (const section of sections()) {
  for (const form of section.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const act = { key: key(), id: section.dataset.id, act: form.dataset.act, at: new Date().toISOString() };
      for (const [name, value] of new FormData(form)) if (value) act[name] = name === "age_checked" ? true : value;
      write(read().concat([act]));
      show();
      send();
    });
  }
}
let located = 0;
if (navigator.geolocation && sections().some((section) => section.dataset.out === "true")) {
  navigator.geolocation.watchPosition((at) => {
    if (Date.now() - located < 5000) return;
    located = Date.now();
    post("/position", { place: { lat: at.coords.latitude, lon: at.coords.longitude }, at: new Date(at.timestamp).toISOString() }).catch(() => {});
  }, () => {}, { maximumAge: 5000 });
}
addEventListener("online", send);
setInterval(send, 15000);
show();
send();
})();"#;
