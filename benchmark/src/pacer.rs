//! Announces to connections when calls are due.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::mpsc::UnboundedSender, time::interval};

use crate::{clock, wire::Tick};

/// A rate of calls, and the interval at which due calls are announced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    rate: f64,
    step: Duration,
}

/// Runs until it is stopped.
#[derive(Debug)]
pub(crate) struct Pacer(Arc<AtomicBool>);

/// The resolution of tokio's timers.
const TIMER: Duration = Duration::from_millis(1);

impl Pace {
    /// Calls as evenly spaced as possible: a server answers dozens in a millisecond. Needs a thread that sleeps and wakes.
    pub(crate) const fn even(rate: f64) -> Self {
        Self { rate, step: Duration::from_micros(200) }
    }

    /// All calls of a millisecond at once.
    pub(crate) const fn in_bursts(rate: f64) -> Self {
        Self { rate, step: TIMER }
    }
}

impl Pacer {
    /// Announces due calls to the connections in turn.
    pub(crate) fn start(connections: Vec<UnboundedSender<Tick>>, pace: Pace) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut ticks = Ticks { connections, pace, start: clock::now(), number: 0, announced: 0.0 };
        let pacer = Self(stopped.clone());
        if pace.step < TIMER {
            thread::spawn(move || {
                while !stopped.load(Relaxed) {
                    thread::sleep(ticks.due().saturating_duration_since(clock::now()));
                    if !ticks.announce() {
                        return;
                    }
                }
            });
        } else {
            tokio::spawn(async move {
                let mut steps = interval(pace.step);
                while !stopped.load(Relaxed) {
                    steps.tick().await;
                    if !ticks.announce() {
                        return;
                    }
                }
            });
        }
        pacer
    }

    pub(crate) fn stop(&self) {
        self.0.store(true, Relaxed);
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Ticks {
    connections: Vec<UnboundedSender<Tick>>,
    pace: Pace,
    start: Instant,
    number: u32,
    announced: f64,
}

impl Ticks {
    fn due(&self) -> Instant {
        self.start + self.pace.step * (self.number + 1)
    }

    /// Announces the calls that are due to the next connection; `false` once it has ended.
    fn announce(&mut self) -> bool {
        let due = self.due();
        let owed = ((due - self.start).as_secs_f64() * self.pace.rate - self.announced).floor();
        self.announced += owed;
        let connection = &self.connections[self.number as usize % self.connections.len()];
        self.number += 1;
        connection.send((due, owed as u32)).is_ok()
    }
}
