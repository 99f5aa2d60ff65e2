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
    /// How many of them are spare.
    spare: usize,
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
    /// For how many ticks it had no call open and nothing waited for it, since the listener closes.
    free: u32,
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
const PARTING: u32 = 5;
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
        let activity = Arc::new(Activity::new(Arc::clone(&self.0.waiting_in_all), spare));
        let number = table.next;
        table.next += 1;
        table.rows.insert(number, Row::new(Arc::clone(&activity)));
        Some(Admitted { activity, number, connections: self.clone() })
    }

    /// Whether a spare connection is one of the others by now.
    pub(in crate::grpc) fn has_room_for(&self, activity: &Activity) -> bool {
        let mut table = self.table();
        if activity.is_spare() && table.ordinary() < self.0.most {
            table.count_as_others(activity);
        }
        !activity.is_spare()
    }

    /// Ends connections that only hold up others, until it is dropped.
    pub(in crate::grpc) async fn watch<T>(&self, closing: Closing) -> T {
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
            "connection limit reached: idle connections are ended, or new ones refused; `ulimit -n` sets the limit"
        );
        table.silent = LOG_EVERY;
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.open.lock().expect("nothing panics with it")
    }
}

impl Table {
    /// How many are not spare.
    fn ordinary(&self) -> usize {
        self.rows.len() - self.spare
    }

    /// Ends the oldest connection that no caller was let in on, else the one that is idle for longest. A first call
    /// that is under way may still let its caller in, so its connection comes after those. Spare connections stay as
    /// long as there are fewer than `all`.
    fn make_room(&mut self, all: usize) {
        let strange = |row: &Row| !row.activity.was_let_in();
        let oldest = |of_use: &dyn Fn(&Row) -> bool| {
            self.rows.iter().find(|(_, row)| strange(row) && !of_use(row)).map(|(number, _)| *number)
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
            self.count_as_others(&row.activity);
        }
        Some(row)
    }

    /// A spare connection is spare no more.
    fn count_as_others(&mut self, activity: &Activity) {
        activity.count_as_others();
        self.spare -= 1;
    }

    fn tick(&mut self, closing: bool) {
        for row in self.rows.values_mut() {
            row.tick();
            let parted = closing && row.parts();
            if parted || row.stalled >= STALLED {
                row.activity.cut_off();
            }
        }
    }
}

impl Row {
    fn new(activity: Arc<Activity>) -> Self {
        Self { activity, begun: 0, written: 0, taken: 0, idle: 0, stalled: 0, free: 0 }
    }

    /// Whether it had time to end, whatever it wrote and began meanwhile: to be asked each tick.
    fn parts(&mut self) -> bool {
        let free = !self.activity.has_calls() && self.activity.waiting() == 0;
        self.free += u32::from(free);
        free && self.free > PARTING
    }

    fn tick(&mut self) {
        let (begun, written, taken) = (self.activity.begun(), self.activity.written(), self.activity.taken());
        let quiet = begun == self.begun;
        let idle = quiet && written - self.written <= NEXT_TO_NOTHING && !self.activity.has_calls();
        self.idle = if idle { self.idle + 1 } else { 0 };
        let reads = taken != self.taken || self.activity.went_on();
        let stalled = quiet && !reads && self.activity.waiting() > 0;
        self.stalled = if stalled { self.stalled + 1 } else { 0 };
        (self.begun, self.written, self.taken) = (begun, written, taken);
        self.activity.resume();
    }
}

/// An open connection's place among the others, until it is dropped.
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
