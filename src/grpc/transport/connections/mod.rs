//! The open connections of a listener: how many there may be, and which ones are cut off.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicUsize},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::schedule::Schedule;

use super::activity::Activity;

/// All open connections of one listener.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    unread_in_all: Arc<AtomicUsize>,
    open: Mutex<Table>,
}

/// By number, so that the oldest comes first.
#[derive(Debug, Default)]
struct Table {
    next: u64,
    rows: BTreeMap<u64, Row>,
    /// How many connections are spare.
    spare: usize,
    /// How many were cut off or refused for lack of room since the last log line.
    refused: usize,
    /// Ticks until the next log line may be written.
    silent: u32,
}

#[derive(Debug)]
struct Row {
    activity: Arc<Activity>,
    /// As of the last tick.
    begun: u64,
    written: u64,
    taken: u64,
    /// For how many ticks it had no open call and wrote next to nothing.
    idle: u32,
    /// For how many ticks it began no call and read nothing of what is unread.
    stalled: u32,
    /// For how many ticks it had no open call and nothing unread, since the listener stops.
    free: u32,
}

/// How many connections there may be beyond `most`, for health checks; other calls on them get an error that says so.
const SPARE: usize = 16;

const TICK: Duration = Duration::from_secs(1);
/// How many ticks a client may read nothing of what is unread.
const STALLED: u32 = 30;
/// How many bytes a tick an idle connection writes: pings, and the GOAWAY when the listener stops.
const NEXT_TO_NOTHING: u64 = 64;
/// How many ticks an authenticated client keeps an idle connection when room is needed.
const IDLE: u32 = 120;
/// How many ticks a connection without a call has to close by itself when the listener stops.
const PARTING: u32 = 5;
/// Ticks between two log lines about the limit.
const LOG_EVERY: u32 = 60;

impl Connections {
    /// Two listeners with a limit each, and one common limit on unread bytes.
    pub fn of_two(most: [usize; 2]) -> [Self; 2] {
        let unread_in_all = Arc::default();
        most.map(|most| {
            let shared = Shared { most, unread_in_all: Arc::clone(&unread_in_all), open: Mutex::default() };
            Self(Arc::new(shared))
        })
    }

    /// A new connection, unless there is no room for it. A less useful one may be cut off to make room.
    pub(in crate::grpc) fn admit(&self) -> Option<Admitted> {
        let mut table = self.table();
        if table.ordinary() >= self.0.most {
            table.refused += 1;
            if table.silent == 0 {
                self.log(&mut table);
            }
            table.make_room(self.0.most + SPARE);
        }
        if table.rows.len() >= self.0.most + SPARE {
            return None;
        }
        let spare = table.ordinary() >= self.0.most;
        table.spare += usize::from(spare);
        let activity = Arc::new(Activity::new(Arc::clone(&self.0.unread_in_all), spare));
        let number = table.next;
        table.next += 1;
        table.rows.insert(number, Row::new(Arc::clone(&activity)));
        Some(Admitted { activity, number, connections: self.clone() })
    }

    /// Whether a connection is no longer spare, or need not be any more.
    pub(in crate::grpc) fn has_room_for(&self, activity: &Activity) -> bool {
        let mut table = self.table();
        if activity.is_spare() && table.ordinary() < self.0.most {
            table.count_as_ordinary(activity);
        }
        !activity.is_spare()
    }

    /// Cuts off connections that hold up others, until it is dropped.
    pub(in crate::grpc) async fn watch<T>(&self, stop: CancellationToken) -> T {
        let mut schedule = Schedule::every(TICK);
        loop {
            schedule.next().await;
            let mut table = self.table();
            table.tick(stop.is_cancelled());
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
            "connection limit reached: idle connections are closed, or new ones refused; raise the limit with `ulimit -n`"
        );
        table.silent = LOG_EVERY;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.open.lock().expect("no holder of the lock panics")
    }
}

impl Table {
    /// How many are not spare.
    fn ordinary(&self) -> usize {
        self.rows.len() - self.spare
    }

    /// Cuts off the oldest connection that is not authenticated, else the one that has been idle for longest. A first call that is
    /// under way may still authenticate its connection, so such a connection comes after those. Spare ones stay as long as there
    /// are fewer than `all`.
    fn make_room(&mut self, all: usize) {
        let stranger = |row: &Row| !row.activity.is_authenticated();
        let oldest = |useful: &dyn Fn(&Row) -> bool| {
            self.rows.iter().find(|(_, row)| stranger(row) && !useful(row)).map(|(number, _)| *number)
        };
        let idle = || {
            let idle = self.rows.iter().filter(|(_, row)| row.idle >= IDLE && !row.activity.has_calls());
            idle.max_by_key(|(_, row)| row.idle).map(|(number, _)| *number)
        };
        let number = oldest(&|row| row.activity.is_spare() || row.activity.has_calls())
            .or_else(idle)
            .or_else(|| oldest(&|row| row.activity.is_spare()))
            .or_else(|| if self.rows.len() < all { None } else { oldest(&|_| false) });
        if let Some(row) = number.and_then(|number| self.remove(number)) {
            row.activity.cut_off();
        }
    }

    fn remove(&mut self, number: u64) -> Option<Row> {
        let row = self.rows.remove(&number)?;
        if row.activity.is_spare() {
            self.count_as_ordinary(&row.activity);
        }
        Some(row)
    }

    /// A spare connection is spare no more.
    fn count_as_ordinary(&mut self, activity: &Activity) {
        activity.count_as_ordinary();
        self.spare -= 1;
    }

    fn tick(&mut self, stopping: bool) {
        for row in self.rows.values_mut() {
            row.tick();
            let overdue = stopping && row.is_overdue();
            if overdue || row.stalled >= STALLED {
                row.activity.cut_off();
            }
        }
    }
}

impl Row {
    fn new(activity: Arc<Activity>) -> Self {
        Self { activity, begun: 0, written: 0, taken: 0, idle: 0, stalled: 0, free: 0 }
    }

    /// Whether it had enough time to close by itself, whatever it wrote and began meanwhile. Counts ticks: call it once in each.
    fn is_overdue(&mut self) -> bool {
        let free = !self.activity.has_calls() && self.activity.unread() == 0;
        self.free += u32::from(free);
        free && self.free > PARTING
    }

    fn tick(&mut self) {
        let (begun, written, taken) = (self.activity.begun(), self.activity.written(), self.activity.taken());
        let quiet = begun == self.begun;
        let idle = quiet && written - self.written <= NEXT_TO_NOTHING && !self.activity.has_calls();
        self.idle = if idle { self.idle + 1 } else { 0 };
        let reads = taken != self.taken || self.activity.take_progress();
        let stalled = quiet && !reads && self.activity.unread() > 0;
        self.stalled = if stalled { self.stalled + 1 } else { 0 };
        (self.begun, self.written, self.taken) = (begun, written, taken);
        self.activity.resume();
    }
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub(in crate::grpc) struct Admitted {
    pub(in crate::grpc) activity: Arc<Activity>,
    number: u64,
    connections: Connections,
}

impl Admitted {
    pub(in crate::grpc) fn connections(&self) -> Connections {
        self.connections.clone()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.table().remove(self.number);
    }
}

#[cfg(test)]
mod tests;
