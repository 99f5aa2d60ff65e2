//! A way to a database server that fails when a COMMIT comes along.

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

/// What becomes of the next COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is cut before the server sees it.
    CutBefore,
    /// The connection is cut once the server has done it, before it can say so.
    CutAfter,
    /// The server gets another word for it, answers with an error, and leaves the transaction open.
    Refused,
    /// The client's host is gone: the server hears no more, not even of an end.
    Vanished,
    /// The server's host is gone once the server has done it: the client hears no more, not even of an end.
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
    /// Whether an order to break off a statement is held up on its way, for ever.
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

    /// The way to the database through here, on one connection.
    pub(crate) fn options(&self, database: &Database) -> Options {
        let (before, _, behind) = parts(url(database), database.kind);
        // What is encrypted cannot be read here.
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

    /// From now on connections carry nothing, and do not end; a server that takes over is reached by new ones.
    pub(crate) fn lose_the_server(&self) {
        self.shared.lost.fetch_add(1, SeqCst);
    }

    /// From now on no order to break off a statement arrives; one that was given counts as happened.
    pub(crate) fn hold_orders(&self) {
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

/// What is before the server's address, the address, and what is behind it.
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

/// As both protocols have it at the end of a message: PostgreSQL's with a zero behind it.
fn commit_in(message: &[u8]) -> Option<usize> {
    let text = message.strip_suffix(b"\0").unwrap_or(message);
    text.ends_with(b"COMMIT").then(|| text.len() - b"COMMIT".len())
}

/// Whether it orders to break off a statement.
fn is_order(message: &[u8]) -> bool {
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
                if shared.holds_orders.load(SeqCst) && is_order(message) {
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
                            // What the client still says reaches nobody, and its end is none to the server.
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
