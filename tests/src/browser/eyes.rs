//! Seeing: what stands on the page, where the focus is, how heavy the page was, and pictures.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::{Browser, patiently};

/// What a page cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    /// Of the page and everything that it loaded, as it came over the line with its headers, or as it was kept from before.
    pub bytes: u64,
    /// From the request to the first byte of the page.
    pub first_byte: Duration,
}

impl Browser {
    /// Waits until the page shows these words.
    pub fn see(&self, words: &str) {
        self.see_in("body", words);
    }

    /// Waits until the first element that fits shows these words.
    pub fn see_in(&self, css: &str, words: &str) {
        patiently(&format!("{css} shows {words:?}"), || {
            let shown = self.shown(css)?;
            if shown.contains(&squeezed(words)) { Ok(()) } else { Err(format!("{} shows: {shown}", self.at())) }
        });
    }

    /// Waits until the page does not show these words, or no more.
    pub fn see_not(&self, words: &str) {
        patiently(&format!("the page does not show {words:?}"), || {
            let shown = self.shown("body")?;
            if shown.contains(&squeezed(words)) { Err(format!("{} shows: {shown}", self.at())) } else { Ok(()) }
        });
    }

    /// Waits until the address is this, without what follows `?`.
    pub fn see_at(&self, path: &str) {
        patiently(&format!("the page is {path}"), || {
            let at = self.at();
            if at == path { Ok(()) } else { Err(format!("it is {at}")) }
        });
    }

    /// Waits until a script's value is as it has to be, and gives it: `body` is the body of a function, e.g. `return document.title`.
    pub fn wait_for(&self, what: &str, body: &str, is_good: impl Fn(&Value) -> bool) -> Value {
        patiently(what, || {
            let value = self.try_eval(body)?;
            if is_good(&value) { Ok(value) } else { Err(value.to_string()) }
        })
    }

    /// What the page shows, in one line.
    pub fn text(&self) -> String {
        self.shown("body").unwrap_or_default()
    }

    /// The path of the page.
    pub fn at(&self) -> String {
        self.try_eval("return location.pathname").ok().and_then(|at| Some(at.as_str()?.to_owned())).unwrap_or_default()
    }

    /// The value of a script: `body` is the body of a function.
    pub fn eval(&self, body: &str) -> Value {
        self.try_eval(body).unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// The same for a page that may be on its way to another.
    pub fn try_eval(&self, body: &str) -> Result<Value, String> {
        self.call(body, Vec::new())
    }

    /// What has the focus, by its name; empty if nothing has.
    pub fn focused(&self) -> String {
        let name = self.call(
            &format!(
                "{FIND} const el = document.activeElement; return el && el !== document.body ? find.name(el) : ''"
            ),
            vec![],
        );
        name.ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
    }

    /// What the page cost since it was opened.
    pub fn weight(&self) -> Weight {
        let seen = self.eval(
            "const [page] = performance.getEntriesByType('navigation'), rest = performance.getEntriesByType('resource');\
             const cost = (one) => Math.max(one.transferSize, one.encodedBodySize), kept = (one) => one.name.includes('/assets/');\
             const read = rest.filter((one) => !kept(one)).reduce((sum, one) => sum + cost(one), 0);\
             return [cost(page) + read, page.responseStart - page.requestStart, rest.filter(kept).map((one) => new URL(one.name).pathname)]",
        );
        // What the service worker gives is counted as it came over the line: the browser tells its unpacked size only.
        let assets = seen[2].as_array().map_or(&[][..], Vec::as_slice).iter().filter_map(Value::as_str);
        let kept: u64 = assets.map(|path| self.packed_bytes(path)).sum();
        let first_byte = Duration::from_secs_f64(seen[1].as_f64().unwrap_or_default().max(0.0) / 1_000.0);
        Weight { bytes: seen[0].as_u64().unwrap_or_default() + kept, first_byte }
    }

    /// Bytes of an asset as a browser gets it.
    fn packed_bytes(&self, path: &str) -> u64 {
        let host = self.origin.rsplit('/').next().unwrap_or_default();
        let mut stream = TcpStream::connect(host).expect("the node listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the node reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the node answers");
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}");
        answer.len() as u64
    }

    /// The window as PNG.
    pub fn picture(&self) -> Vec<u8> {
        self.runtime.block_on(self.client().screenshot()).expect("a window can be seen")
    }

    /// Runs the body of a function with arguments.
    pub(super) fn call(&self, body: &str, arguments: Vec<Value>) -> Result<Value, String> {
        self.runtime.block_on(self.client().execute(body, arguments)).map_err(|error| error.to_string())
    }

    fn shown(&self, css: &str) -> Result<String, String> {
        let body = "const one = document.querySelector(arguments[0]); return one && one.innerText";
        match self.call(body, vec![css.into()])? {
            Value::String(text) => Ok(squeezed(&text)),
            _ => Err(format!("no {css} at {}", self.at())),
        }
    }
}

/// Words with one space between them, as a person reads them.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Finding controls by the names that people know.
pub(super) const FIND: &str = include_str!("find.js");
