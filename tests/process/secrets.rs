//! A secret is only in the response that issues it: not on disk, in logs, in the change log or in errors.

use std::fs;

use prost::Message;
use proto::Code;
use testkit::telemetry::{Collector, get};

use crate::{
    home::{Home, pepper},
    inventory,
    needles::{Needles, Parts},
    received::Received,
};

#[tokio::test]
async fn no_file_log_or_response_contains_a_secret() {
    let peppers = [pepper(2), pepper(1)];
    let collector = Collector::start().await;
    let home = Home::embedded()
        .with("KEYSTILE_PEPPERS", &peppers.join(","))
        .with("KEYSTILE_LOG", "trace")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .with("OTEL_TRACES_SAMPLER", "always_on");
    let serving = home.serve().await;
    let root = serving.root().await;
    let mut received = Received::new(&root);
    let caller = serving.caller(&root);
    received.workload(&caller).await;
    received.wrong_credentials(&caller).await;
    let events = inventory::events(&caller).await;
    assert!(events.len() > 10, "there is nothing to search");
    for event in events {
        received.answers.push(format!("{event:?}").into_bytes());
    }
    // While the server runs, new rows are in the -wal file.
    let mut files = all_files(&home);
    let first = serving.process.kill().await;

    // Search again after another start and a clean stop, which move everything into the database file.
    let serving = home.serve().await;
    let caller = serving.caller(&root);
    for (what, api_key) in &received.secrets {
        let code = caller.code(api_key).await;
        assert_ne!(code, Code::Malformed, "{what} is not an API key");
    }
    let metrics = get(serving.metrics, "/metrics").await;
    let second = serving.stop().await;
    files.extend(all_files(&home));

    let needles = received.needles(&peppers);
    for (name, content) in &files {
        nothing(&needles, content, name);
    }
    assert!(first.stderr.contains(r#""level":"TRACE""#), "there is nothing to search");
    nothing(&needles, first.stderr.as_bytes(), "the log of the first start");
    nothing(&needles, second.stderr.as_bytes(), "the log of the second start");
    assert!(metrics.contains("keystile_verifications_total"), "there is nothing to search");
    nothing(&needles, metrics.as_bytes(), "the metrics");
    let traces = collector.taken();
    assert!(!traces.is_empty(), "there is nothing to search");
    for trace in &traces {
        nothing(&needles, &trace.encode_to_vec(), "the traces");
    }
    assert!(received.errors > 100, "there is nothing to search");
    for answer in &received.answers {
        nothing(&needles, answer, &String::from_utf8_lossy(answer));
    }

    // The one exception is the first output of the root key.
    assert_eq!(first.stdout.lines().filter(|line| *line == root).count(), 1);
    nothing(&needles, first.stdout.replace(&root, "").as_bytes(), "the first words");
    assert_eq!(second.stdout, "");

    assert_search_finds_digests_and_ids(&received, &files, &peppers[0]);
    assert!(needles.found_in(first.stdout.as_bytes()).contains("root key: whole"));
}

#[tokio::test]
async fn the_generated_pepper_is_only_in_its_file() {
    let home = Home::embedded().with("KEYSTILE_LOG", "trace");
    let serving = home.serve().await;
    let root = serving.root().await;
    serving.caller(&root).create_project().await;
    let ended = serving.stop().await;
    let mut needles = Needles::none();
    needles.pepper(&fs::read_to_string(home.data().join("peppers")).unwrap());
    let mut found = Vec::new();
    for (name, content) in all_files(&home) {
        if !needles.found_in(&content).is_empty() {
            found.push(name);
        }
    }
    assert_eq!(found, ["peppers"]);
    nothing(&needles, ended.stdout.as_bytes(), "stdout");
    nothing(&needles, ended.stderr.as_bytes(), "the log");
}

#[test]
fn the_search_finds_every_form_at_any_position() {
    let api_key = format!("acme_live_{}", "0123456789".repeat(7) + "ab");
    let mut needles = Needles::none();
    needles.api_key("key", &api_key);
    needles.pepper(&pepper(7));
    assert!(needles.each().count() >= 20);
    for (needle, what) in needles.each() {
        for (before, behind) in [("", ""), ("before ", " behind"), ("\0", ""), ("", "\n")] {
            let hay = [before.as_bytes(), needle, behind.as_bytes()].concat();
            assert!(needles.found_in(&hay).contains(what), "{what}");
        }
    }
    nothing(&needles, b"acme_live_0123456789012345678901 is public", "an id");
    nothing(&needles, &api_key.as_bytes()[..30], "a truncated part");
}

/// Checks that digests and ids are found, so that the search would find the secrets too.
fn assert_search_finds_digests_and_ids(received: &Received, files: &[(String, Vec<u8>)], pepper: &str) {
    let mut controls = Needles::none();
    // The last secrets, which no rotation has replaced.
    let living = &received.secrets[received.secrets.len() - 5..];
    for (what, api_key) in living {
        let parts = Parts::of(api_key);
        controls.control(&format!("{what}: digest"), &parts.digest(pepper));
        controls.control(&format!("{what}: id"), &parts.id.to_be_bytes());
    }
    let database = files.iter().filter(|(name, _)| name.starts_with("keystile.db"));
    let mut found = std::collections::BTreeSet::new();
    for (_, content) in database {
        found.extend(controls.found_in(content));
    }
    assert_eq!(found.len(), 10, "{found:?}");
}

#[track_caller]
fn nothing(needles: &Needles, haystack: &[u8], place: &str) {
    let found = needles.found_in(haystack);
    assert!(found.is_empty(), "{found:?} in {place}");
}

/// The content of the data directory.
fn all_files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(home.data()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.push((name, fs::read(path).unwrap()));
    }
    files
}
