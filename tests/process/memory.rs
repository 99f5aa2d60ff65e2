//! The memory that a request takes: a few megabytes on the wire never become gigabytes.

use std::fs;

use testkit::{
    rpc::{authorization, call, endless_lists},
    server::channel,
};
use tonic::Code;

use crate::home::{Home, Serving};

/// The most memory that the process ever had, in KiB.
fn peak(serving: &Serving) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", serving.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn ask(serving: &Serving, root: &str) {
    for (path, request, field) in endless_lists() {
        let listener = if field == "requests" { serving.verify } else { serving.admin };
        let credential = authorization(&format!("Bearer {root}"));
        let refused = call(&channel(listener), path, credential, &request).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument, "{field}");
    }
}

#[tokio::test]
async fn requests_of_millions_of_empty_entries_take_little_memory() {
    let home = Home::embedded();
    let serving = home.serve().await;
    let root = serving.root().await;
    serving.caller(&root).create_project().await;
    let before = peak(&serving);
    tokio::join!(ask(&serving, &root), ask(&serving, &root), ask(&serving, &root));
    let grown = (peak(&serving) - before) / 1024;
    assert!(grown < 100, "{grown} MiB for three requests of 4 MiB at a time");
    serving.stop().await;
}
