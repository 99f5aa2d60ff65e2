//! A connection whose other side has yet to say that it speaks HTTP/2.

use std::{
    io,
    net::SocketAddr,
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

use super::{authenticate::Remembered, closing::Closing};

/// How long a connection may stay without the first words of HTTP/2; from then on pings tell whether it lives.
const GREET_WITHIN: Duration = Duration::from_secs(10);
/// How long those words are.
const PREFACE: usize = 24;

/// Fails while it is silent, once it was so for too long or nothing new is begun any more: neither HTTP/2 nor a
/// graceful shutdown would end it.
pub(super) struct Connection {
    stream: TcpStream,
    silence: Option<Silence>,
    peer: Peer,
}

/// The other side of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: Option<SocketAddr>,
    pub(super) remembered: Arc<Remembered>,
}

struct Silence {
    left: usize,
    ends: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, closing: Closing) -> Self {
        let ends = Box::pin(async move {
            tokio::select! {
                () = sleep(GREET_WITHIN) => {}
                () = closing.told() => {}
            }
        });
        Self {
            peer: Peer { address: stream.peer_addr().ok(), remembered: Arc::default() },
            silence: Some(Silence { left: PREFACE, ends }),
            stream,
        }
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
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
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
        (client, Connection::new(stream, closing))
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
