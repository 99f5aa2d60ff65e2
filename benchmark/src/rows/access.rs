//! What permissions, endpoints and changes of roles cost, relative to our own Verify without them.

use std::time::Duration;

use proto::{Code, Endpoint, VerifyRequest, View};

use crate::{
    Fallible, clock,
    fixture::Fixture,
    load::{Load, Measured},
    numbers::Spread,
    plan::{Plan, WIDE},
    report::{Promise, Report, Row},
    requests::{Form, Requests},
};

/// The role that many keys hold.
pub(super) const ROLE: &str = "viewer-of-bench";

const GRANTS: usize = 100;
const NAMES: usize = 10;
const PATTERNS: usize = 20;

pub(super) async fn rows(plan: &Plan, report: &mut Report) -> Fallible<()> {
    let fixture = Fixture::on_sqlite(1).await?;
    // Every tenth is a wildcard.
    let grant =
        |at| if at % 10 == 0 { format!("area-{at}.*") } else { format!("documents.section-{at}.read") };
    let pattern = |at| format!("GET /v1/resource-{at}/*/items/**");
    let (grants, patterns) = ((0..GRANTS).map(grant).collect(), (0..PATTERNS).map(pattern).collect());
    fixture.admin.create_role("measured", grants, patterns).await?;
    let api_key = fixture.admin.create_key(0, &["measured"]).await?;
    let plain = VerifyRequest { view: View::Basic.into(), ..Default::default() };
    // All are granted, so that all are looked up; the last one by a wildcard.
    let names = (1..NAMES).map(|at| format!("documents.section-{}.read", at * 11));
    let permission = names.chain(["area-50.some.thing".to_owned()]).collect::<Vec<_>>().join(" AND ");
    // Allowed by the last of the patterns.
    let path = format!("/v1/resource-{}/42/items/7", PATTERNS - 1);
    let endpoint = Some(Endpoint { method: "GET".into(), path });
    for (name, question) in [
        (
            format!("unary, {NAMES} names against {GRANTS} grants (not bare: without)"),
            VerifyRequest { permission, ..plain.clone() },
        ),
        (
            format!("unary, an endpoint against {PATTERNS} patterns (not bare: without)"),
            VerifyRequest { endpoint, ..plain.clone() },
        ),
    ] {
        let asking =
            |question: &VerifyRequest| Requests::asking([&api_key], Form::Verify, Code::Valid, question);
        let server = &fixture.server;
        let mut with = Load::open(server, "Verify", &asking(&question), WIDE, false).await?;
        let mut without = Load::open(server, "Verify", &asking(&plain), WIDE, false).await?;
        let (mut of_with, mut of_without) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            of_with.push(with.saturate(server, plan.warm_up, plan.span).await?);
            of_without.push(without.saturate(server, plan.warm_up, plan.span).await?);
        }
        report.add(Row::rates(name, &of_with, &of_without).promising(Promise::AtLeast(0.95)));
    }
    Ok(())
}

/// A change of the role that all keys of `fixture` hold, while they are verified.
pub(super) async fn change_of_role(
    plan: &Plan,
    fixture: &Fixture,
    requests: &Requests,
    report: &mut Report,
) -> Fallible<()> {
    const SECOND: Duration = Duration::from_secs(1);
    let server = &fixture.server;
    let mut load = Load::open(server, "Verify", requests, WIDE, false).await?;
    let (mut before, mut after, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        before.push(load.saturate(server, plan.warm_up, SECOND).await?);
        let permissions = vec![format!("documents.revision-{round}.read")];
        let start = clock::now();
        fixture.admin.update_role(ROLE, permissions).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        after.push(load.saturate(server, Duration::ZERO, SECOND).await?);
    }
    let rate = |rounds: &[Measured]| Spread::of(rounds.iter().map(|it| it.rate));
    let time = Row::value("UpdateRole of that role", "ms", Spread::of(times));
    report.add(time.promising(Promise::AtMost(10.0)));
    let ratios = after.iter().zip(&before).map(|(after, before)| after.rate / before.rate);
    let row = Row {
        ratio: Some(Spread::of(ratios)),
        bare: Some(rate(&before)),
        ..Row::value("unary in the second after it (not bare: before it)", "/s", rate(&after))
    };
    report.add(row.promising(Promise::AtLeast(0.9)));
    Ok(())
}
