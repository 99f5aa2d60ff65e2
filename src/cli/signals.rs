//! SIGTERM and SIGINT: the first asks for a graceful stop, the second ends the process at once.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Handles both signals from now on; the token is cancelled at the first.
pub(super) fn handle() -> io::Result<CancellationToken> {
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let stop = CancellationToken::new();
    let first = stop.clone();
    tokio::spawn(async move {
        let number = signals.next().await.as_raw_value();
        info!(signal.number = number, "received a signal: stopping");
        first.cancel();
        let number = signals.next().await.as_raw_value();
        warn!(signal.number = number, "received a second signal: exiting at once");
        process::exit(128 + number);
    });
    Ok(stop)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}
