//! What the browser complained of: errors on the console, and requests to elsewhere than the node.

use serde_json::{Value, json};

use super::Browser;

impl Browser {
    /// Complaints with these words in them are expected from now on.
    pub fn allow(&self, words: &str) {
        self.allowed.borrow_mut().push(words.to_owned());
    }

    /// Fails if there was an error on the console, or a request outside of the node's origin, since the last time.
    pub fn no_errors(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "the browser complained at {}:\n{}", self.at(), complaints.join("\n"));
    }

    /// Complaints since the last time, except those that are allowed.
    pub fn complaints(&self) -> Vec<String> {
        let errors = self.log("browser").into_iter().filter_map(|line| error(&line));
        let strangers = self.log("performance").into_iter().filter_map(|line| stranger(&line, &self.origin));
        let allowed = self.allowed.borrow();
        errors.chain(strangers).filter(|line| !allowed.iter().any(|words| line.contains(words))).collect()
    }

    fn log(&self, name: &str) -> Vec<Value> {
        let lines = self.ask("se/log", &json!({ "type": name }));
        match lines.unwrap_or_else(|error| panic!("the browser has no log {name}: {error}")) {
            Value::Array(lines) => lines,
            other => panic!("the log {name} is {other}"),
        }
    }

    /// Tells on standard error what there was when a test failed.
    pub(super) fn confess(&self) {
        let shown = self.try_eval("return location.pathname + ' shows:\\n' + document.body.innerText.slice(0, 1500)");
        eprintln!("--- the browser at {}", shown.as_ref().ok().and_then(Value::as_str).unwrap_or("no page"));
        if let Ok(Value::Array(lines)) = self.ask("se/log", &json!({ "type": "browser" })) {
            lines.iter().for_each(|line| eprintln!("console: {}", line["message"]));
        }
    }
}

/// An error, not a warning or a note.
fn error(line: &Value) -> Option<String> {
    let message = line["message"].as_str().unwrap_or_default();
    (line["level"] == "SEVERE").then(|| format!("console: {message}"))
}

/// A request over the network to somebody else.
fn stranger(line: &Value, origin: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
    let url = match event["message"]["method"].as_str()? {
        "Network.requestWillBeSent" => event["message"]["params"]["request"]["url"].as_str()?,
        "Network.webSocketCreated" => event["message"]["params"]["url"].as_str()?,
        _ => return None,
    };
    let over_network = ["http:", "https:", "ws:", "wss:"].iter().any(|scheme| url.starts_with(scheme));
    let own = url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    (over_network && !own).then(|| format!("asked elsewhere: {url}"))
}
