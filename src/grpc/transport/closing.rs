//! The word to streams that this node stops: calls end by themselves, streams must be told.

use tokio::sync::watch;

/// Waits for the word.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Closing(watch::Receiver<bool>);

/// Gives it.
#[derive(Debug)]
pub(in crate::grpc) struct Closer(watch::Sender<bool>);

impl Closing {
    pub(in crate::grpc) fn new() -> (Closer, Self) {
        let (sender, receiver) = watch::channel(false);
        (Closer(sender), Self(receiver))
    }

    /// Whether it was given, at no cost to whoever asks often.
    pub(in crate::grpc) fn is_told(&self) -> bool {
        // An error means that the closer is gone, which says the same.
        self.0.has_changed().unwrap_or(true)
    }

    pub(in crate::grpc) async fn told(mut self) {
        // An error means that the closer is gone, which says the same.
        let _ = self.0.wait_for(|told| *told).await;
    }
}

impl Closer {
    /// Gives the word as soon as `shutdown` resolves.
    pub(in crate::grpc) async fn after(self, shutdown: impl Future<Output = ()>) {
        shutdown.await;
        self.0.send_replace(true);
    }
}
