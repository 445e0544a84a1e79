//! Rules of accessibility that a program can check, in a page as it is shown: WCAG 2.2 AA as far as it can be computed, targets for fingers,
//! and no sideways scrolling. `rules.js` holds them; each was first tried on a page that breaks it.

use fantoccini::key::Key;
use serde_json::Value;

use super::Browser;
use super::eyes::FIND;

impl Browser {
    /// What the page breaks at this width, in this light: the rule, what is wrong, and where.
    pub fn breaches(&self) -> Vec<String> {
        self.breaches_of(&RULES)
    }

    /// The same for some rules.
    pub fn breaches_of(&self, rules: &[&str]) -> Vec<String> {
        // A key was pressed last, so that the browser shows the focus as it does to those who use keys.
        self.press(Key::Shift);
        let body = format!("{FIND} {SCRIPT} return rules.report(arguments[0])");
        let found = self.call(&body, vec![rules.into()]).unwrap_or_else(|error| panic!("{}: {error}", self.at()));
        let found = found.as_array().cloned().unwrap_or_default();
        found.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Fails with every breach of every rule.
    pub fn obeys_rules(&self) {
        let breaches = self.breaches();
        assert!(breaches.is_empty(), "{} breaks {} rules:\n{}", self.at(), breaches.len(), breaches.join("\n"));
    }
}

/// Every rule.
pub const RULES: [&str; 18] = [
    "contrast", "edge", "name", "image", "label", "heading", "language", "landmark", "id", "tabindex", "order",
    "focus", "target", "scroll", "table", "aria", "live", "nest",
];

const SCRIPT: &str = include_str!("rules.js");
