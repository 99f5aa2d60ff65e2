//! Accepts connections, within the listener's limit.

use std::{io, time::Duration};

use futures_util::{Stream, stream};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Series;

use super::{connection::Connection, connections::Connections};

/// A bound socket, and how many connections it may have open.
#[derive(Debug)]
pub struct Listener {
    pub socket: TcpListener,
    pub connections: Connections,
}

/// Without a limit.
impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        let [connections, _] = Connections::of_two([usize::MAX / 2; 2]);
        Self { socket, connections }
    }
}

impl Listener {
    pub(in crate::grpc) fn connections(
        self,
        stop: CancellationToken,
    ) -> impl Stream<Item = io::Result<Connection>> + Send {
        stream::unfold((self, stop), async |(listener, stop)| {
            let connection = listener.next(&stop).await;
            Some((Ok(connection), (listener, stop)))
        })
    }

    async fn next(&self, stop: &CancellationToken) -> Connection {
        loop {
            let stream = match self.socket.accept().await {
                Ok((stream, _)) => stream,
                Err(error) if concerns_one_connection(&error) => continue,
                Err(error) => {
                    if NOT_ACCEPTED.note() {
                        tracing::error!(error = %error, "a connection could not be accepted");
                    }
                    sleep(PAUSE).await;
                    continue;
                }
            };
            // A connection that is not admitted is dropped, which closes it.
            if let Some(admitted) = self.connections.admit()
                && stream.set_nodelay(true).is_ok()
            {
                return Connection::new(stream, admitted, stop.clone());
            }
        }
    }
}

static NOT_ACCEPTED: Series = Series::new("connections could not be accepted");

/// Pause after a failure such as a lack of file descriptors, which would repeat at once.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether only this connection failed, for example because it was reset before it was accepted.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
