//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

/// Measures Verify next to a bare tonic service, and prints one table.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Short rounds and fewer keys, to check that the benchmark works
    #[arg(long)]
    pub(crate) quick: bool,
    /// Groups of rows to measure, or parts of their names, separated by commas: unary, h2load, metadata, refused, latency,
    /// batch, stream, million, misses, stored, revocation, flood, access
    #[arg(long, value_delimiter = ',')]
    pub(crate) rows: Vec<String>,
    /// Ten million keys in the databases, which takes a quarter of an hour and 10 GB
    #[arg(long)]
    pub(crate) large: bool,
    /// A PostgreSQL server; databases are created on it and dropped
    #[arg(long, default_value = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable")]
    pub(crate) postgres: String,
    /// NAME=VALUE: a variable for our server only, such as a setting, TOKIO_WORKER_THREADS or LD_PRELOAD
    #[arg(long)]
    pub(crate) with: Vec<String>,
    /// Where to write the figures as JSON
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench/verify.json"))]
    pub(crate) json: PathBuf,
    /// Run as the bare service: the benchmark starts itself with this
    #[arg(long, hide = true)]
    pub(crate) bare: bool,
    #[arg(long, hide = true, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    #[arg(long, hide = true, default_value = "answer")]
    pub(crate) answer: PathBuf,
}
