//! The time until all of three busy replicas deny a key that one of them revoked.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use proto::Code;
use tokio::{sync::Notify, time::timeout};

use crate::{
    Fallible,
    admin::PROJECT,
    clock,
    database::Database,
    fixture::{self, Fixture},
    load::{Load, Width},
    numbers::{Spread, quantile},
    pacer::Pace,
    plan::{FEW, Plan, WIDE},
    report::{Promise, Report, Row},
    requests::{Form, Requests},
    server::Server,
    wire::{Connection, Probe},
};

/// Calls per second on each replica: together about a third of the capacity of two processors.
const LOAD: Pace = Pace::even(8_000.0);

/// So that three replicas leave connections for others.
const CONNECTIONS: &str = "8";

/// So that the first reads of the busy keys do not occupy the database.
const NARROW: Width = Width { connections: 1, in_flight: 8 };

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn rows(plan: &Plan, report: &mut Report) -> Fallible<()> {
    let database = match Database::postgres(&plan.postgres).await {
        Ok(database) => database,
        Err(error) => {
            eprintln!("the rows of revocation are skipped: {error}");
            return Ok(());
        }
    };
    let settings = [("KEYSTILE_DATABASE_MAX_CONNECTIONS", CONNECTIONS.to_owned())];
    let fixture = Fixture::new(database, FEW + plan.revocations, &settings).await?;
    let second = fixture::on(&fixture.database, &settings)?;
    let third = fixture::on(&fixture.database, &settings)?;
    let replicas = [&fixture.server, &second, &third];

    let background = fixture.keys.shuffled(0, FEW);
    let background = Requests::new(background, Form::Verify, Code::Valid);
    let mut loads = Vec::new();
    for replica in replicas {
        Load::open(replica, "Verify", &background, NARROW, true).await?.exhaust(replica).await?;
        loads.push(Load::open(replica, "Verify", &background, WIDE, false).await?);
    }
    let over = [(); 3].map(|()| Notify::new());
    let [first, second, third] = &mut loads[..] else {
        unreachable!("there are three replicas");
    };
    let loads = async {
        tokio::try_join!(
            first.pace(replicas[0], LOAD, plan.warm_up, over[0].notified()),
            second.pace(replicas[1], LOAD, plan.warm_up, over[1].notified()),
            third.pace(replicas[2], LOAD, plan.warm_up, over[2].notified()),
        )
    };
    let revocations = async {
        tokio::time::sleep(plan.warm_up * 2).await;
        let delays = revoke_all(plan, &fixture, replicas).await;
        over.iter().for_each(Notify::notify_one);
        delays
    };
    let (loads, delays) = tokio::join!(loads, revocations);
    let (background, mut delays) = (loads?, delays?);
    delays.sort_unstable();
    let millis = |share| Spread::of([quantile(&delays, share) / 1e6]);
    report.add(Row::value("revocation, 3 replicas, p50", "ms", millis(0.5)));
    let row = Row::value("revocation, 3 replicas, p99", "ms", millis(0.99));
    report.add(row.promising(Promise::AtMost(25.0)));
    report.add(Row::value("revocation, 3 replicas, slowest", "ms", millis(1.0)));
    let (first, second, third) = background;
    let rates = Spread::of([first, second, third].map(|it| it.rate));
    report.add(Row::value("… each busy with", "/s", rates));
    Ok(())
}

/// From the response of each revocation to the last replica's denial, in nanoseconds.
async fn revoke_all(plan: &Plan, fixture: &Fixture, replicas: [&Server; 3]) -> Fallible<Vec<u64>> {
    let mut probes = Vec::new();
    for replica in replicas {
        probes.push(Probe::new(Connection::open(&replica.target("Verify")).await?));
    }
    let mut delays = Vec::new();
    for number in FEW..FEW + plan.revocations {
        let api_key = fixture.keys.api_key(number);
        let request = Requests::new([&api_key], Form::Verify, Code::Valid);
        let name = format!("{PROJECT}/keys/{}", fixture.keys.id(number));
        let [first, second, third] = &mut probes[..] else {
            unreachable!("there are three replicas");
        };
        let known = Cell::new(0);
        let all_know = Notify::new();
        let revoke = async {
            all_know.notified().await;
            fixture.admin.revoke(name).await?;
            Fallible::Ok(clock::now())
        };
        let denied = async |probe, replica: &Server| {
            let denied = until_denied(probe, &request, &known, &all_know).await;
            denied.map_err(|error| replica.explain(error))
        };
        let all = async {
            tokio::try_join!(
                revoke,
                denied(first, replicas[0]),
                denied(second, replicas[1]),
                denied(third, replicas[2])
            )
        };
        let (answered, first, second, third) = timeout(PATIENCE, all).await??;
        let last = first.max(second).max(third);
        let delay = last.saturating_duration_since(answered);
        delays.push(u64::try_from(delay.as_nanos())?);
    }
    Ok(delays)
}

/// Verifies in a loop; signals once the key is valid, and returns when it no longer is.
async fn until_denied(
    probe: &mut Probe,
    request: &Requests,
    known: &Cell<u32>,
    all_know: &Notify,
) -> Fallible<Instant> {
    const VALID: u64 = 1;
    const REVOKED: u64 = 4;
    let mut valid = false;
    loop {
        match probe.ask(request.first()).await? {
            VALID if !valid => {
                valid = true;
                known.set(known.get() + 1);
                if known.get() == 3 {
                    all_know.notify_one();
                }
            }
            VALID => {}
            REVOKED => return Ok(clock::now()),
            code => return Err(format!("a probe was answered with code {code}").into()),
        }
    }
}
