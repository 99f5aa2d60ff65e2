//! Ours and the bare service, measured alternately: calls, batches and streams.

use proto::{Code, VerifyResponse};

use crate::{
    Fallible,
    fixture::Fixture,
    keys::{UNKNOWN, damaged},
    load::{Load, Measured, Width},
    numbers::Spread,
    pacer::Pace,
    plan::{FEW, Plan, WIDE},
    report::{Promise, Report, Row},
    requests::{Form, Requests},
    server::Server,
};

use super::h2load;

pub(crate) const HOT: &str = "unary, 1 hot key";

pub(super) async fn rows(plan: &Plan, report: &mut Report) -> Fallible<()> {
    let groups = ["unary", "h2load", "metadata", "refused", "latency", "batch", "stream"];
    if !groups.iter().any(|group| plan.has(group)) {
        return Ok(());
    }
    let fixture = Fixture::on_sqlite(FEW).await?;
    let bare = Server::bare(&fixture.answer)?;
    let pair = Pair { plan, ours: &fixture.server, bare: &bare };
    let hot = [&fixture.api_key];
    let few = || fixture.keys.shuffled(0, FEW);
    // So that no round includes the cost of first requests.
    let all = Requests::new(few(), Form::Verify, Code::Valid);
    Load::open(&fixture.server, "Verify", &all, WIDE, true).await?.exhaust(&fixture.server).await?;
    if let Some(metrics) = &fixture.server.metrics {
        metrics.assert_reported(FEW).await?;
    }
    let one = Requests::new(hot, Form::Verify, Code::Valid);
    if plan.has("unary") {
        let kept = Promise::AtLeast(0.9);
        let row = pair.calls(HOT, &one, WIDE).await?;
        report.add(row.promising(kept));
        let row = pair.calls("unary, 10 thousand keys", &all, WIDE).await?;
        report.add(row.promising(kept));
        for (connections, in_flight) in [(1, 1), (8, 8), (8, 64)] {
            let width = Width { connections, in_flight };
            let name = format!("unary, {} in flight", connections * in_flight);
            report.add(pair.calls(name, &one, width).await?);
        }
    }
    if plan.has("h2load") {
        h2load::row(&pair, one.first(), report)?;
    }
    if plan.has("metadata") {
        for bytes in [64, 1024, 4096] {
            let api_key = fixture.admin.create_key(bytes, &[]).await?;
            let row = compare(&pair, &fixture, &api_key, Code::Valid).await?;
            report.add(Row { name: format!("unary, {bytes} bytes of metadata"), ..row });
        }
    }
    if plan.has("refused") {
        let malformed = damaged(&fixture.api_key);
        let row = compare(&pair, &fixture, &malformed, Code::Malformed).await?;
        report.add(Row { name: "junk".into(), ..row });
        let unknown = fixture.keys.api_key(UNKNOWN);
        let row = compare(&pair, &fixture, &unknown, Code::NotFound).await?;
        report.add(Row { name: "1 unknown id".into(), ..row });
    }
    if plan.has("latency") {
        latency(&pair, &one, report).await?;
    }
    if plan.has("batch") {
        for (size, in_flight) in [(100, 4), (1000, 2)] {
            let api_keys = few().take(10 * size);
            let requests = Requests::new(api_keys, Form::Batch(size), Code::Valid);
            let width = Width { connections: 4, in_flight };
            let name = format!("batches of {size}, 10 thousand keys");
            report.add(pair.measure(name, "BatchVerify", &requests, width).await?);
        }
    }
    if plan.has("stream") {
        streams(&pair, Requests::new(hot, Form::Stream, Code::Valid), report).await?;
        let requests = Requests::new(few(), Form::Stream, Code::Valid);
        let row = pair.measure("stream, 10 thousand keys", STREAM, &requests, FLOWS);
        report.add(row.await?.promising(Promise::AtLeast(0.7)));
    }
    Ok(())
}

const STREAM: &str = "StreamVerify";

const FLOWS: Width = Width { connections: 4, in_flight: 256 };

/// Two servers that receive the same requests.
pub(super) struct Pair<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ours: &'a Server,
    pub(super) bare: &'a Server,
}

impl Pair<'_> {
    pub(super) async fn calls(
        &self,
        name: impl Into<String>,
        requests: &Requests,
        width: Width,
    ) -> Fallible<Row> {
        self.measure(name, "Verify", requests, width).await
    }

    async fn measure(
        &self,
        name: impl Into<String>,
        method: &'static str,
        requests: &Requests,
        width: Width,
    ) -> Fallible<Row> {
        let Self { plan, ours, bare } = self;
        let mut on_ours = Load::open(ours, method, requests, width, false).await?;
        let mut on_bare = Load::open(bare, method, requests, width, false).await?;
        let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            of_ours.push(on_ours.saturate(ours, plan.warm_up, plan.span).await?);
            of_bare.push(on_bare.saturate(bare, plan.warm_up, plan.span).await?);
        }
        Ok(Row::rates(name, &of_ours, &of_bare))
    }
}

/// One API key, with any code, and a bare service that returns the same response.
async fn compare(pair: &Pair<'_>, fixture: &Fixture, api_key: &str, code: Code) -> Fallible<Row> {
    let answer: VerifyResponse = fixture.admin.verify(api_key).await?;
    let bare = Server::bare(&answer)?;
    let pair = Pair { bare: &bare, ..*pair };
    let requests = Requests::new([api_key], Form::Verify, code);
    pair.calls("", &requests, WIDE).await
}

/// Evenly spaced calls, at half the rate that ours can serve.
async fn latency(pair: &Pair<'_>, requests: &Requests, report: &mut Report) -> Fallible<()> {
    let Pair { plan, ours, bare } = pair;
    let mut on_ours = Load::open(ours, "Verify", requests, WIDE, false).await?;
    let mut on_bare = Load::open(bare, "Verify", requests, WIDE, false).await?;
    let most = on_ours.saturate(ours, plan.warm_up, plan.span).await?;
    let half = Pace::even(most.rate / 2.0);
    let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        for (load, server, rounds) in [(&mut on_ours, ours, &mut of_ours), (&mut on_bare, bare, &mut of_bare)]
        {
            let span = tokio::time::sleep(plan.span);
            rounds.push(load.pace(server, half, plan.warm_up, span).await?);
        }
    }
    let p50: fn(&Measured) -> f64 = |it| it.p50;
    let p99: fn(&Measured) -> f64 = |it| it.p99;
    for (name, value) in [("p50", p50), ("p99", p99)] {
        let ratios = of_ours.iter().zip(&of_bare).map(|(o, b)| value(o) / value(b));
        let name = format!("unary at half load, {name}");
        report.add(Row {
            bare: Some(Spread::of(of_bare.iter().map(value))),
            ratio: Some(Spread::of(ratios)),
            ..Row::value(name, "µs", Spread::of(of_ours.iter().map(value)))
        });
    }
    Ok(())
}

async fn streams(pair: &Pair<'_>, requests: Requests, report: &mut Report) -> Fallible<()> {
    let row = pair.measure("stream, 1 hot key", STREAM, &requests, FLOWS);
    let row = row.await?.promising(Promise::AtLeast(0.7));
    if let Some(unary) = report.find(HOT) {
        let times = row.ours.median / unary.ours.median;
        let times = Row::value("stream by own unary", "times", Spread::of([times]));
        report.add(row);
        report.add(times.promising(Promise::AtLeast(6.0)));
    } else {
        report.add(row);
    }
    Ok(())
}
