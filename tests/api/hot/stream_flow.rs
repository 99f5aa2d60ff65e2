//! Streams and their limits: a slow reader, and a server that stops.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use proto::{
    Code, Key, StreamVerifyRequest, WatchAuditEventsRequest, verify_service_client::VerifyServiceClient,
};
use testkit::server::{Bearer, Server, Talk, channel, next};
use tokio::time::timeout;
use tokio_stream::Stream;

use super::{PATIENCE, assert_closing};

use crate::calls::verify;

/// The same request, each time that the client polls for one.
struct Endless {
    question: StreamVerifyRequest,
    taken: Arc<AtomicUsize>,
    most: usize,
}

impl Stream for Endless {
    type Item = StreamVerifyRequest;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamVerifyRequest>> {
        if self.taken.load(SeqCst) == self.most {
            return Poll::Ready(None);
        }
        self.taken.fetch_add(1, SeqCst);
        Poll::Ready(Some(self.question.clone()))
    }
}

/// While the client reads nothing, the server stops reading requests, and the client stops sending. The bytes in between
/// are bounded by HTTP/2's windows, a little over a megabyte each way.
#[tokio::test]
async fn a_slow_reader_slows_the_sender() {
    const MOST: usize = 60_000;
    let server = Server::start().await;
    server.project("acme").await;
    let large = (0..3).map(|number| (format!("text-{number}"), "x".repeat(1000))).collect();
    let (key, api_key) = server.key("acme", Key { metadata: large, ..Default::default() }).await;
    assert_eq!(server.code(&api_key).await, Code::Valid);

    let connection = channel(server.verify);
    let mut client = VerifyServiceClient::with_interceptor(connection.clone(), Bearer::new(&server.root));
    let taken = Arc::new(AtomicUsize::new(0));
    let question = StreamVerifyRequest { request: Some(verify(&api_key)) };
    let endless = Endless { question, taken: taken.clone(), most: MOST };
    let mut answers = client.stream_verify(endless).await.unwrap().into_inner();
    let mut unchanged = 0;
    let mut last = 0;
    // Wait until no more requests are read, though the server answers other calls.
    while unchanged < 50 {
        server.code(&api_key).await;
        let now = taken.load(SeqCst);
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    assert!(last < MOST / 2, "{last} requests were sent before the first response was read");

    // No response is lost.
    for number in 0..MOST {
        let decision = next(&mut answers).await.unwrap().unwrap().unwrap();
        assert_eq!((decision.code(), &decision.key), (Code::Valid, &key.name), "number {number}");
    }
    assert_eq!(next(&mut answers).await.unwrap(), None);
    assert_eq!(taken.load(SeqCst), MOST);
}

#[tokio::test]
async fn open_streams_end_at_the_stop_and_do_not_delay_it() {
    let server = patient().await;
    let mut idle = server.talk().await;
    let mut used = server.talk().await;
    assert_eq!(used.code("junk").await.unwrap(), Code::Malformed);
    let watch = WatchAuditEventsRequest { parent: "projects/-".into(), ..Default::default() };
    let mut watch = server.watch_as(&server.root, watch).await.unwrap();
    watch.message().await.unwrap().unwrap();
    let stopping = tokio::spawn(server.stop());
    for talk in [&mut idle, &mut used] {
        assert_closing(timeout(PATIENCE, talk.next()).await.expect("the stream stays open"));
    }
    let end = timeout(PATIENCE, async {
        loop {
            match watch.message().await {
                Ok(more) => assert!(more.is_some(), "the stream ends without a status"),
                Err(status) => break status,
            }
        }
    });
    assert_closing::<()>(Err(end.await.expect("the stream stays open")));
    timeout(PATIENCE, stopping).await.expect("streams delay the stop").unwrap();
}

/// Even if the client never stops sending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_stream_ends_at_the_stop_too() {
    let server = patient().await;
    let Talk { questions, mut answers } = server.talk().await;
    let asking = tokio::spawn(async move {
        let question = StreamVerifyRequest { request: Some(verify("junk")) };
        while questions.send(question.clone()).await.is_ok() {}
    });
    for _ in 0..100 {
        next(&mut answers).await.unwrap().unwrap().unwrap();
    }
    let stopping = tokio::spawn(server.stop());
    let end = timeout(PATIENCE, async {
        loop {
            match next(&mut answers).await {
                Ok(answer) => assert!(answer.is_some(), "the stream ends without a status"),
                Err(status) => break status,
            }
        }
    });
    assert_closing::<()>(Err(end.await.expect("the stream stays open")));
    timeout(PATIENCE, stopping).await.expect("the stream delays the stop").unwrap();
    asking.await.unwrap();
}

/// A server whose deadline for a stop is longer than tests wait.
async fn patient() -> Server {
    Server::start().await.restart_with(&[("KEYSTILE_DRAIN_DEADLINE", "1h")]).await
}
