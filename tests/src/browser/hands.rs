//! Doing: clicks, keys, fields, and a scanner that types as fast as scanners do.

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use serde_json::Value;

use super::eyes::FIND;
use super::{Browser, patiently};

impl Browser {
    /// Clicks what has this name, or this in its name: a button, a link, a summary, a tick box.
    pub fn click(&self, name: &str) {
        self.with("pressed", name, async |it| it.click().await);
    }

    /// Types into the field with this label, instead of what stood there.
    pub fn fill(&self, label: &str, value: &str) {
        self.with("filled", label, async |it| {
            it.clear().await?;
            it.send_keys(value).await
        });
    }

    /// Chooses the option with these words in the list with this label.
    pub fn choose(&self, label: &str, option: &str) {
        self.with("filled", label, async |it| it.select_by_label(option).await);
    }

    /// Clicks the tick box or radio button with this label.
    pub fn tick(&self, label: &str) {
        self.with("ticked", label, async |it| it.click().await);
    }

    /// Puts a file into the field with this label.
    pub fn give_file(&self, label: &str, path: &std::path::Path) {
        self.with("filled", label, async |it| it.send_keys(&path.to_string_lossy()).await);
    }

    /// Types into whatever has the focus.
    pub fn write(&self, text: &str) {
        self.keys(text.chars());
    }

    /// A scanner held against the window: it types the code without a pause, then Enter, wherever the focus is.
    pub fn scan(&self, code: &str) {
        self.keys(code.chars().chain([char::from(Key::Enter)]));
    }

    /// Presses one key.
    pub fn press(&self, key: Key) {
        self.keys([char::from(key)]);
    }

    /// Presses one key while another is held, e.g. Shift and Tab.
    pub fn press_with(&self, held: Key, key: Key) {
        let (held, key) = (char::from(held), char::from(key));
        let down = [KeyAction::Down { value: held }, KeyAction::Down { value: key }];
        self.perform(down.into_iter().chain([KeyAction::Up { value: key }, KeyAction::Up { value: held }]));
    }

    fn keys(&self, keys: impl IntoIterator<Item = char>) {
        self.perform(keys.into_iter().flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }]));
    }

    fn perform(&self, acts: impl IntoIterator<Item = KeyAction>) {
        let acts = acts.into_iter().fold(KeyActions::new("keyboard".into()), |acts, act| acts.then(act));
        self.runtime.block_on(self.client().perform_actions(acts)).expect("a window takes keys");
    }

    /// Does something with the control of a sort that has this name, as soon as it is there and nothing lies over it.
    fn with(&self, sort: &str, name: &str, act: impl AsyncFn(Element) -> Result<(), CmdError>) {
        patiently(&format!("something to be {sort} named {name:?}"), || {
            let element = self.find(sort, name)?;
            match self.runtime.block_on(act(element)) {
                Ok(()) => Ok(()),
                Err(error) if is_too_early(&error) => {
                    self.bring_into_view(sort, name);
                    Err(error.to_string())
                }
                Err(error) => panic!("{name:?} at {}: {error}", self.at()),
            }
        });
    }

    /// Scrolls as a person does who sees that something lies over what she wants.
    fn bring_into_view(&self, sort: &str, name: &str) {
        let body = format!(
            "{FIND} const one = find.best(find[arguments[0]], arguments[1]); if (one) one.scrollIntoView({{ block: 'center' }});"
        );
        // It may be gone again; the next look tells.
        let _ = self.call(&body, vec![sort.into(), name.into()]);
    }

    fn find(&self, sort: &str, name: &str) -> Result<Element, String> {
        let body =
            format!("{FIND} return find.best(find[arguments[0]], arguments[1]) || find.names(find[arguments[0]])");
        let found = self.call(&body, vec![sort.into(), name.into()])?;
        match &found[ELEMENT] {
            Value::String(id) => Ok(Element::from_element_id(self.client().clone(), ElementRef::from(id.clone()))),
            _ => Err(format!("{} has only {found}", self.at())),
        }
    }
}

/// The page was about to change; nothing has been done.
fn is_too_early(error: &CmdError) -> bool {
    let words = error.to_string();
    ["intercepted", "stale", "not interactable", "no such element", "invalid element state"]
        .iter()
        .any(|part| words.contains(part))
}

/// The name under which WebDriver gives elements (W3C WebDriver, section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
