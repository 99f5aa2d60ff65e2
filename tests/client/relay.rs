//! A relay whose connections a test can cut, silence or redirect.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    spawn,
    sync::watch,
};

/// Forwards connections to an address that the test can change.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    connections: Arc<AtomicUsize>,
}

/// A change cuts every connection, except one to `Silent`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    To(SocketAddr),
    Gone,
    Silent,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        Self::start(Mode::To(target)).await
    }

    /// A relay that accepts connections and sends nothing.
    pub(crate) async fn silent() -> Self {
        Self::start(Mode::Silent).await
    }

    async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(mode);
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = connections.clone();
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                spawn(connection(client, modes.clone()));
            }
        });
        Self { address, mode, connections }
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Cuts every connection, and forwards new ones to `target`.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        self.mode.send_replace(Mode::To(target));
    }

    /// Cuts every connection, and new ones at once.
    pub(crate) fn close(&self) {
        self.mode.send_replace(Mode::Gone);
    }

    /// Keeps every connection, and carries nothing more.
    pub(crate) fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }
}

async fn connection(mut client: TcpStream, mut modes: watch::Receiver<Mode>) {
    let mode = *modes.borrow_and_update();
    match mode {
        Mode::To(target) => {
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                _ = modes.changed() => {}
            }
            if *modes.borrow_and_update() == Mode::Silent {
                drop(modes.changed().await);
            }
        }
        Mode::Gone => {}
        Mode::Silent => drop(modes.changed().await),
    }
}
