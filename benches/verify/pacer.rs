//! A thread that says when calls are due. Tokio's timers know whole milliseconds, in which a server answers dozens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::sync::mpsc::UnboundedSender;

use crate::{clock, wire::Tick};

/// Runs until it is stopped.
#[derive(Debug)]
pub(crate) struct Pacer(Arc<AtomicBool>);

const STEP: Duration = Duration::from_micros(200);

impl Pacer {
    /// `rate` calls a second, for one connection after the other.
    pub(crate) fn start(connections: Vec<UnboundedSender<Tick>>, rate: f64) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let pacer = Self(stopped.clone());
        thread::spawn(move || {
            let start = clock::now();
            let (mut due, mut told) = (start, 0.0);
            for connection in connections.iter().cycle() {
                due += STEP;
                thread::sleep(due.saturating_duration_since(clock::now()));
                let owed = ((due - start).as_secs_f64() * rate - told).floor();
                told += owed;
                let calls = owed as u32;
                if stopped.load(Relaxed) || connection.send((due, calls)).is_err() {
                    return;
                }
            }
        });
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
