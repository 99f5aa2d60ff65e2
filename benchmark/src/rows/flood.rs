//! Warm keys during a flood of ids that no key has.

use proto::Code;
use tokio::sync::Notify;

use crate::{
    Fallible,
    fixture::Fixture,
    keys::UNKNOWN,
    load::{Load, Measured, Width},
    numbers::Spread,
    pacer::Pace,
    plan::{FEW, Plan, WIDE},
    report::{Promise, Report, Row},
    requests::{Form, Requests},
    server::Server,
};

/// Ids per second, few of which are tried twice. A flood comes in bursts.
const FLOOD: Pace = Pace::in_bursts(5_000.0);
const IDS: u64 = 1_000_000;

/// The flood comes through one service, which has one connection, as gRPC clients have.
const THROUGH: Width = Width { connections: 1, in_flight: 256 };

pub(super) async fn rows(plan: &Plan, report: &mut Report) -> Fallible<()> {
    let fixture = Fixture::on_sqlite(FEW).await?;
    let server = &fixture.server;
    let warm = fixture.keys.shuffled(0, FEW);
    let warm = Requests::new(warm, Form::Verify, Code::Valid);
    let unknown = fixture.keys.shuffled(UNKNOWN, IDS);
    let unknown = Requests::new(unknown, Form::Verify, Code::NotFound);

    let mut once = Load::open(server, "Verify", &warm, WIDE, true).await?;
    once.exhaust(server).await?;
    let mut load = Load::open(server, "Verify", &warm, WIDE, false).await?;
    let mut flood = Load::open(server, "Verify", &unknown, THROUGH, false).await?;
    flood.tolerate();
    let mut known = Load::open(server, "Verify", &warm, THROUGH, false).await?;
    let most = load.saturate(server, plan.warm_up, plan.span).await?;
    let quarter = Pace::even(most.rate / 4.0);

    let (mut undisturbed, mut flooded, mut with_known) = (Vec::new(), Vec::new(), Vec::new());
    let (mut calm, mut busy) = (Vec::new(), Vec::new());
    let mut floods = Vec::new();
    for _ in 0..plan.rounds {
        undisturbed.push(load.saturate(server, plan.warm_up, plan.span).await?);
        let saturated = load.saturate(server, plan.warm_up, plan.span);
        let (with, rush) = during(plan, server, &mut flood, saturated).await?;
        flooded.push(with);
        floods.push(rush);
        let saturated = load.saturate(server, plan.warm_up, plan.span);
        with_known.push(during(plan, server, &mut known, saturated).await?.0);
        let span = tokio::time::sleep(plan.span);
        calm.push(load.pace(server, quarter, plan.warm_up, span).await?);
        let span = tokio::time::sleep(plan.span);
        let paced = load.pace(server, quarter, plan.warm_up, span);
        let (with, rush) = during(plan, server, &mut flood, paced).await?;
        busy.push(with);
        floods.push(rush);
    }
    let rate = |rounds: &[Measured]| Spread::of(rounds.iter().map(|it| it.rate));
    let against_undisturbed = |name: &str, rounds: &[Measured]| Row {
        ratio: Some(Spread::of(
            rounds.iter().zip(&undisturbed).map(|(with, without)| with.rate / without.rate),
        )),
        bare: Some(rate(&undisturbed)),
        ..Row::value(name, "/s", rate(rounds))
    };
    let row = against_undisturbed("unary in a flood (not bare: without it)", &flooded);
    report.add(row.promising(Promise::AtLeast(0.9)));
    report.add(against_undisturbed("… with as many calls of known keys instead", &with_known));
    let p99 = |rounds: &[Measured]| Spread::of(rounds.iter().map(|it| it.p99));
    let ratios = busy.iter().zip(&calm).map(|(with, without)| with.p99 / without.p99);
    report.add(Row {
        ratio: Some(Spread::of(ratios)),
        bare: Some(p99(&calm)),
        ..Row::value("… p99 at quarter load", "µs", p99(&busy))
    });
    report.add(Row::value("… unknown ids in the flood", "/s", rate(&floods)));
    let unanswered = Spread::of(floods.iter().map(|it| it.wrong * 100.0));
    report.add(Row::value("… of which not answered", "%", unanswered));
    // An evicted key would cost a query, ten times as much as a cached one.
    let after = once.exhaust(server).await?;
    report.add(Row::rates("… each warm key once more", &[after], &[]));
    Ok(())
}

/// The results of `measured` during the flood, and those of the flood.
async fn during(
    plan: &Plan,
    server: &Server,
    flood: &mut Load,
    measured: impl Future<Output = Fallible<Measured>>,
) -> Fallible<(Measured, Measured)> {
    let over = Notify::new();
    let flood = flood.pace(server, FLOOD, plan.warm_up, over.notified());
    let measured = async {
        let measured = measured.await;
        over.notify_one();
        measured
    };
    let (flood, measured) = tokio::join!(flood, measured);
    Ok((measured?, flood?))
}
