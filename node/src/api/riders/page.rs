//! The page on a rider's phone: one file with its own style and script, nothing from outside, usable on 360 pixels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use crate::api::pages::shown::Shown;
use crate::api::pages::words::{LANGUAGES, Language, words};
use crate::courier::desk::steps::{RIDER_REASONS, reason_word};
use crate::courier::desk::wish::Carried;
use crate::courier::report::{Reason, State};
use crate::courier::riders::Rider;

words! {
    /// What stands on this page.
    Words {
        title: "Route of", "配送路线：";
        nothing: "Nothing to bring. Load the page again when you are at the store.", "暂无配送任务。到店后请刷新页面。";
        telephone: "Telephone", "电话";
        ask_store: "Ask the store for the address.", "请向门店询问地址。";
        bags: "Bags:", "袋数：";
        on_them: "on them", "袋上编号";
        promised: "Promised for", "承诺送达";
        must_be: "Look at a document: whoever takes it must have this age:", "请查验证件，收货人须年满：";
        goes_back: "Goes back to the store.", "需送回门店。";
        code: "Code of the customer", "顾客取货码";
        photo: "or name of the photo", "或照片名称";
        signature: "or name of the signature", "或签名名称";
        one_proof: "One of the three: the code, a photo or a signature.", "取货码、照片、签名三者填其一。";
        looked: "I looked at a document", "已查验证件";
        delivered: "Delivered", "已送达";
        failed: "Not delivered", "未送达";
        returning: "I bring it back", "我送回门店";
        why_not: "Why not", "原因";
        waiting: "waiting to be sent", "条待发送";
        unsent: "(not sent yet)", "（尚未发送）";
        sent: "sent", "已发送";
        refused: "refused", "被拒绝";
        said_delivered: "delivered", "已送达";
        said_failed: "not delivered", "未送达";
        said_returning: "on its way back", "送回途中";
        unreachable: "customer unreachable", "联系不上顾客";
        address_wrong: "address wrong", "地址有误";
        customer_refused: "customer refused", "顾客拒收";
        too_young: "age check failed", "未通过年龄查验";
        damaged: "goods damaged", "商品破损";
        force: "force majeure", "不可抗力";
        languages: "Language", "语言";
    }
}

/// The whole page. Everything that others wrote is escaped.
pub(super) fn page(rider: &Rider, stops: &[Carried], language: Language, shown: &Shown) -> String {
    let words = Words::of(language);
    let document = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (words.title) " " (rider.person.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main data-waiting=(words.waiting) data-unsent=(words.unsent) data-sent=(words.sent) data-refused=(words.refused) data-one-proof=(words.one_proof)
                    data-delivered=(words.said_delivered) data-failed=(words.said_failed) data-returning=(words.said_returning) {
                    h1 { (words.title) " " (rider.person.name) }
                    p #outbox role="status" { "" }
                    ul #trouble role="alert" {}
                    @if stops.is_empty() { p { (words.nothing) } }
                    @for (at, stop) in stops.iter().enumerate() { (drawn(words, shown, at + 1, stop)) }
                }
                nav aria-label=(words.languages) {
                    @for (other, name) in LANGUAGES { @if other != language { a href={ "?lang=" (other.tag()) } lang=(other.tag()) { (name) } } }
                }
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
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn drawn(words: &Words, shown: &Shown, number: usize, stop: &Carried) -> Markup {
    let goes_back = matches!(stop.state, State::Failed | State::Returning);
    html! {
        section data-id=(stop.id) data-out=(stop.has_left) {
            h2 { (number) ". " (stop.name.order) }
            @match &stop.contact {
                Some(contact) => {
                    p { b { (contact.name) } }
                    p.address { (contact.address) }
                    @if !contact.note.is_empty() { p { (contact.note) } }
                    @if !contact.phone.is_empty() { p { a.call href={ "tel:" (contact.phone.replace(' ', "")) } { (words.telephone) " " (contact.phone) } } }
                }
                None => p { (words.ask_store) }
            }
            p { (words.bags) " " (stop.bags) ", " (words.on_them) " " b { (stop.bag_code) } }
            p { (words.promised) " " b { (shown.moment(stop.due_ms)) } }
            @if let Some(age) = stop.age_min { p.warning { (words.must_be) " " b { (age) } } }
            @if goes_back { p.warning { (words.goes_back) } }
            p.done hidden {}
            form data-act="delivered" {
                label { (words.code) input name="code" data-proof inputmode="numeric" autocomplete="off" maxlength="6" pattern="[0-9]{6}"; }
                label { (words.photo) input name="photo" data-proof autocomplete="off" maxlength="20" pattern=(PROOF); }
                label { (words.signature) input name="signature" data-proof autocomplete="off" maxlength="20" pattern=(PROOF); }
                @if stop.age_min.is_some() { label.line { input type="checkbox" name="age_checked" required; " " (words.looked) } }
                button { (words.delivered) }
            }
            form data-act="failed" {
                label { (words.why_not)
                    select name="reason" {
                        @for reason in RIDER_REASONS { option value=(reason_word(reason)) { (reason_said(words, reason)) } }
                    }
                }
                button.second { (words.failed) }
            }
            form data-act="returning" { button.second { (words.returning) } }
        }
    }
}

fn reason_said(words: &Words, reason: Reason) -> &'static str {
    match reason {
        Reason::CustomerUnreachable => words.unreachable,
        Reason::AddressWrong => words.address_wrong,
        Reason::CustomerRefused => words.customer_refused,
        Reason::AgeCheckFailed => words.too_young,
        Reason::GoodsDamaged => words.damaged,
        Reason::ForceMajeure => words.force,
        // Of the store or of couriers: a rider does not give them.
        Reason::NoCourier
        | Reason::CourierLate
        | Reason::StoreNotReady
        | Reason::CustomerCancelled
        | Reason::MerchantCancel
        | Reason::System => reason_word(reason),
    }
}

/// Names of pictures, as the API takes them.
const PROOF: &str = "[A-Za-z0-9._\\-]+";

const STYLE: &str = ":root{color-scheme:light dark;--ink:#111;--paper:#fff;--edge:#777;--line:#ccc;--main:#123;--on:#fff;--warn:#fd6;--bad:#900;--focus:#1456c4}\
@media(prefers-color-scheme:dark){:root{--ink:#eee;--paper:#111;--edge:#8a8a8a;--line:#444;--main:#9cd;--on:#012;--warn:#553c00;--bad:#ffb0a6;--focus:#8ab4ff}}\
body{font:18px/1.4 sans-serif;margin:0 auto;padding:8px;max-width:560px;color:var(--ink);background:var(--paper)}\
h1{font-size:20px}h2{font-size:18px;margin:0;overflow-wrap:anywhere}section{border:1px solid var(--edge);border-radius:6px;padding:8px;margin:0 0 12px}\
p{margin:4px 0;overflow-wrap:anywhere}.address{font-size:20px}.warning{background:var(--warn);padding:4px}label{display:block;margin:4px 0}\
.line{display:flex;gap:8px;align-items:center;min-height:48px}\
input,select,button{font:inherit;color:inherit;background:var(--paper);box-sizing:border-box;width:100%;min-height:48px;border:1px solid var(--edge);border-radius:6px;padding:0 8px}\
input[type=checkbox]{width:32px}form{border-top:1px solid var(--line);padding:8px 0}button{background:var(--main);color:var(--on);border:0;font-weight:600}\
.second{background:none;color:var(--ink);border:1px solid var(--edge)}.call,nav a{display:inline-flex;align-items:center;min-height:48px;min-width:48px;color:inherit}\
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}.done{font-weight:600}\
#outbox:not(:empty){background:var(--warn);padding:8px}#trouble{color:var(--bad);padding-left:20px}";

/// An outbox that outlives the page: acts wait in the phone, with key and time, and are sent in their order when there is a signal.
const SCRIPT: &str = r#"(() => {
"use strict";
const base = location.pathname, box = "stockroom-outbox " + base;
const read = () => { try { return JSON.parse(localStorage.getItem(box)) || []; } catch (e) { return []; } };
const write = (acts) => localStorage.setItem(box, JSON.stringify(acts));
const words = document.querySelector("main").dataset;
const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const sections = () => Array.from(document.querySelectorAll("section"));
const show = () => {
  const acts = read();
  document.getElementById("outbox").textContent = acts.length ? acts.length + " " + words.waiting : "";
  for (const section of sections()) {
    const last = acts.filter((act) => act.id === section.dataset.id).pop();
    if (last) mark(section, words[last.act] + " " + words.unsent);
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
        if (section) mark(section, words[act.act] + ", " + words.sent);
      } else {
        trouble(act.id + ": " + (said.detail || words.refused));
        if (section) mark(section, words.refused + ": " + (said.detail || ""));
      }
      write(read().filter((other) => other.key !== act.key));
    }
  } catch (e) { /* No signal: the outbox is tried again. */ }
  sending = false;
  show();
};
for (const section of sections()) {
  for (const form of section.querySelectorAll("form")) {
    form.addEventListener("input", () => { const first = form.querySelector("[data-proof]"); if (first) first.setCustomValidity(""); });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      // What would be refused is said now: later, with a signal, he is gone from the door.
      const proofs = Array.from(form.querySelectorAll("[data-proof]"));
      if (proofs.length) {
        const given = proofs.filter((field) => field.value.trim()).length;
        proofs[0].setCustomValidity(given === 1 ? "" : words.oneProof);
        if (!form.reportValidity()) return;
      }
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
