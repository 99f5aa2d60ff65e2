//! Connections as they come in, each with its place among those that are open.

use std::{io, time::Duration};

use futures_util::{Stream, stream};
use tokio::{net::TcpListener, time::sleep};

use crate::telemetry::Series;

use super::{closing::Closing, connection::Connection, connections::Connections};

/// A bound socket, and how many connections it may have open.
#[derive(Debug)]
pub struct Listener {
    pub socket: TcpListener,
    pub connections: Connections,
}

/// Without a bound.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        let [connections, _] = Connections::of_two([usize::MAX / 2; 2]);
        Self { socket, connections }
    }
}

impl Listener {
    pub(in crate::grpc) fn connections(
        self,
        closing: Closing,
    ) -> impl Stream<Item = io::Result<Connection>> + Send {
        stream::unfold((self, closing), async |(listener, closing)| {
            let connection = listener.next(&closing).await;
            Some((Ok(connection), (listener, closing)))
        })
    }

    async fn next(&self, closing: &Closing) -> Connection {
        loop {
            let stream = match self.socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) if is_of_the_connection(&error) => continue,
                Err(error) => {
                    if NOT_ACCEPTED.note() {
                        tracing::error!(error = %error, "a connection could not be accepted");
                    }
                    sleep(PAUSE).await;
                    continue;
                }
            };
            // What is not admitted is closed by being dropped.
            if let Some(admitted) = self.connections.admit()
                && stream.set_nodelay(true).is_ok()
            {
                return Connection::new(stream, admitted, closing.clone());
            }
        }
    }
}

static NOT_ACCEPTED: Series = Series::new("connections could not be accepted");

/// Between attempts when the system has no descriptor left, which it says again at once.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether it failed before it was accepted, as one that was reset at once.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
