//! Connections and clients, by ticks.

use tokio::time::sleep;

use super::*;
use crate::grpc::activity::{Open, Waiting};

fn of(most: usize) -> Connections {
    let [connections, _] = Connections::of_two([most, 0]);
    connections
}

/// `connections` that are watched, and the word that the listener closes.
fn watched(most: usize) -> (Connections, tokio::sync::oneshot::Sender<()>) {
    let connections = of(most);
    let (closer, closing) = Closing::new();
    let (close, closed) = tokio::sync::oneshot::channel();
    tokio::spawn(async move { closer.after(async { drop(closed.await) }).await });
    let watching = connections.clone();
    tokio::spawn(async move { watching.watch::<()>(closing).await });
    (connections, close)
}

fn let_in(connections: &Connections) -> Admitted {
    let admitted = connections.admit().unwrap();
    admitted.activity.let_in();
    admitted
}

fn is_cut(admitted: &Admitted) -> bool {
    admitted.activity.is_cut_off(&std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test]
async fn the_oldest_stranger_makes_room_and_callers_stay() {
    let connections = of(3);
    let caller = let_in(&connections);
    let strangers = [connections.admit().unwrap(), connections.admit().unwrap()];
    let newcomer = connections.admit().unwrap();
    assert!(!newcomer.activity.is_spare());
    assert_eq!([is_cut(&caller), is_cut(&strangers[0]), is_cut(&strangers[1])], [false, true, false]);
}

#[tokio::test]
async fn beyond_the_cap_there_is_room_for_health_checks_alone() {
    let connections = of(2);
    let callers = [let_in(&connections), let_in(&connections)];
    let spare: Vec<_> = (0..SPARE * 2).map(|_| connections.admit().unwrap()).collect();
    assert!(spare.iter().all(|it| it.activity.is_spare() && !connections.has_room_for(&it.activity)));
    assert_eq!(spare.iter().filter(|it| !is_cut(it)).count(), 1, "each gives way to the next");
    assert!(!callers.iter().any(is_cut));
    drop(callers);
    let last = spare.last().unwrap();
    assert!(connections.has_room_for(&last.activity) && !last.activity.is_spare());
}

#[tokio::test]
async fn there_is_an_end_of_it() {
    let connections = of(1);
    let _callers: Vec<_> = (0..=SPARE).map(|_| let_in(&connections)).collect();
    assert!(connections.admit().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_idle_for_long_makes_room_too() {
    let (connections, _close) = watched(2);
    let [idle, busy] = [let_in(&connections), let_in(&connections)];
    let _open = Open::new(busy.activity.clone());
    sleep(TICK * (IDLE + 2)).await;
    assert!(!is_cut(&idle), "as long as there is room");
    connections.admit().unwrap();
    assert_eq!([is_cut(&idle), is_cut(&busy)], [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut_off_and_a_slow_one_is_not() {
    let (connections, _close) = watched(10);
    let [deaf, slow, quiet] = [let_in(&connections), let_in(&connections), let_in(&connections)];
    let mut waiting = [&deaf, &slow].map(|it| Waiting::new(&it.activity, 100_000).unwrap());
    for _ in 0..10 {
        sleep(TICK * (STALLED - 2)).await;
        drop(waiting[1].split(1000));
        // Pings are answered all the same.
        deaf.activity.wrote(1000);
    }
    assert_eq!([is_cut(&deaf), is_cut(&slow), is_cut(&quiet)], [true, false, false]);
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn at_the_stop_only_calls_hold() {
    let (connections, close) = watched(10);
    let [idle, busy, unread] = [let_in(&connections), let_in(&connections), let_in(&connections)];
    let stranger = connections.admit().unwrap();
    let open = Open::new(busy.activity.clone());
    let waiting = Waiting::new(&unread.activity, 100_000).unwrap();
    sleep(TICK * 10).await;
    assert!(![&idle, &busy, &unread, &stranger].into_iter().any(is_cut), "not before");
    close.send(()).unwrap();
    sleep(TICK * 5).await;
    assert_eq!([&idle, &stranger, &busy, &unread].map(is_cut), [true, true, false, false]);
    drop((open, waiting));
    sleep(TICK * 5).await;
    assert_eq!([&busy, &unread].map(is_cut), [true, true]);
}

#[test]
fn what_waits_is_bounded_for_one_and_for_all() {
    let mebibyte = 1 << 20;
    let connections = of(100);
    let fill = |connection: &Admitted| {
        std::iter::from_fn(|| Waiting::new(&connection.activity, mebibyte)).collect::<Vec<_>>()
    };
    let all: Vec<_> = (0..20).map(|_| connections.admit().unwrap()).collect();
    let waiting: Vec<_> = all.iter().map(fill).collect();
    assert_eq!(waiting[0].len(), 16);
    assert_eq!(waiting.iter().map(Vec::len).sum::<usize>(), 256);
    assert_eq!(all[19].activity.waiting(), 0, "what did not fit does not count");
    drop(waiting);
    let mut first = Waiting::new(&all[0].activity, mebibyte).unwrap();
    let part = first.split(1000);
    drop(first);
    assert_eq!(all[0].activity.waiting(), 1000);
    drop(part);
    assert_eq!(all[0].activity.waiting(), 0);
}
