//! A connection: what its client must say first, what is noted of it, and how it is cut off.

use std::{
    io,
    net::SocketAddr,
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::sleep,
};
use tonic::transport::server::Connected;

use super::{
    activity::Activity,
    authenticate::Remembered,
    closing::Closing,
    connections::{Admitted, Connections},
};

/// How long a connection may stay without the first words of HTTP/2; from then on pings tell whether it lives.
const GREET_WITHIN: Duration = Duration::from_secs(10);
/// How long those words are.
const PREFACE: usize = 24;

/// Fails while it is silent, once it was so for too long or nothing new is begun any more: neither HTTP/2 nor a
/// graceful shutdown would end it. Fails once it is cut off, too.
pub(in crate::grpc) struct Connection {
    stream: TcpStream,
    silence: Option<Silence>,
    peer: Peer,
    admitted: Admitted,
}

/// The other side of a connection. Each call has a clone of it.
#[derive(Debug, Clone)]
pub(in crate::grpc) struct Peer(Arc<Other>);

#[derive(Debug)]
pub(in crate::grpc) struct Other {
    pub(in crate::grpc) address: Option<SocketAddr>,
    pub(in crate::grpc) remembered: Remembered,
    pub(in crate::grpc) activity: Arc<Activity>,
    pub(in crate::grpc) connections: Connections,
    pub(in crate::grpc) closing: Closing,
}

impl Deref for Peer {
    type Target = Other;

    fn deref(&self) -> &Other {
        &self.0
    }
}

struct Silence {
    left: usize,
    ends: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    pub(in crate::grpc) fn new(stream: TcpStream, admitted: Admitted, closing: Closing) -> Self {
        let told = closing.clone().told();
        let ends = Box::pin(async move {
            tokio::select! {
                () = sleep(GREET_WITHIN) => {}
                () = told => {}
            }
        });
        Self {
            peer: Peer(Arc::new(Other {
                address: stream.peer_addr().ok(),
                remembered: Remembered::default(),
                activity: admitted.activity.clone(),
                connections: admitted.connections(),
                closing,
            })),
            silence: Some(Silence { left: PREFACE, ends }),
            stream,
            admitted,
        }
    }

    /// What became of reading or writing, unless it waits for a client that is cut off.
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
        if let Some(silence) = &mut self.silence {
            let read = buffer.filled().len() - before;
            silence.left = silence.left.saturating_sub(read);
            if silence.left == 0 {
                self.silence = None;
            } else if polled.is_pending() && silence.ends.as_mut().poll(context).is_ready() {
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

    async fn pair(closing: Closing) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let [connections, _] = Connections::of_two([1, 1]);
        (client, Connection::new(stream, connections.admit().unwrap(), closing))
    }

    #[tokio::test]
    async fn half_a_greeting_is_cut_off_at_the_stop() {
        let (closer, closing) = Closing::new();
        let (mut client, mut server) = pair(closing).await;
        client.write_all(&[b'x'; PREFACE - 1]).await.unwrap();
        server.read_exact(&mut [0; PREFACE - 1]).await.unwrap();
        drop(closer);
        let cut = server.read_u8().await.unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_has_greeted_may_be_silent() {
        let (closer, closing) = Closing::new();
        let (mut client, mut server) = pair(closing).await;
        client.write_all(&[b'x'; PREFACE]).await.unwrap();
        server.read_exact(&mut [0; PREFACE]).await.unwrap();
        drop(closer);
        let (read, wrote) = tokio::join!(server.read_u8(), client.write_u8(7));
        wrote.unwrap();
        assert_eq!(read.unwrap(), 7);
    }
}
