//! A proxy between the server and PostgreSQL that cuts the connection of a transaction during its COMMIT.

use std::sync::{Arc, Mutex};

use keystile::store::Location;
use testkit::database::Database;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The database never sees the COMMIT.
    BeforeCommit,
    /// The database has committed, but its answer is lost.
    BehindCommit,
}

/// Listens for as long as the test's runtime lives.
pub(super) struct Cutter {
    armed: Arc<Mutex<Option<Cut>>>,
}

impl Cutter {
    /// Starts one in front of `database`. Once armed, it cuts transactions that send these bytes.
    pub(super) async fn before(database: &mut Database, mark: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let Location::Server(url) = &database.location else { panic!("the database has no connections") };
        let (start, rest) = url.split_once('@').unwrap();
        let (server, path) = rest.split_once('/').unwrap();
        let server = server.to_owned();
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let address = listener.local_addr().unwrap();
        // The proxy must read the statements, so no TLS.
        database.location = Location::Server(format!("{start}@{address}/{path}?sslmode=disable"));
        let armed = Arc::new(Mutex::new(None));
        let cutter = Self { armed: armed.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass(client, server, armed.clone(), mark));
            }
        });
        cutter
    }

    pub(super) fn arm(&self, cut: Cut) {
        *self.armed.lock().unwrap() = Some(cut);
    }

    pub(super) fn disarm(&self) {
        *self.armed.lock().unwrap() = None;
    }
}

async fn pass(
    mut client: TcpStream,
    mut server: TcpStream,
    armed: Arc<Mutex<Option<Cut>>>,
    mark: &[u8],
) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    // What the transaction has sent so far.
    let mut sent = Vec::new();
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let bytes = &asked[..length?];
                sent.extend_from_slice(bytes);
                // The bytes may be split between reads.
                if contains(&sent, b"COMMIT\0") {
                    let cut = *armed.lock().unwrap();
                    if let Some(cut) = cut.filter(|_| contains(&sent, mark)) {
                        if cut == Cut::BehindCommit {
                            server.write_all(bytes).await?;
                            let _lost = server.read(&mut answered).await?;
                        }
                        return Ok(());
                    }
                    sent.clear();
                }
                if bytes.is_empty() {
                    return Ok(());
                }
                server.write_all(bytes).await?;
            }
            length = server.read(&mut answered) => {
                let bytes = &answered[..length?];
                if bytes.is_empty() {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
