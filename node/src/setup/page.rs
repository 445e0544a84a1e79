//! The page of a box without a node: join a chain with a token, or begin a new one; and how far that is.

use maud::{DOCTYPE, Markup, html};
use serde::Serialize;

use super::first::State;
use super::words::{Said, Text, Trouble};
use crate::api::pages::assets;
use crate::paper::words::Language;

/// The whole page. `fingerprint` is that of the certificate under which it is shown, if it is shown under one.
pub fn page(language: Language, fingerprint: Option<&str>) -> String {
    let say = |text: Text| text.words(language);
    let document = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (say(Text::Title)) " · Stockroom" }
                link rel="stylesheet" href=(assets::path("page.css"));
                link rel="stylesheet" href="/setup/setup.css";
                link rel="icon" href=(assets::ICON) type="image/svg+xml";
                script src="/setup/setup.js" defer {}
            }
            body {
                header.bar {
                    p.place { a href="/setup" { "Stockroom" } }
                    nav.languages aria-label="Language" {
                        a.button.quiet href="/setup?lang=en" lang="en" { "English" }
                        a.button.quiet href="/setup?lang=zh-CN" lang="zh-CN" { "中文" }
                    }
                }
                main.setup data-reading=(say(Text::Reading)) data-gone=(say(Text::Gone)) {
                    h1 { (say(Text::Title)) }
                    noscript { p.said.bad { (say(Text::NoScript)) } }
                    p.lead { (say(Text::Intro)) }
                    p #said.said.bad role="alert" hidden {}
                    (asked(say))
                    (progress(say))
                    (root_key(say))
                    @if let Some(fingerprint) = fingerprint {
                        p.quiet { (say(Text::Identity)) ": " code { (fingerprint) } }
                    }
                }
            }
        }
    };
    document.into_string()
}

fn asked(say: impl Fn(Text) -> &'static str) -> Markup {
    html! {
        div #asked {
            form #join.card {
                h2 { (say(Text::JoinTitle)) }
                p { (say(Text::JoinIntro)) }
                p {
                    label.button.inline for="photo" { (say(Text::Photo)) }
                    input #photo.hidden type="file" accept="image/png,image/jpeg" capture="environment" aria-describedby="photo-hint";
                    " " span #photo-hint { (say(Text::PhotoHint)) }
                }
                label for="token" { (say(Text::Token)) }
                textarea #token name="token" rows="4" required autocomplete="off" spellcheck="false" autocapitalize="off" {}
                div #hub-part hidden {
                    label for="hub" { (say(Text::Hub)) }
                    p.quiet #hub-hint { (say(Text::HubHint)) }
                    input #hub name="hub" aria-describedby="hub-hint" autocomplete="off" spellcheck="false" autocapitalize="off";
                }
                label.check { input #solo type="checkbox"; span { (say(Text::Solo)) } }
                p.acts { button.main.large { (say(Text::Join)) } }
            }
            details.card {
                summary { (say(Text::WhatHappens)) }
                ol { li { (say(Text::Happens1)) } li { (say(Text::Happens2)) } li { (say(Text::Happens3)) } }
            }
            form #chain.card {
                h2 { (say(Text::ChainTitle)) }
                p { (say(Text::ChainIntro)) }
                label for="name" { (say(Text::Name)) }
                input #name name="name" required maxlength="40" autocomplete="organization";
                p.acts { button { (say(Text::Make)) } }
            }
        }
    }
}

fn progress(say: impl Fn(Text) -> &'static str) -> Markup {
    html! {
        section #progress hidden aria-live="polite" {
            h2 { (say(Text::Progress)) }
            ol #steps {}
        }
    }
}

fn root_key(say: impl Fn(Text) -> &'static str) -> Markup {
    html! {
        section #root hidden {
            h2 { (say(Text::RootTitle)) }
            p { (say(Text::RootIntro)) }
            p { a #root-file.button.main download="stockroom-root-keys.txt" { (say(Text::RootDownload)) } }
            form #start {
                label.check { input #taken type="checkbox"; span { (say(Text::RootTaken)) } }
                p.acts { button.main { (say(Text::Start)) } }
            }
        }
    }
}

/// How far it is, for the page's script.
#[derive(Debug, Serialize)]
pub struct Progress {
    /// `waiting`, `working`, `failed`, `made` or `done`.
    phase: &'static str,
    /// What was, is and will be done.
    steps: Vec<StepShown>,
    /// What went wrong.
    said: Option<String>,
    /// The hub's address is wanted.
    wants_hub: bool,
}

#[derive(Debug, Serialize)]
struct StepShown {
    text: &'static str,
    state: &'static str,
}

impl Progress {
    /// Of a state.
    pub fn of(state: &State, language: Language) -> Self {
        let (phase, steps, trouble) = match state {
            State::Waiting => ("waiting", &[][..], None),
            State::Working(steps) => ("working", &steps[..], None),
            State::Failed(steps, trouble) => ("failed", &steps[..], Some(*trouble)),
            State::Made(steps, _) => ("made", &steps[..], None),
            State::Done(steps) => ("done", &steps[..], None),
        };
        let said = trouble.map(|trouble| sentence(trouble, language));
        let wants_hub =
            matches!(trouble, Some(Trouble::NoHub | Trouble::Address | Trouble::Silent | Trouble::OtherHub));
        Self { phase, steps: shown(phase, steps, language), said, wants_hub }
    }
}

/// What happened and what to do, in one text.
pub fn sentence(trouble: Trouble, language: Language) -> String {
    let (said, todo) = trouble.words(language);
    format!("{said} {todo}")
}

fn shown(phase: &str, steps: &[Said], language: Language) -> Vec<StepShown> {
    let Some((last, before)) = steps.split_last() else { return Vec::new() };
    let now = match phase {
        "working" => "now",
        "failed" => "failed",
        "made" => "done",
        _ => "now",
    };
    let step = |said: &Said, state| StepShown { text: said.words(language), state };
    let before = before.iter().map(|said| step(said, "done"));
    let after = last.after().iter().map(|said| step(said, "open"));
    before.chain([step(last, now)]).chain(after).collect()
}

/// Its style.
pub const STYLE: &str = include_str!("setup.css");

/// Its script.
pub const SCRIPT: &str = include_str!("setup.js");
