//! Waiting with a bound and a reason, and ending early when somebody presses Ctrl-C.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::DemoError;

/// What a wait saw instead of what it waits for.
#[derive(Debug)]
pub enum Seen {
    /// It may still come.
    NotYet(String),
    /// It cannot come any more.
    Never(DemoError),
}

impl From<String> for Seen {
    fn from(seen: String) -> Self {
        Self::NotYet(seen)
    }
}

impl From<DemoError> for Seen {
    fn from(error: DemoError) -> Self {
        Self::Never(error)
    }
}

/// Set once when the demo is to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<(Mutex<bool>, Condvar)>);

impl Interrupt {
    /// One that Ctrl-C and SIGTERM set. A second Ctrl-C ends the process at once; the nodes notice and stop.
    pub fn on_signals() -> std::io::Result<Self> {
        let interrupt = Self::default();
        let setting = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupts, mut terminates) = {
            let _entered = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let watch = move || {
            runtime.block_on(async {
                for _ in 0..2 {
                    tokio::select! {
                        _ = interrupts.recv() => {}
                        _ = terminates.recv() => {}
                    }
                    setting.set();
                }
                std::process::exit(EXIT_INTERRUPTED);
            });
        };
        std::thread::Builder::new().name("signals".into()).spawn(watch)?;
        Ok(interrupt)
    }

    /// Ends every wait.
    pub fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// True when the demo is to end.
    pub fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps; fails as soon as the demo is to end.
    pub fn sleep(&self, time: Duration) -> Result<(), DemoError> {
        let set = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(set, time, |set| !*set);
        let (set, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *set { Err(DemoError::Interrupted) } else { Ok(()) }
    }

    /// Sleeps until somebody presses Ctrl-C.
    pub fn wait(&self) {
        while self.sleep(Duration::from_secs(3_600)).is_ok() {}
    }

    /// Asks again and again until there is an answer. `ask` says what it saw instead; the last of it stands in the error.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut ask: impl FnMut() -> Result<T, Seen>,
    ) -> Result<T, DemoError> {
        let started = Instant::now();
        loop {
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(Seen::Never(error)) => return Err(error),
                Err(Seen::NotYet(seen)) if started.elapsed() >= limit => {
                    return Err(DemoError::Waited { what: what.into(), limit, seen });
                }
                Err(Seen::NotYet(_)) => self.sleep(ASK_AGAIN)?,
            }
        }
    }
}

/// Often enough for a person, and for a time that is told to a tenth of a second.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What shells say of a program that ended by Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_what_was_seen_last_and_at_once_when_interrupted() {
        let interrupt = Interrupt::default();
        let mut asked = 0;
        let error = interrupt.until::<()>("a fourth try", Duration::ZERO, || {
            asked += 1;
            Err(format!("try {asked}").into())
        });
        let text = error.unwrap_err().to_string();
        assert!(text.contains("a fourth try") && text.contains("try 1"), "{text}");
        interrupt.set();
        assert!(matches!(interrupt.sleep(Duration::from_secs(60)), Err(DemoError::Interrupted)));
    }
}
