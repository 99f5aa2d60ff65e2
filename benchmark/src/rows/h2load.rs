//! The same hot key with nghttp2's h2load, if it is installed, to check the benchmark's own client.

use std::{fs, process::Command};

use tempfile::TempDir;

use crate::{
    Fallible,
    numbers::Spread,
    plan::WIDE,
    report::{Report, Row},
    server::Server,
};

use super::pairs::Pair;

/// Adds the row, or says why not.
pub(super) fn row(pair: &Pair<'_>, body: &[u8], report: &mut Report) -> Fallible<()> {
    if Command::new("h2load").arg("--version").output().is_err() {
        eprintln!("h2load is not installed: its row is skipped");
        return Ok(());
    }
    let directory = TempDir::new()?;
    let file = directory.path().join("body");
    fs::write(&file, body)?;
    let seconds = pair.plan.span.as_secs().max(1).to_string();
    let round = |server: &Server| -> Fallible<f64> {
        let output = Command::new("h2load")
            .args(["--clients", &WIDE.connections.to_string()])
            .args(["--max-concurrent-streams", &WIDE.in_flight.to_string()])
            .args(["--duration", &seconds, "--warm-up-time", "1"])
            .args(["--window-bits", "30", "--connection-window-bits", "30"])
            .args(["--header", "content-type: application/grpc"])
            .args(["--header", "te: trailers"])
            .args(["--header", &format!("authorization: Bearer {}", server.api_key)])
            .arg("--data")
            .arg(&file)
            .arg(format!("http://{}/keystile.v1.VerifyService/Verify", server.verify))
            .output()?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        rate(&output).ok_or_else(|| format!("h2load says: {output}").into())
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..pair.plan.rounds {
        ours.push(round(pair.ours)?);
        bare.push(round(pair.bare)?);
    }
    let ratios = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare);
    report.add(Row {
        ratio: Some(Spread::of(ratios)),
        bare: Some(Spread::of(bare.iter().copied())),
        ..Row::value("unary, 1 hot key, by h2load", "/s", Spread::of(ours.iter().copied()))
    });
    Ok(())
}

/// From `finished in 1.00s, 12345.67 req/s, 3.21MB/s`, unless calls failed.
fn rate(output: &str) -> Option<f64> {
    let statuses = output.lines().find(|line| line.starts_with("status codes:"))?;
    if !statuses.contains(" 0 3xx, 0 4xx, 0 5xx") {
        return None;
    }
    let finished = output.lines().find(|line| line.starts_with("finished in"))?;
    let rate = finished.split(", ").find_map(|part| part.strip_suffix(" req/s"))?;
    rate.parse().ok().filter(|rate| *rate > 0.0)
}
