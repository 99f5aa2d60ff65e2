//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;

use crate::serve::Kind;

/// Measures Verify beside a bare tonic service, and prints one table.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Be a server: how the benchmark starts itself again
    #[arg(long, hide = true)]
    pub(crate) serve: Option<Kind>,
    #[arg(long, hide = true, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    #[arg(long, hide = true, default_value = "answer")]
    pub(crate) answer: PathBuf,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}
