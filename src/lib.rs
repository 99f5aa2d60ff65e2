//! Keystile: a gRPC service that issues, verifies, limits, revokes and audits API keys.

pub mod app;
pub mod cache;
pub mod cli;
pub mod config;
pub mod grpc;
pub mod ports;
pub mod recorder;
mod schedule;
pub mod store;
pub mod telemetry;
pub mod verbs;
