//! A run as a page that a person would rather look at than read its figures.
//!
//! The page stands alone: no script, no font, nothing fetched. Its size is bounded whatever the run, and what is left out is told.
//! Nothing here decides whether a run was good; that is the outcome's verdict.

pub mod availability;
mod axis;
mod course;
mod headline;
mod lag;
mod picture;
mod rows;
mod sales;
mod tables;
mod timeline;
mod traffic;
mod violations;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::outcome::Outcome;
use course::Course;

/// The style sheet of the page, which stands alone as well.
pub const STYLE: &str = include_str!("report/page.css");

/// The page about a run: complete HTML in UTF-8, to be stored or sent as it is.
pub fn html(outcome: &Outcome) -> String {
    page(outcome, html! { style { (PreEscaped(STYLE)) } })
}

/// The same page for whoever serves [`STYLE`] at `href`, and nothing inline.
pub fn linked(outcome: &Outcome, href: &str) -> String {
    page(outcome, html! { link rel="icon" href="data:,"; link rel="stylesheet" href=(href); })
}

fn page(outcome: &Outcome, style: Markup) -> String {
    let course = Course::new(outcome);
    let sections: [(&str, Option<Markup>); 6] = [
        ("What did not hold", violations::section(outcome)),
        ("Faults", Some(timeline::section(&course))),
        ("Behind the truth", Some(lag::section(&course))),
        ("Bytes by link and lane", Some(traffic::section(&course))),
        ("Sales", Some(sales::section(&course))),
        ("The run in figures", Some(tables::section(outcome))),
    ];
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (headline::title(outcome)) }
                (style)
            }
            body {
                (hatching())
                (headline::section(&course))
                main {
                    @for (name, section) in sections {
                        @if let Some(section) = section { section { h2 { (name) } (section) } }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The pattern of what is down: seen without colour.
fn hatching() -> Markup {
    html! {
        svg width="0" height="0" aria-hidden="true" class="pattern" {
            defs {
                pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="6" height="6" class="hatch-ground" {}
                    rect width="2.5" height="6" class="hatch-line" {}
                }
            }
        }
    }
}

/// From what width on a picture can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// Lines and columns.
    Usual,
    /// Rows with names beside them.
    Wide,
}

impl Width {
    fn class(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Wide => "wide",
        }
    }
}

/// A picture in a box of its own, which scrolls where the page is narrower than the picture can be read.
fn scrolling(name: &str, width_min: Width, picture: Markup) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(name) {
            div class=(width_min.class()) { (picture) }
        }
    }
}

/// What the classes of a picture's marks mean.
fn key(marks: impl IntoIterator<Item = (&'static str, String)>) -> Markup {
    html! {
        ul class="key" {
            @for (class, meaning) in marks {
                li {
                    svg class="swatch" viewBox="0 0 20 12" aria-hidden="true" {
                        @if class.starts_with("line") || class == "stop" || class == "agree" {
                            path class=(class) d="M0 6H20" {}
                        } @else {
                            rect class=(class) width="20" height="12" {}
                        }
                    }
                    (meaning)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
