//! A million keys: each for the first time, their memory, and then at random.

use proto::Code;

use crate::{
    Fallible,
    database::Database,
    fixture::Fixture,
    load::Load,
    numbers::{Spread, float},
    plan::{Plan, WIDE},
    report::{Promise, Report, Row},
    requests::{Form, Requests},
    server::Server,
};

use super::{access, pairs::Pair};

/// A capacity for all of them, but not for many more, because the cache sizes its frequency sketch by its capacity.
const CAPACITY_MIB: &str = "1024";

const PARTS: u64 = 4;

pub(super) async fn rows(plan: &Plan, report: &mut Report) -> Fallible<()> {
    let settings = [("KEYSTILE_CACHE_CAPACITY", CAPACITY_MIB.to_owned())];
    let count = plan.many;
    let fixture = Fixture::holding(Database::sqlite()?, count, &settings, &[access::ROLE]).await?;
    let server = &fixture.server;
    let requests = |start, count| {
        let api_keys = fixture.keys.shuffled(start, count);
        Requests::new(api_keys, Form::Verify, Code::Valid)
    };
    let (mut rounds, mut sizes) = (Vec::new(), Vec::new());
    let share = count / PARTS;
    for part in 0..PARTS {
        rounds.push(exhaust(server, &requests(part * share, share)).await?);
        sizes.push(float(server.memory()));
    }
    report.add(Row::rates("cold, each key once (SQLite)", &rounds, &[]));
    // Measure the second half only: the database's caches, pending last uses and the allocator's first
    // allocation belong to no key.
    let each = Spread::of([(sizes[3] - sizes[1]) / float(2 * share)]);
    let row =
        Row::value(format!("memory, {} cached keys of one role", thousands(count)), "bytes a key", each);
    report.add(row.promising(Promise::AtMost(600.0)));
    let bare = Server::bare(&fixture.answer)?;
    let pair = Pair { plan, ours: server, bare: &bare };
    let name = format!("unary, {} keys", thousands(count));
    report.add(pair.calls(name, &requests(0, count), WIDE).await?);
    if plan.has("access") {
        access::change_of_role(plan, &fixture, &requests(0, count), report).await?;
    }
    Ok(())
}

async fn exhaust(server: &Server, requests: &Requests) -> Fallible<crate::load::Measured> {
    let mut load = Load::open(server, "Verify", requests, WIDE, true).await?;
    load.exhaust(server).await
}

fn thousands(count: u64) -> String {
    match count {
        1_000_000 => "1 million".to_owned(),
        _ => format!("{} thousand", count / 1000),
    }
}
