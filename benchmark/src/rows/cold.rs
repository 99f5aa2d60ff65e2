//! The cost of a key that is not cached, with few keys in the database and with many.

use proto::Code;

use crate::{
    Fallible,
    database::Database,
    fixture::{self, Fixture},
    keys::Keys,
    load::{Load, Measured, Width},
    numbers::Spread,
    plan::{FEW, Plan},
    report::{Promise, Report, Row},
    requests::{Form, Requests},
};

/// How many keys are verified in a round.
const ASKED: u64 = 5_000;

/// Few at a time, so that the query dominates the time.
const NARROW: Width = Width { connections: 2, in_flight: 2 };

pub(super) async fn rows(plan: &Plan, report: &mut Report) -> Fallible<()> {
    let database = (Database::sqlite()?, Database::sqlite()?);
    row("SQLite", database, plan, report).await?;
    match Database::postgres(&plan.postgres).await {
        Ok(first) => {
            let second = Database::postgres(&plan.postgres).await?;
            row("PostgreSQL", (first, second), plan, report).await
        }
        Err(error) => {
            eprintln!("PostgreSQL's rows are skipped: {error}");
            Ok(())
        }
    }
}

async fn row(
    kind: &str,
    (small, large): (Database, Database),
    plan: &Plan,
    report: &mut Report,
) -> Fallible<()> {
    let small = stored(small, FEW).await?;
    let large = stored(large, plan.stored).await?;
    let (mut in_few, mut in_many) = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let round = u64::try_from(round)?;
        in_few.push(small.ask(round).await?);
        in_many.push(large.ask(round).await?);
    }
    let costs = |rounds: &[Measured]| -> Vec<f64> {
        let each = rounds.iter().map(|it| 1e6 / it.rate);
        each.collect()
    };
    let (few, many) = (costs(&in_few), costs(&in_many));
    let cpu = |rounds: &[Measured]| Spread::of(rounds.iter().map(|it| it.cpu));
    let ratios = many.iter().zip(&few).map(|(many, few)| many / few);
    report.add(Row {
        cpu: Some((cpu(&in_few), None)),
        ..Row::value(format!("cold, {FEW} keys stored ({kind})"), "µs", Spread::of(few.iter().copied()))
    });
    let row = Row {
        cpu: Some((cpu(&in_many), None)),
        ratio: Some(Spread::of(ratios)),
        ..Row::value(
            format!("cold, {} keys stored ({kind})", plan.stored),
            "µs",
            Spread::of(many.iter().copied()),
        )
    };
    report.add(row.promising(Promise::AtMost(1.3)));
    Ok(())
}

struct Stored {
    database: Database,
    keys: Keys,
    count: u64,
}

/// A database with this many keys, on which no server runs yet.
async fn stored(database: Database, count: u64) -> Fallible<Stored> {
    let fixture = Fixture::new(database, count, &[]).await?;
    Ok(Stored { database: fixture.database, keys: fixture.keys, count })
}

impl Stored {
    /// Verifies keys from the whole range on a new server.
    async fn ask(&self, round: u64) -> Fallible<Measured> {
        let api_keys = self.keys.sample(self.count, ASKED, round);
        let requests = Requests::new(api_keys, Form::Verify, Code::Valid);
        let server = fixture::on(&self.database, &[])?;
        let mut load = Load::open(&server, "Verify", &requests, NARROW, true).await?;
        load.exhaust(&server).await
    }
}
