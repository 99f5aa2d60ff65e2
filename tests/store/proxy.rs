//! A proxy to a database server that can fail at a COMMIT.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use keystile::store::{Location, Options};
use testkit::database::{Database, Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
};

/// What happens to the next COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is cut before the server receives it.
    CutBefore,
    /// The connection is cut after the server has executed it, before the answer.
    CutAfter,
    /// The server receives something else, answers with an error, and leaves the transaction open.
    Refused,
    /// The client's host is lost: the server receives nothing more, not even the end of the connection.
    Vanished,
    /// The server's host is lost after the server has executed it: the client receives nothing more, not even an end.
    Lost,
}

/// Connections through it end when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    fault: Mutex<Option<Fault>>,
    happened: Notify,
    /// How many connections are open.
    open: watch::Sender<usize>,
    /// How many servers were lost so far.
    lost: AtomicUsize,
    /// Whether requests to cancel a statement are held back for ever.
    holds_orders: AtomicBool,
}

impl Proxy {
    pub(crate) async fn start(database: &Database) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (_, server, _) = parts(url(database), database.kind);
        let task = tokio::spawn({
            let shared = shared.clone();
            async move {
                // They end with this task.
                let mut connections = JoinSet::new();
                loop {
                    let (client, _) = listener.accept().await.unwrap();
                    let server = TcpStream::connect(&server).await.unwrap();
                    let shared = shared.clone();
                    shared.open.send_modify(|open| *open += 1);
                    connections.spawn(async move {
                        pass(client, server, &shared).await;
                        shared.open.send_modify(|open| *open -= 1);
                    });
                }
            }
        });
        Self { address, shared, task }
    }

    /// Options of a store that reaches the database through this proxy, on one connection.
    pub(crate) fn options(&self, database: &Database) -> Options {
        let (before, _, behind) = parts(url(database), database.kind);
        // The proxy must read the statements, so no TLS.
        let plain = match database.kind {
            Kind::Postgres => "sslmode=disable",
            _ => "ssl-mode=DISABLED",
        };
        let name = behind.split('?').next().unwrap();
        let url = format!("{before}{}/{name}?{plain}", self.address);
        Options { location: Location::Server(url), max_connections: 1, ..database.options() }
    }

    pub(crate) fn arm(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = Some(fault);
    }

    /// From now on existing connections carry nothing, and do not end; new ones reach a server.
    pub(crate) fn lose_the_server(&self) {
        self.shared.lost.fetch_add(1, SeqCst);
    }

    /// From now on no request to cancel a statement arrives; one that is sent counts as a fault that has happened.
    pub(crate) fn hold_cancellations(&self) {
        self.shared.holds_orders.store(true, SeqCst);
    }

    /// Resolves once a single connection is open.
    pub(crate) async fn one_is_open(&self) {
        self.shared.open.subscribe().wait_for(|open| *open == 1).await.unwrap();
    }

    /// Resolves once the fault has happened.
    pub(crate) async fn happened(&self) {
        self.shared.happened.notified().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn url(database: &Database) -> &str {
    match &database.location {
        Location::Server(url) => url,
        Location::Sqlite(_) => panic!("no server"),
    }
}

/// The parts of the URL before, of, and after the server's address.
fn parts(url: &str, kind: Kind) -> (&str, String, &str) {
    let (front, behind) = url.split_at(url.find("://").unwrap() + 3);
    let (authority, behind) = behind.split_once('/').unwrap();
    let host = authority.rfind('@').map_or(0, |at| at + 1);
    let before = &url[..front.len() + host];
    let port = if kind == Kind::Postgres { 5432 } else { 3306 };
    let host = &authority[host..];
    let server = if host.contains(':') { host.to_owned() } else { format!("{host}:{port}") };
    (before, server, behind)
}

/// Finds COMMIT at the end of a message; PostgreSQL's has a zero byte after it.
fn commit_in(message: &[u8]) -> Option<usize> {
    let text = message.strip_suffix(b"\0").unwrap_or(message);
    text.ends_with(b"COMMIT").then(|| text.len() - b"COMMIT".len())
}

/// Whether it is a request to cancel a statement.
fn is_cancellation(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    text.contains("pg_cancel_backend") || text.contains("KILL QUERY")
}

async fn pass(mut client: TcpStream, mut server: TcpStream, shared: &Shared) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let lost = shared.lost.load(SeqCst);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                if shared.lost.load(SeqCst) != lost { std::future::pending().await }
                let Ok(length @ 1..) = read else { return };
                let message = &mut up[..length];
                if shared.holds_orders.load(SeqCst) && is_cancellation(message) {
                    shared.happened.notify_one();
                    std::future::pending::<()>().await;
                }
                if let Some(at) = commit_in(message) {
                    let fault = shared.fault.lock().unwrap().take();
                    if fault.is_some() {
                        shared.happened.notify_one();
                    }
                    match fault {
                        Some(Fault::CutBefore) => return,
                        Some(Fault::CutAfter) => {
                            server.write_all(message).await.unwrap();
                            assert!(server.read(&mut down).await.unwrap() > 0);
                            return;
                        }
                        Some(Fault::Lost) => {
                            server.write_all(message).await.unwrap();
                            assert!(server.read(&mut down).await.unwrap() > 0);
                            // Discard what the client still sends, and do not close the server's side.
                            std::future::pending().await
                        }
                        Some(Fault::Refused) => message[at..at + 6].copy_from_slice(b"FORGET"),
                        Some(Fault::Vanished) => std::future::pending().await,
                        None => {}
                    }
                }
                if server.write_all(message).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}
