//! Keystile: a gRPC service that issues, verifies, limits, revokes and audits API keys.

pub mod app;
pub mod audit;
pub mod cache;
pub mod cli;
pub mod config;
pub mod domain;
pub mod grpc;
pub mod ports;
pub mod service;
pub mod store;
pub mod telemetry;
