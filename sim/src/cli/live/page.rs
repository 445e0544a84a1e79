//! The page of the live view: a frame without figures, which its script fills.

use maud::{DOCTYPE, html};

use super::words::Tongue;

/// What the page says of its run before anything happens.
pub struct Title<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The seed.
    pub seed: u64,
    /// The arguments that name the world.
    pub again: &'a str,
    /// Names and meanings of all checks.
    pub checks: &'a [(&'static str, &'static str)],
}

/// Complete HTML.
pub fn page(title: &Title<'_>, tongue: Tongue) -> String {
    let say = |tag| tongue.say(tag);
    let other = tongue.other();
    let page = html! {
        (DOCTYPE)
        html lang=(tongue.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title.scenario) ", " (say("seed")) " " (title.seed) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                link rel="stylesheet" href="/live.css";
                script src="/live.js" defer {}
            }
            body class="live" data-skipped=(say("skipped")) data-closed=(say("closed")) data-apart=(say("apart"))
                data-hub-knows=(say("hub-knows")) data-it-knows=(say("it-knows"))
                data-waits=(say("waits")) data-lacks=(say("lacks")) data-play=(say("play")) data-pause=(say("pause")) {
                a class="skip" href="#controls" { (say("skip")) }
                header class="top" {
                    div {
                        p class="kicker" { (say("kicker")) }
                        h1 { (title.scenario) " " span class="seed" { (say("seed")) " " (title.seed) } }
                    }
                    a class="button" href=(format!("/?lang={}", other.tag())) lang=(other.tag()) hreflang=(other.tag()) {
                        (say("language"))
                    }
                }
                main {
                    noscript { p class="notice" { (say("no-script")) } }
                    section id="controls" class="controls" aria-label=(say("controls")) tabindex="-1" {
                        div class="moment" {
                            p class="clock" { span class="unseen" { (say("moment")) " " } span id="clock" { "0:00:00" } }
                            p id="phase" role="status" { "…" }
                            progress id="share" max="1000" value="0" aria-label=(say("moment")) {}
                        }
                        div class="buttons" {
                            button type="button" id="play" class="prime" data-do="play" { (say("play")) }
                            button type="button" data-do="event" class="step" { (say("event")) }
                            button type="button" data-do="minute" class="step" { (say("minute")) }
                            label class="speed" {
                                span { (say("speed")) }
                                select id="speed" {
                                    @for times in SPEEDS {
                                        option value=(times) selected[*times == 60] { (times) "×" }
                                    }
                                    option value="most" { (say("most")) }
                                }
                            }
                            a id="report" class="button" href="/report" hidden { (say("report")) }
                            button type="button" id="close" data-do="close" hidden { (say("close")) }
                        }
                        p id="trouble" class="trouble" role="alert" {}
                        p id="sums" class="note" {}
                        p id="hashes" class="note" {}
                    }
                    div class="halves" {
                        section aria-labelledby="network-name" class="network" {
                            h2 id="network-name" { (say("network")) }
                            p class="note" { (say("network-help")) }
                            div id="chain" class="chain" {}
                            p id="left-out" class="note" {}
                        }
                        section aria-labelledby="story-name" class="happened" {
                            h2 id="story-name" { (say("story")) }
                            ol id="story" class="lines" role="log" aria-live="off" tabindex="0" aria-labelledby="story-name" {
                                li class="empty" { (say("story-empty")) }
                            }
                        }
                    }
                    section aria-labelledby="checks-name" {
                        h2 id="checks-name" { (say("checks")) }
                        p id="checks" class="verdict" role="status" {}
                        ul id="found" class="found" lang="en" {}
                        details class="quiet" {
                            summary { (say("all-checks")) }
                            dl class="all-checks" lang="en" {
                                @for (name, meaning) in title.checks { dt { (name) } dd { (meaning) } }
                            }
                        }
                    }
                    section aria-labelledby="links-name" {
                        h2 id="links-name" { (say("links")) }
                        p id="no-cut" class="note" {}
                        ul id="links" class="links" {}
                    }
                    section aria-labelledby="nodes-name" {
                        h2 id="nodes-name" { (say("nodes")) }
                        table class="nodes" {
                            thead {
                                tr {
                                    @for tag in COLUMNS { th scope="col" { (say(tag)) } }
                                }
                            }
                            tbody id="nodes" {}
                        }
                    }
                    section aria-labelledby="acts-name" {
                        h2 id="acts-name" { (say("acts")) }
                        p id="acts-none" { (say("acts-none")) }
                        ol id="acts" class="acts" {}
                        div id="acts-some" hidden {
                            p { a class="button" href="/acts.json" download="acts.json" { (say("acts-file")) } }
                            p class="note" {
                                (say("acts-again")) ": "
                                code { "stockroom-sim run " (title.again) " --acts acts.json" }
                            }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// Columns of the table of nodes, by their messages.
const COLUMNS: &[&str] = &["node", "state", "backlog", "age", "lacks", "deeds"];

/// Simulated seconds per second.
const SPEEDS: &[u32] = &[1, 10, 60, 300, 1_800];
