//! Panics: those of cores are caught by the world and part of the run, so none is printed when it happens. One that leaves the
//! simulator is a failure of its own, told with its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// The last panic of each thread.
pub struct Panics(Arc<Mutex<Vec<(ThreadId, String)>>>);

impl Panics {
    /// From now on panics are kept and not printed.
    pub fn watch() -> Self {
        let last: Arc<Mutex<Vec<(ThreadId, String)>>> = Arc::default();
        let kept = last.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let words = panic.payload();
            let text = words.downcast_ref::<String>().map(String::as_str).or(words.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("a panic without words");
            let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
            let (thread, text) = (thread::current().id(), format!("{text}{place}"));
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.retain(|(other, _)| *other != thread);
            kept.push((thread, text));
        }));
        Self(last)
    }

    /// Does something; if it panics, gives the panic's words and its place.
    pub fn catch<T>(&self, what: impl FnOnce() -> T) -> Result<T, String> {
        catch_unwind(AssertUnwindSafe(what)).map_err(|_| {
            let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let own = thread::current().id();
            let text = last.iter().rev().find(|(thread, _)| *thread == own).map(|(_, text)| text.clone());
            text.unwrap_or_else(|| "a panic without words".into())
        })
    }
}
