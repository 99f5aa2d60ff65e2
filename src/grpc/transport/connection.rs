//! A connection as a byte stream: its client must send the HTTP/2 preface in time, and it can be cut off.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use super::{connections::Admitted, peer::Peer};

/// How long the HTTP/2 preface may take; from then on pings find out whether the client is alive.
const PREFACE_WITHIN: Duration = Duration::from_secs(10);
/// The length of the preface in bytes.
const PREFACE: usize = 24;

/// Fails when the preface does not arrive in time or before the listener stops, because neither HTTP/2 nor a graceful shutdown
/// ends a connection without one. Fails once it is cut off, too.
pub(in crate::grpc) struct Connection {
    stream: TcpStream,
    preface: Option<Preface>,
    peer: Peer,
    admitted: Admitted,
}

/// The part of the preface that is still to come.
struct Preface {
    left: usize,
    deadline: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    pub(in crate::grpc) fn new(stream: TcpStream, admitted: Admitted, stop: CancellationToken) -> Self {
        let stopped = stop.clone();
        let deadline = Box::pin(async move {
            // Whichever comes first.
            stopped.run_until_cancelled(sleep(PREFACE_WITHIN)).await;
        });
        let address = stream.peer_addr().ok();
        Self {
            peer: Peer::new(address, admitted.activity.clone(), admitted.connections(), stop),
            preface: Some(Preface { left: PREFACE, deadline }),
            stream,
            admitted,
        }
    }

    /// `polled`, unless it waits for a client that is cut off.
    fn unless_cut_off<T>(&self, polled: Poll<io::Result<T>>, context: &Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.admitted.activity.is_cut_off(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        polled
    }

    fn noted(&self, written: Poll<io::Result<usize>>, context: &Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &written {
            self.admitted.activity.wrote(*bytes);
        }
        self.unless_cut_off(written, context)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(preface) = &mut self.preface {
            let read = buffer.filled().len() - before;
            preface.left = preface.left.saturating_sub(read);
            if preface.left == 0 {
                self.preface = None;
            } else if polled.is_pending() && preface.deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        self.unless_cut_off(polled, context)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.noted(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};

    use super::*;
    use crate::grpc::transport::connections::Connections;

    async fn pair(stop: CancellationToken) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let [connections, _] = Connections::of_two([1, 1]);
        (client, Connection::new(stream, connections.admit().unwrap(), stop))
    }

    #[tokio::test]
    async fn a_connection_with_half_a_preface_is_closed_at_the_stop() {
        let stop = CancellationToken::new();
        let (mut client, mut server) = pair(stop.clone()).await;
        client.write_all(&[b'x'; PREFACE - 1]).await.unwrap();
        server.read_exact(&mut [0; PREFACE - 1]).await.unwrap();
        stop.cancel();
        let cut = server.read_u8().await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_may_be_silent_after_the_preface() {
        let stop = CancellationToken::new();
        let (mut client, mut server) = pair(stop.clone()).await;
        client.write_all(&[b'x'; PREFACE]).await.unwrap();
        server.read_exact(&mut [0; PREFACE]).await.unwrap();
        stop.cancel();
        let (read, wrote) = tokio::join!(server.read_u8(), client.write_u8(7));
        wrote.unwrap();
        assert_eq!(read.unwrap(), 7);
    }
}
