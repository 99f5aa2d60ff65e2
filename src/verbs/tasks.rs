//! Work that is completed even if its caller no longer waits for it.

use std::sync::Arc;

use tokio::{
    sync::watch,
    task::{self, JoinHandle},
};

/// Counts the tasks that are under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks(Arc<watch::Sender<usize>>);

impl Tasks {
    /// Runs `work` to its end; who drops the handle only stops waiting for it.
    pub(super) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let under_way = UnderWay::new(self.0.clone());
        task::spawn(async move {
            let _under_way = under_way;
            work.await
        })
    }

    /// Resolves once none is under way.
    pub(super) async fn settled(&self) {
        // The sender is ours, so it is there as long as we are.
        let _ = self.0.subscribe().wait_for(|under_way| *under_way == 0).await;
    }
}

/// Counts until it is dropped, by a panic too.
struct UnderWay(Arc<watch::Sender<usize>>);

impl UnderWay {
    fn new(count: Arc<watch::Sender<usize>>) -> Self {
        count.send_modify(|under_way| *under_way += 1);
        Self(count)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|under_way| *under_way -= 1);
    }
}
