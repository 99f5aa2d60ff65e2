//! SIGTERM and SIGINT: the first asks for a graceful end, the second ends the process at once.

use std::{future::Future, io, process};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};
use tracing::{info, warn};

/// Takes both signals over, and resolves at the first.
pub(super) fn first() -> io::Result<impl Future<Output = ()>> {
    let mut signals =
        Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let (sender, told) = oneshot::channel();
    tokio::spawn(async move {
        let kind = signals.next().await;
        info!(signal.number = kind.as_raw_value(), "asked to stop");
        // Nobody listens any more when the process is ending anyway.
        let _ = sender.send(());
        let kind = signals.next().await;
        warn!(signal.number = kind.as_raw_value(), "asked again: ending at once");
        process::exit(128 + kind.as_raw_value());
    });
    Ok(async move {
        // The task never drops its end unsaid.
        let _ = told.await;
    })
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
