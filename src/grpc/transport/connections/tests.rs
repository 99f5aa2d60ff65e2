//! Which connections are closed, tick by tick.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame};
use tokio::{sync::mpsc, time::sleep};
use tonic::{Status, body::Body};
use tonic_types::StatusExt;

use super::*;
use crate::grpc::transport::{
    activity::{OpenCall, OpenPublicCall, UnreadBytes, UnreadLimit},
    single::single,
    streamed::{Streamed, streamed},
};

fn of(most: usize) -> Connections {
    let [connections, _] = Connections::of_two([most, 0]);
    connections
}

/// Connections with a running watch, and the token that stops their listener.
fn watched(most: usize) -> (Connections, CancellationToken) {
    let connections = of(most);
    let stop = CancellationToken::new();
    let (watching, stopped) = (connections.clone(), stop.clone());
    tokio::spawn(async move { watching.watch::<()>(stopped).await });
    (connections, stop)
}

fn authenticated(connections: &Connections) -> Admitted {
    let admitted = connections.admit().unwrap();
    admitted.activity.note_authenticated();
    admitted
}

fn is_cut(admitted: &Admitted) -> bool {
    admitted.activity.is_cut_off(&Context::from_waker(Waker::noop()))
}

/// The response body of an open stream, with its sender.
fn stream(admitted: &Admitted) -> (Streamed, mpsc::UnboundedSender<Bytes>) {
    let (sender, answers) = mpsc::unbounded_channel();
    (streamed(Body::new(Answers(answers)), OpenCall::new(admitted.activity.clone())), sender)
}

struct Answers(mpsc::UnboundedReceiver<Bytes>);

impl http_body::Body for Answers {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.poll_recv(context).map(|answer| answer.map(|data| Ok(Frame::data(data))))
    }
}

/// The next response, if there is one, polled as the connection does.
fn next(stream: &mut Streamed) -> Option<Bytes> {
    match Pin::new(stream).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame.unwrap().unwrap().into_data().ok(),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn the_oldest_unauthenticated_connection_is_closed_to_make_room() {
    let connections = of(3);
    let caller = authenticated(&connections);
    let strangers = [connections.admit().unwrap(), connections.admit().unwrap()];
    let newcomer = connections.admit().unwrap();
    assert!(!newcomer.activity.is_spare());
    assert_eq!([is_cut(&caller), is_cut(&strangers[0]), is_cut(&strangers[1])], [false, true, false]);
}

#[tokio::test]
async fn beyond_the_limit_there_is_room_only_for_health_checks() {
    let connections = of(2);
    let callers = [authenticated(&connections), authenticated(&connections)];
    let spare: Vec<_> = (0..SPARE * 2).map(|_| connections.admit().unwrap()).collect();
    let (first, last) = spare.split_at(SPARE);
    assert!(last.iter().all(|it| it.activity.is_spare() && !connections.has_room_for(&it.activity)));
    assert!(first.iter().all(is_cut) && !last.iter().any(is_cut), "the oldest make room");
    assert!(!callers.iter().any(is_cut));
    drop(callers);
    let last = spare.last().unwrap();
    assert!(connections.has_room_for(&last.activity) && !last.activity.is_spare());
}

#[tokio::test]
async fn an_ordinary_unauthenticated_connection_is_closed_before_a_spare_one() {
    let connections = of(3);
    let caller = authenticated(&connections);
    let busy = [authenticated(&connections), authenticated(&connections)];
    let spare = connections.admit().unwrap();
    drop(busy);
    // Two places are free; unauthenticated connections are closed to make room for each other.
    let strangers: Vec<_> = (0..4).map(|_| connections.admit().unwrap()).collect();
    assert!(!strangers.iter().any(|it| it.activity.is_spare()));
    assert_eq!(strangers.iter().map(is_cut).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!([is_cut(&caller), is_cut(&spare), spare.activity.is_spare()], [false, false, true]);
}

#[tokio::test]
async fn a_connection_in_its_first_call_is_closed_after_silent_ones() {
    let connections = of(2);
    let [calling, silent] = [connections.admit().unwrap(), connections.admit().unwrap()];
    let _open = OpenCall::new(calling.activity.clone());
    connections.admit().unwrap();
    assert_eq!([is_cut(&calling), is_cut(&silent)], [false, true]);
}

#[tokio::test]
async fn with_all_places_taken_by_callers_a_connection_is_refused() {
    let connections = of(1);
    let _callers: Vec<_> = (0..=SPARE).map(|_| authenticated(&connections)).collect();
    assert!(connections.admit().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_long_idle_authenticated_connection_is_closed_too() {
    let (connections, _stop) = watched(2);
    let [idle, busy] = [authenticated(&connections), authenticated(&connections)];
    let _open = OpenCall::new(busy.activity.clone());
    sleep(TICK * (IDLE + 2)).await;
    assert!(!is_cut(&idle), "while there is room");
    connections.admit().unwrap();
    assert_eq!([is_cut(&idle), is_cut(&busy)], [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_cut_off_and_a_slow_one_is_not() {
    let (connections, _stop) = watched(10);
    let [deaf, slow, quiet] =
        [authenticated(&connections), authenticated(&connections), authenticated(&connections)];
    let mut waiting = [&deaf, &slow].map(|it| UnreadBytes::new(&it.activity, 100_000));
    for _ in 0..10 {
        sleep(TICK * (STALLED - 2)).await;
        drop(waiting[1].split(1000).attach_to(Bytes::new()));
        // Pings are still answered.
        deaf.activity.wrote(1000);
    }
    assert_eq!([is_cut(&deaf), is_cut(&slow), is_cut(&quiet)], [true, false, false]);
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_were_never_sent_do_not_count_as_read() {
    let (connections, _stop) = watched(10);
    let deaf = authenticated(&connections);
    let unread = UnreadBytes::new(&deaf.activity, 100_000);
    let (mut idle, answers) = stream(&deaf);
    answers.send(Bytes::from(vec![0; 20_000])).unwrap();
    assert!(next(&mut idle).is_some());
    for _ in 0..STALLED + 2 {
        sleep(TICK).await;
        // As when the caller of the stream is checked again.
        assert!(next(&mut idle).is_none());
        drop(UnreadBytes::new(&deaf.activity, 20_000));
    }
    assert!(is_cut(&deaf));
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_with_all_responses_read_stays_open() {
    let (connections, _stop) = watched(10);
    let caller = authenticated(&connections);
    let (mut idle, answers) = stream(&caller);
    for _ in 0..2 {
        answers.send(Bytes::from(vec![0; 20_000])).unwrap();
        drop(next(&mut idle).unwrap());
    }
    for _ in 0..STALLED + 2 {
        sleep(TICK).await;
        assert!(next(&mut idle).is_none());
    }
    assert!(!is_cut(&caller));
    assert_eq!(caller.activity.unread(), 0);
}

#[tokio::test(start_paused = true)]
async fn progress_on_one_stream_keeps_the_connection_of_a_paused_one() {
    let (connections, _stop) = watched(10);
    let caller = authenticated(&connections);
    let unread = UnreadBytes::new(&caller.activity, 100_000);
    let (mut living, answers) = stream(&caller);
    for _ in 0..STALLED * 2 {
        sleep(TICK).await;
        answers.send(Bytes::from_static(b"small")).unwrap();
        assert!(next(&mut living).is_some());
    }
    assert!(!is_cut(&caller));
    sleep(TICK * (STALLED + 2)).await;
    assert!(is_cut(&caller), "once the other stream stops reading too");
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn at_the_stop_only_connections_with_calls_stay() {
    let (connections, stop) = watched(10);
    let [idle, busy, unread] =
        [authenticated(&connections), authenticated(&connections), authenticated(&connections)];
    let stranger = connections.admit().unwrap();
    let open = OpenCall::new(busy.activity.clone());
    let waiting = UnreadBytes::new(&unread.activity, 100_000);
    sleep(TICK * 10).await;
    assert!(![&idle, &busy, &unread, &stranger].into_iter().any(is_cut), "before the stop");
    stop.cancel();
    // A small amount that is not counted may still be read.
    sleep(TICK * 4).await;
    assert!(![&idle, &stranger].into_iter().any(is_cut), "within the time to close");
    sleep(TICK * 4).await;
    assert_eq!([&idle, &stranger, &busy, &unread].map(is_cut), [true, true, false, false]);
    drop((open, waiting));
    sleep(TICK * 8).await;
    assert_eq!([&busy, &unread].map(is_cut), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn at_the_stop_pings_do_not_keep_a_connection_open() {
    let (connections, stop) = watched(10);
    let noisy = connections.admit().unwrap();
    stop.cancel();
    for _ in 0..PARTING + 2 {
        sleep(TICK).await;
        noisy.activity.wrote(1000);
        drop(OpenCall::new(noisy.activity.clone()));
    }
    assert!(is_cut(&noisy));
}

#[test]
fn unread_bytes_are_bounded_per_connection_and_in_total() {
    let mebibyte = 1 << 20;
    let connections = of(100);
    let fill = |connection: &Admitted| {
        let room = || connection.activity.room_for(mebibyte).is_ok();
        std::iter::from_fn(|| room().then(|| UnreadBytes::new(&connection.activity, mebibyte)))
            .collect::<Vec<_>>()
    };
    let all: Vec<_> = (0..20).map(|_| connections.admit().unwrap()).collect();
    let waiting: Vec<_> = all.iter().map(fill).collect();
    assert_eq!(waiting[0].len(), 16);
    assert_eq!(waiting.iter().map(Vec::len).sum::<usize>(), 256);
    assert_eq!(all[0].activity.room_for(1), Err(UnreadLimit::OfConnection));
    assert_eq!(all[19].activity.room_for(1), Err(UnreadLimit::OfNode));
    drop(waiting);
    let mut first = UnreadBytes::new(&all[0].activity, mebibyte);
    let part = first.split(1000);
    drop(first);
    assert_eq!(all[0].activity.unread(), 1000);
    drop(part);
    assert_eq!(all[0].activity.unread(), 0);
}

#[test]
fn without_room_lists_are_refused_and_changes_are_answered() {
    let connections = of(100);
    let all: Vec<_> = (0..17).map(|_| connections.admit().unwrap()).collect();
    let waiting: Vec<_> = all[..16].iter().map(|it| UnreadBytes::new(&it.activity, 16 << 20)).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut answer = |admitted: &Admitted, may_repeat| {
        let (sender, answers) = mpsc::unbounded_channel();
        sender.send(Bytes::from(vec![0; 20_000])).unwrap();
        let answer =
            single(Response::new(Body::new(Answers(answers))), &admitted.activity, may_repeat, &mut context);
        (Status::from_header_map(answer.headers()), answer)
    };
    for (admitted, reason, retried) in [(&all[0], "TOO_LARGE", false), (&all[16], "OVERLOADED", true)] {
        let (refused, _) = answer(admitted, true);
        let details = refused.unwrap().get_error_details();
        assert_eq!(details.error_info().unwrap().reason, reason);
        assert_eq!(details.retry_info().is_some(), retried);
        let before = admitted.activity.unread();
        let (refused, answer) = answer(admitted, false);
        assert!(refused.is_none(), "only this response has the new API key");
        assert_eq!(admitted.activity.unread(), before + 20_000, "the response still counts");
        drop(answer);
    }
    drop(waiting);
}

#[test]
fn open_calls_without_credential_are_limited() {
    let admitted = of(1).admit().unwrap();
    let mut open: Vec<_> = std::iter::from_fn(|| OpenPublicCall::new(admitted.activity.clone())).collect();
    assert_eq!(open.len(), 32);
    open.pop();
    assert!(OpenPublicCall::new(admitted.activity.clone()).is_some());
}
