//! The task of the daemon: looks, asks, writes, sleeps until something is due.

use std::time::{Duration, Instant};

use stockroom_core::input::Event;
use stockroom_crdt::scope::Scope;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Desk;
use crate::courier::job::DeliveryId;
use crate::daemon::clock::wall_ms;

/// What the task waits for.
enum Woken {
    Changed,
    Unconcerned,
    Closed,
}

impl Desk {
    /// Works until `stop` says so, then waits for calls under way and writes everything down.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut events = self.shared.handle.events();
        let mut calls = JoinSet::new();
        let mut saved = Instant::now();
        let mut woken = Woken::Changed;
        while !*stop.borrow() {
            if matches!(woken, Woken::Changed) {
                self.turn(wall_ms(), &mut calls).await;
            }
            // A second of reports is what a crash may lose, and is asked for again.
            if saved.elapsed() >= SAVE_AFTER {
                self.save_off_thread().await;
                saved = Instant::now();
            }
            let pause = self.pause();
            woken = tokio::select! {
                event = events.recv() => match event.map(|event| event.event) {
                    Ok(Event::Entry { scope: Scope::StoreOrders(_), .. }) | Err(RecvError::Lagged(_)) => Woken::Changed,
                    Ok(_) => Woken::Unconcerned,
                    Err(RecvError::Closed) => Woken::Closed,
                },
                Some(_) = calls.join_next() => Woken::Changed,
                () = self.shared.wake.notified() => Woken::Changed,
                () = tokio::time::sleep(pause) => Woken::Changed,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            if matches!(woken, Woken::Closed) {
                // The core has ended, and the node is about to stop.
                let _ = stop.wait_for(|stop| *stop).await;
            }
        }
        let settled = async { while calls.join_next().await.is_some() {} };
        // What is not answered by then is asked again after the next start.
        let _ = tokio::time::timeout(STOP_AFTER, settled).await;
        self.save_off_thread().await;
    }

    /// Looks at what is new, begins the calls that are due, and writes what can be written.
    pub async fn turn(&self, now_ms: u64, calls: &mut JoinSet<()>) {
        let desk = self.clone();
        match tokio::task::spawn_blocking(move || desk.look(now_ms)).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the delivery desk cannot read the orders"),
        }
        self.call(now_ms, calls);
        self.write_all(now_ms).await;
    }

    /// Writes the file off the threads that serve requests.
    pub async fn save_off_thread(&self) {
        let desk = self.clone();
        // A task that cannot be started is a node that stops.
        let _ = tokio::task::spawn_blocking(move || desk.save()).await;
    }

    fn call(&self, now_ms: u64, calls: &mut JoinSet<()>) {
        let tasks = {
            let mut inner = self.inner();
            let (tasks, told) = inner.dispatcher.tasks(now_ms);
            inner.changed |= !tasks.is_empty();
            self.hear(&mut inner, &told, None, now_ms);
            tasks
        };
        for task in tasks {
            let (desk, places) = (self.clone(), self.shared.calls.clone());
            calls.spawn(async move {
                // The semaphore is never closed.
                let Ok(_place) = places.acquire_owned().await else { return };
                let called = tokio::task::spawn_blocking(move || {
                    let done = task.run(&|id: &DeliveryId| desk.contact(id), now_ms);
                    let mut inner = desk.inner();
                    let events = inner.dispatcher.on_done(&task, done, now_ms);
                    inner.changed = true;
                    desk.hear(&mut inner, &events, None, now_ms);
                });
                // A call that panicked is asked again after a restart.
                let _ = called.await;
            });
        }
    }

    fn pause(&self) -> Duration {
        let inner = self.inner();
        let again = inner.again.values().min().copied();
        let due = inner.dispatcher.next_due_ms().into_iter().chain(again).min();
        let pause = due.map_or(PAUSE, |at_ms| Duration::from_millis(at_ms.saturating_sub(wall_ms())));
        let longest = if inner.changed || !inner.touched.is_empty() { SAVE_AFTER } else { PAUSE };
        pause.clamp(PAUSE_LEAST, longest)
    }
}

/// How long the task sleeps at most: the clock may be set while it does.
const PAUSE: Duration = Duration::from_secs(60);

/// How long it sleeps at least, so that what cannot be done now does not make it spin.
const PAUSE_LEAST: Duration = Duration::from_millis(50);

/// How often the file is written at most.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// How long a stop waits for calls under way.
const STOP_AFTER: Duration = Duration::from_secs(3);
