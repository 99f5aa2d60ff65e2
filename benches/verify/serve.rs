//! The servers, each in a process of its own: this executable, started again.

use std::{error::Error, fs, io::Read, net::SocketAddr, path::Path, thread};

use clap::{Parser, ValueEnum};
use keystile::{
    cli::Arguments,
    config::{Config, Environment},
    grpc::proto::VerifyResponse,
    telemetry,
};
use prost::Message;
use tokio::{net::TcpListener, runtime::Builder};

use crate::bare;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `keystile serve`, runtime and all; its settings come from the environment.
    Ours,
    Bare,
    /// `keystile root-key`.
    RootKey,
}

/// Serves until this process is killed, or whoever started it is gone.
pub(crate) fn serve(kind: Kind, listen: SocketAddr, answer: &Path) -> Result<(), Box<dyn Error>> {
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    match kind {
        Kind::Ours => keystile("serve"),
        Kind::RootKey => keystile("root-key"),
        Kind::Bare => {
            let answer = VerifyResponse::decode(&*fs::read(answer)?)?;
            let runtime = Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::bind(listen).await?;
                Ok(bare::serve(listener, answer).await?)
            })
        }
    }
}

fn keystile(command: &str) -> Result<(), Box<dyn Error>> {
    let config = Config::load(&Environment::from_process())?;
    telemetry::init(&config.log.filter, config.log.format.is_json(false));
    let arguments = Arguments::try_parse_from(["keystile", command])?;
    arguments.run(&config).map_err(|failure| format!("{failure:?}").into())
}
