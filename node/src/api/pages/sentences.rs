//! Sentences of the API in the reader's language, with moments as her store writes them.
//!
//! The API speaks English, the core, the log and the command line with it. A sentence that a person reads on a page is looked up here by its pattern:
//! `{n} received under {document}` fits `12 received under D-7`. A hole takes any text; `{~hole}` only what is a sentence or a word of the table
//! itself; `{?hole}` puts such a word into the other language and leaves any other text as it is. What no pattern fits stays English.

mod table;

use std::sync::LazyLock;

use maud::{Markup, html};

use super::shown::{Shown, ms_of};
use super::words::Language;

impl Shown {
    /// A sentence of the API for this reader.
    pub fn sentence(&self, text: &str) -> Markup {
        let text = self.sentence_text(text);
        let words: Vec<_> = text.split_inclusive([' ', '，', '；', '：', '（', '）']).collect();
        html! { @for word in words { (self.word(word)) } }
    }

    /// The same where only text can stand: moments stay as they are.
    pub fn sentence_text(&self, text: &str) -> String {
        let chinese = if self.language() == Language::Chinese { in_chinese(text) } else { None };
        chinese.unwrap_or_else(|| text.to_owned())
    }

    /// A word; a moment in RFC 3339, which may have punctuation behind it, as the store's clock shows it.
    fn word(&self, word: &str) -> Markup {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        // Beginning with the year and a hyphen: anything else need not be tried.
        let moment = bare.get(4..5).filter(|hyphen| *hyphen == "-").and_then(|_| ms_of(bare));
        match moment {
            Some(at_ms) => html! { (self.moment(at_ms)) (&word[bare.len()..]) },
            None => html! { (word) },
        }
    }
}

/// A sentence in Chinese, if a pattern of the table fits it.
fn in_chinese(text: &str) -> Option<String> {
    if text.len() > TEXT_BYTES_MAX { None } else { part_in_chinese(text, &mut { TRIES_MAX }) }
}

/// A sentence or a part of one. Whoever writes a note decides in how many ways it might be taken apart: `tries` says how many are looked at.
fn part_in_chinese(text: &str, tries: &mut u32) -> Option<String> {
    *tries = tries.checked_sub(1)?;
    PATTERNS.iter().find_map(|pattern| pattern.translated(text, tries))
}

/// A sentence with holes, and what it is in Chinese.
struct Pattern {
    parts: Vec<Part>,
    chinese: &'static str,
}

#[derive(Clone, Copy)]
enum Part {
    Text(&'static str),
    Hole { name: &'static str, kind: Fill },
}

/// What may stand in a hole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Any,
    Sentence,
    Word,
}

impl Pattern {
    fn new(&(english, chinese): &(&'static str, &'static str)) -> Self {
        let mut parts = Vec::new();
        let mut rest = english;
        while let Some((before, after)) = rest.split_once('{') {
            let (hole, after) = after.split_once('}').unwrap_or((after, ""));
            let (name, kind) = match (hole.strip_prefix('~'), hole.strip_prefix('?')) {
                (Some(name), _) => (name, Fill::Sentence),
                (_, Some(name)) => (name, Fill::Word),
                _ => (hole, Fill::Any),
            };
            parts.extend((!before.is_empty()).then_some(Part::Text(before)));
            parts.push(Part::Hole { name, kind });
            rest = after;
        }
        parts.extend((!rest.is_empty()).then_some(Part::Text(rest)));
        Self { parts, chinese }
    }

    /// How much of a sentence the pattern itself says.
    fn said(&self) -> usize {
        self.parts.iter().map(|part| if let Part::Text(text) = part { text.len() } else { 0 }).sum()
    }

    fn translated(&self, text: &str, tries: &mut u32) -> Option<String> {
        let mut holes = Vec::new();
        fit(&self.parts, text, &mut holes, tries)?;
        let mut out = self.chinese.to_owned();
        for (name, value) in holes {
            out = out.replacen(&format!("{{{name}}}"), &value, 1);
        }
        Some(out)
    }
}

/// Fits the parts to the whole text; holes end at the first place at which the rest fits.
fn fit(parts: &[Part], text: &str, holes: &mut Vec<(&'static str, String)>, tries: &mut u32) -> Option<()> {
    match parts {
        [] => text.is_empty().then_some(()),
        [Part::Text(expected), rest @ ..] => fit(rest, text.strip_prefix(expected)?, holes, tries),
        [Part::Hole { name, kind }] => {
            holes.push((name, filled(*kind, text, tries)?));
            Some(())
        }
        [Part::Hole { name, kind }, rest @ ..] => {
            let [Part::Text(next), ..] = rest else { return None };
            let kept = holes.len();
            for (end, _) in text.match_indices(next) {
                if let Some(value) = filled(*kind, &text[..end], tries) {
                    holes.push((name, value));
                    if fit(rest, &text[end..], holes, tries).is_some() {
                        return Some(());
                    }
                    holes.truncate(kept);
                }
            }
            None
        }
    }
}

fn filled(kind: Fill, text: &str, tries: &mut u32) -> Option<String> {
    match kind {
        // Where one sentence ends and the next begins, no hole goes on.
        Fill::Any | Fill::Word if text.contains("; ") => None,
        Fill::Any => Some(text.to_owned()),
        Fill::Sentence => part_in_chinese(text, tries),
        Fill::Word => Some(part_in_chinese(text, tries).unwrap_or_else(|| text.to_owned())),
    }
}

/// Endings, then those first that say the most themselves.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut patterns: Vec<_> = table::TABLE.iter().map(Pattern::new).collect();
    patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.said()));
    table::ENDINGS.iter().map(Pattern::new).chain(patterns).collect()
});

/// Longer texts are nobody's sentences: they are shown as they are.
const TEXT_BYTES_MAX: usize = 600;

/// Parts of one sentence that are looked up: more than any sentence of the table has.
const TRIES_MAX: u32 = 200;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use stockroom_core::policy::route::plan::{self, Judged, Points, Score, Verdict};
    use stockroom_crdt::clock::Hlc;
    use stockroom_crdt::control::EpochReason;
    use stockroom_crdt::ids::{Code, StoreId};
    use stockroom_crdt::order::resolve::Why;

    use super::*;
    use crate::api::orders::show::in_words;

    fn chinese(text: &str) -> String {
        in_chinese(text).unwrap_or_else(|| panic!("nothing fits {text:?}"))
    }

    #[test]
    fn a_sentence_is_found_by_its_pattern_and_keeps_what_stands_in_it() {
        assert_eq!(chinese("12 received under D-7, by eva"), "收货 12，单据 D-7，经手 eva");
        assert_eq!(
            chinese("3 sold on receipt 1-2-77, till 2 no. 77, by bo"),
            "小票 1-2-77 售出 3，2 号收银机第 77 笔，经手 bo"
        );
        assert_eq!(
            chinese("2 rights used for a promise; 1 rights granted to 7.1"),
            "承诺占用 2 个配额；转给 7.1 1 个配额"
        );
        assert_eq!(chinese("4 out of quarantine thrown away: damaged"), "隔离区报废 4：损坏");
        assert_eq!(chinese("4 out of quarantine thrown away: seam"), "隔离区报废 4：seam", "a shop's own word stays");
        assert_eq!(in_chinese("nobody wrote this one"), None);
        assert_eq!(in_chinese("somebody did that, by eva"), None, "what is not known is not half translated");
        assert_eq!(in_chinese(&"; 1 received".repeat(200)), None);
        let many_ways = format!("{}, by x", ": a, by b; ".repeat(50));
        assert_eq!(in_chinese(&many_ways), None, "and it is given up soon");
    }

    #[test]
    fn moments_are_shown_in_the_stores_zone() {
        let shown = Shown::new(Language::English, None);
        let html = shown.sentence("goods are kept at store 1 until 2020-01-02T03:04:05Z, or 12-ab-77").into_string();
        assert_eq!(
            html,
            "goods are kept at store 1 until <time datetime=\"2020-01-02T03:04:05+00:00\">2 Jan, 03:04</time>, or 12-ab-77"
        );
        let html = Shown::new(Language::Chinese, None)
            .sentence("store 3, which held it, confirmed the cancel at 2020-01-02T03:04:05Z");
        assert!(
            html.into_string()
                .contains("已于 <time datetime=\"2020-01-02T03:04:05+00:00\">1月2日 03:04</time> 确认取消")
        );
    }

    #[test]
    fn holes_of_both_languages_are_the_same() {
        let names = |text: &str| -> BTreeSet<String> {
            let inner = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            inner.map(|(name, _)| name.trim_start_matches(['~', '?']).to_owned()).collect()
        };
        for (english, chinese) in table::TABLE.iter().chain(table::ENDINGS) {
            assert_eq!(names(english), names(chinese), "{english}");
            assert!(!english.is_empty() && !chinese.is_empty());
        }
        let all: BTreeSet<_> = table::TABLE.iter().map(|(english, _)| english).collect();
        assert_eq!(all.len(), table::TABLE.len(), "a sentence stands there twice");
    }

    #[test]
    fn every_reason_of_an_order_is_in_the_table() {
        let (store, at, note) = (StoreId(3), Hlc::new(1_750_000_000_000, 0), Code::parse("closed").unwrap());
        let all = [
            Why::HandedBeforeCancel(store, at),
            Why::CancelConfirmed(store, at),
            Why::CancelDenied(store, note.clone()),
            Why::CancelAsked(store),
            Why::CancelledByHome,
            Why::Refused(store, note.clone()),
            Why::Withdrawn(store, note.clone()),
            Why::GivesWay(store),
            Why::Short(store, 0, 2, note.clone()),
            Why::Substituted(store, 0),
            Why::Uncollected(store),
            Why::Declined(store, note.clone()),
            Why::NotDelivered(store, note.clone()),
            Why::HandedTwice(store),
            Why::RefundedAndHanded(note.clone()),
            Why::GivenUp(note.clone()),
            Why::Held(note),
            Why::ByPass(store),
        ];
        all.iter().for_each(|why| drop(chinese(&in_words(why))));
    }

    #[test]
    fn every_verdict_of_routing_is_in_the_table() {
        use plan::Why;
        let out = [
            Why::NotTheCustomersStore,
            Why::OtherEntity,
            Why::OtherGroup,
            Why::Full,
            Why::Closed,
            Why::NoPlace,
            Why::TooFar { metres: 12_300 },
            Why::OutsideRings,
            Why::Silent { age_ms: 600_000 },
            Why::NothingHeld,
        ];
        let others =
            [Verdict::Chosen, Verdict::Dearer { by: 12 }, Verdict::Lacks { lines: 1, of: 2 }, Verdict::GivenToOthers];
        for verdict in out.map(Verdict::Out).into_iter().chain(others) {
            for metres in [None, Some(1_200)] {
                let score = Score { metres, points: Points { distance: 5, ..Points::default() }, ..Score::default() };
                drop(chinese(&Judged { store: StoreId(3), verdict, score }.to_string()));
            }
        }
    }

    #[test]
    fn every_reason_for_a_new_life_is_in_the_table() {
        for reason in (0..=u8::MAX).map(u64::from).map_while(EpochReason::from_number) {
            drop(chinese(reason.as_str()));
        }
    }
}
