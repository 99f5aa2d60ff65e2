//! The bare service in a separate process: this executable, started again.

use std::{error::Error, fs, net::SocketAddr, path::Path};

use prost::Message;
use proto::VerifyResponse;
use tokio::{net::TcpListener, runtime::Builder};

use crate::bare;

/// Serves until this process is killed.
pub(crate) fn serve(listen: SocketAddr, answer: &Path) -> Result<(), Box<dyn Error>> {
    let answer = VerifyResponse::decode(&*fs::read(answer)?)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        Ok(bare::serve(listener, answer).await?)
    })
}
