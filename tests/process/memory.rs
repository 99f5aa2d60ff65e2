//! What a request can cost: a few megabytes of it never become gigabytes.

use std::fs;

use keystile::grpc::proto::{
    BatchVerifyRequest, CreateProjectRequest, Environment, Project, UpdateKeyRequest, VerifyRequest,
};
use tonic::Code;

use crate::home::{Caller, Home, Serving};

/// Two bytes each.
const ENTRIES: usize = 1_900_000;

/// The most memory that the process ever had, in KiB.
fn peak(serving: &Serving) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", serving.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn ask(caller: &Caller) {
    let requests = vec![VerifyRequest::default(); ENTRIES];
    let refused = caller.verifier().batch_verify(BatchVerifyRequest { requests }).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    let project = Project { environments: vec![Environment::default(); ENTRIES], ..Default::default() };
    let request = CreateProjectRequest { project: Some(project), ..Default::default() };
    let refused = caller.projects().create_project(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    let update_mask = Some(prost_types::FieldMask { paths: vec![String::new(); ENTRIES] });
    let request = UpdateKeyRequest { update_mask, ..Default::default() };
    let refused = caller.keys().update_key(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn four_mebibytes_of_empty_entries_cost_tens_and_not_thousands() {
    let serving = Home::embedded().serve().await;
    let caller = serving.caller(&serving.root().await);
    caller.create_project().await;
    let before = peak(&serving);
    tokio::join!(ask(&caller), ask(&caller), ask(&caller));
    let grown = (peak(&serving) - before) / 1024;
    assert!(grown < 100, "{grown} MiB for three requests of 4 MiB at a time");
    serving.stop().await;
}
