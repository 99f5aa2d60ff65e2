//! The open connections of a listener: how many there may be, and which of them are ended from outside.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicUsize},
    time::Duration,
};

use tokio::time::{MissedTickBehavior, interval};

use super::{activity::Activity, closing::Closing};

/// All that are open on one listener.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    waiting_in_all: Arc<AtomicUsize>,
    open: Mutex<Table>,
}

/// By number: the oldest comes first.
#[derive(Debug, Default)]
struct Table {
    next: u64,
    rows: BTreeMap<u64, Row>,
    /// How many were ended or refused for want of room since that was last logged.
    refused: usize,
    /// Ticks until it is logged again.
    silent: u32,
}

#[derive(Debug)]
struct Row {
    activity: Arc<Activity>,
    /// As of the last tick.
    begun: u64,
    written: u64,
    taken: u64,
    /// For how many ticks it had no call open and next to nothing was written.
    idle: u32,
    /// For how many ticks it began no call, and took nothing of what waits for it.
    stalled: u32,
}

/// How many more there may be than `most`, for health checks: others get an error that says so.
const SPARE: usize = 16;

const TICK: Duration = Duration::from_secs(1);
/// How many ticks a client may leave what waits for it unread.
const STALLED: u32 = 30;
/// How many bytes a tick are written all the same: pings, and the word that the listener closes.
const NEXT_TO_NOTHING: u64 = 64;
/// How many ticks an authenticated client keeps an idle connection, once there is want of room.
const IDLE: u32 = 120;
/// How many ticks a connection without a call may take to end by itself when the listener closes.
const PARTING: u32 = 2;
/// How many ticks apart refusals are logged.
const LOG_EVERY: u32 = 60;

impl Connections {
    /// Two listeners with a cap each, and one bound on all that waits for their clients.
    pub fn of_two(most: [usize; 2]) -> [Self; 2] {
        let waiting_in_all = Arc::default();
        most.map(|most| {
            let shared = Shared { most, waiting_in_all: Arc::clone(&waiting_in_all), open: Mutex::default() };
            Self(Arc::new(shared))
        })
    }

    /// A new connection, unless there is no room for it. One that is of less use may end to make room.
    pub(super) fn admit(&self) -> Option<Admitted> {
        let mut table = self.table();
        if table.rows.len() >= self.0.most {
            table.refused += 1;
            if table.silent == 0 {
                self.log(&mut table);
            }
            table.make_room();
        }
        let open = table.rows.len();
        if open >= self.0.most + SPARE {
            return None;
        }
        let spare = open >= self.0.most;
        let activity = Arc::new(Activity::new(Arc::clone(&self.0.waiting_in_all), spare));
        let number = table.next;
        table.next += 1;
        let row =
            Row { activity: Arc::clone(&activity), begun: 0, written: 0, taken: 0, idle: 0, stalled: 0 };
        table.rows.insert(number, row);
        Some(Admitted { activity, number, connections: self.clone() })
    }

    /// Whether a spare connection is one of the others by now.
    pub(super) fn has_room_for(&self, activity: &Activity) -> bool {
        let room = self.table().rows.len() <= self.0.most;
        if room {
            activity.count_as_others();
        }
        room
    }

    /// Ends connections that only hold up others, until it is dropped.
    pub(super) async fn watch<T>(&self, closing: Closing) -> T {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let mut table = self.table();
            table.tick(closing.is_told());
            table.silent = table.silent.saturating_sub(1);
            if table.silent == 0 && table.refused > 0 {
                self.log(&mut table);
            }
        }
    }

    fn log(&self, table: &mut Table) {
        tracing::warn!(
            connections.most = self.0.most,
            connections.refused = std::mem::take(&mut table.refused),
            "as many connections as may be open: idle ones are ended, or new ones refused; `ulimit -n` sets how many"
        );
        table.silent = LOG_EVERY;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.open.lock().expect("nothing panics with it")
    }
}

impl Table {
    /// Ends the oldest connection that no caller was let in on, else the one that is idle for longest.
    fn make_room(&mut self) {
        let strange = self.rows.iter().find(|(_, row)| !row.activity.was_let_in());
        let idle = || {
            let idle = self.rows.iter().filter(|(_, row)| row.idle >= IDLE && !row.activity.has_calls());
            idle.max_by_key(|(_, row)| row.idle)
        };
        if let Some(number) = strange.or_else(idle).map(|(number, _)| *number)
            && let Some(row) = self.rows.remove(&number)
        {
            row.activity.cut_off();
        }
    }

    fn tick(&mut self, closing: bool) {
        for row in self.rows.values_mut() {
            row.tick();
            let parted = closing && row.idle >= PARTING && row.activity.waiting() == 0;
            if parted || row.stalled >= STALLED {
                row.activity.cut_off();
            }
        }
    }
}

impl Row {
    fn tick(&mut self) {
        let (begun, written, taken) = (self.activity.begun(), self.activity.written(), self.activity.taken());
        let quiet = begun == self.begun;
        let idle = quiet && written - self.written <= NEXT_TO_NOTHING && !self.activity.has_calls();
        self.idle = if idle { self.idle + 1 } else { 0 };
        let stalled = quiet && taken == self.taken && self.activity.waiting() > 0;
        self.stalled = if stalled { self.stalled + 1 } else { 0 };
        (self.begun, self.written, self.taken) = (begun, written, taken);
        self.activity.resume();
    }
}

/// An open connection's place among the others, until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) activity: Arc<Activity>,
    number: u64,
    connections: Connections,
}

impl Admitted {
    pub(super) fn connections(&self) -> Connections {
        self.connections.clone()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.table().rows.remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
