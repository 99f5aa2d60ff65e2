//! Opening the store: how its connections are divided.

use std::{sync::Arc, time::Duration};

use sea_orm::Statement;

use crate::ports::StoreError;

use super::{
    SqlStore,
    cancel::Canceller,
    load::Queries,
    options::Options,
    pools::{Target, Use},
    queue::Queue,
    reads::Reads,
    shares::Shares,
    transaction::Observer,
    turns::Turns,
};

impl SqlStore {
    /// Connects; fails at once when the database cannot be reached.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let shares = Shares::of(options.max_connections);
        let target = Target::reach(&options).await?;
        let patience = options.acquire_timeout;
        let longest = options.slowest_read;
        let canceller = Arc::new(Canceller(target.pool(&Use::of(1), &options)));
        let reads = |queue: fn(u32, &'static str, Duration) -> Queue, what, connections: u32, slowest| {
            let queues =
                [queue(connections, what, patience), queue((connections - 1).max(1), what, patience)];
            let (target, options) = (target.clone(), options.clone());
            let connect = move || target.read_connection(slowest, &options);
            // A connection comes first, and the database says itself that it takes too long.
            let patience = patience + longest;
            Reads::new(queues, connections, canceller.clone(), slowest, patience, connect)
        };
        let db = target.pool(&Use::of(shares.write), &options);
        Ok(Self {
            verify: reads(Queue::unbounded, "verifications", shares.verify, None),
            admin: reads(Queue::bounded, "reads of admins", shares.read, Some(longest)),
            turns: Turns::new(&target, shares.turns(), patience),
            loads: Queries::new(db.get_database_backend()),
            db,
            observer: None,
            options,
        })
    }

    /// Shows every statement to `observer` once it ran, parameters included: for counting, not for logs.
    pub fn observe(&mut self, observer: impl Fn(&Statement) + Send + Sync + 'static) {
        let observer: Observer = Arc::new(observer);
        self.observer = Some(Arc::clone(&observer));
        self.verify.observe(&observer);
        self.admin.observe(&observer);
        self.db.set_metric_callback(move |info| observer(info.statement));
    }

    /// Lets every connection finish what it does, and closes it.
    pub async fn close(&self) {
        self.verify.close().await;
        self.admin.close().await;
        // Closing a pool has no way to fail.
        let _ = self.db.close_by_ref().await;
    }
}
