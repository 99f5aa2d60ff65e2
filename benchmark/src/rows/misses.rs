//! A thousand concurrent verifications of one uncached key: how many queries they make.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use domain::token::{ApiKey, Token};
use keystile::{
    app::World,
    cache::{Cache, Limits},
    grpc,
    ports::Credentials,
    store::{Location, Options, SqlStore},
};
use tokio::{runtime::Builder, sync::Barrier, task::JoinSet};

use crate::{
    Fallible,
    fixture::Fixture,
    numbers::{Spread, float},
    report::{Promise, Report, Row},
};

const ASKERS: usize = 1000;

/// How many keys, one after the other.
const TIMES: u64 = 10;

pub(super) async fn rows(report: &mut Report) -> Fallible<()> {
    let fixture = Fixture::on_sqlite(TIMES).await?;
    let file = fixture.database.url.trim_start_matches("sqlite://");
    let options = Options {
        location: Location::Sqlite(file.into()),
        max_connections: 16,
        acquire_timeout: Duration::from_secs(5),
        slowest_read: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(5),
        vanished_after: Duration::from_secs(60),
    };
    let api_keys: Vec<_> = (0..TIMES).map(|it| fixture.keys.api_key(it)).collect();
    // Within this process, to count queries, and on several threads, to be truly concurrent.
    let counts = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let counted = runtime.block_on(count(options, api_keys));
        counted.map_err(|error| std::io::Error::other(error.to_string()))
    })
    .await??;
    let row = Row::value(
        "1,000 concurrent misses of one key",
        "queries",
        Spread::of(counts.into_iter().map(float)),
    );
    report.add(row.promising(Promise::AtMost(1.0)));
    Ok(())
}

/// For each of `api_keys`, the number of queries for all of its verifications.
async fn count(options: Options, api_keys: Vec<String>) -> Fallible<Vec<u64>> {
    let queries = Arc::new(AtomicU64::new(0));
    let mut store = SqlStore::open(options).await?;
    let counter = queries.clone();
    store.observe(move |_| {
        counter.fetch_add(1, Relaxed);
    });
    let limits = Limits {
        capacity: 1 << 28,
        time_to_live: Duration::from_secs(600),
        unknown: 1000,
        reads: 4,
        max_staleness: Duration::from_secs(600),
        fail_open: false,
    };
    let World { clock, random } = World::system();
    let cache = Cache::new(Arc::new(store), clock, &*random, limits, Arc::new(grpc::KeyPartEncoder)).await?;
    let cache = Arc::new(cache);
    let mut counts = Vec::new();
    for api_key in api_keys {
        let id = Token::parse(&ApiKey::new(api_key))?.id;
        let before = queries.load(Relaxed);
        let barrier = Arc::new(Barrier::new(ASKERS));
        let mut askers = JoinSet::new();
        for _ in 0..ASKERS {
            let (cache, barrier) = (cache.clone(), barrier.clone());
            askers.spawn(async move {
                barrier.wait().await;
                cache.read(id).await.is_ok_and(|it| it.key.is_some())
            });
        }
        if !askers.join_all().await.into_iter().all(|found| found) {
            return Err("a key was not found".into());
        }
        counts.push(queries.load(Relaxed) - before);
    }
    Ok(counts)
}
