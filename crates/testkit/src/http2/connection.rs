//! A connection on which a test says whatever it likes.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::PATIENCE;

use super::{END_STREAM, GOAWAY, Head, PREFACE, RST_STREAM, SETTINGS, frame};

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    /// A connection on which nothing was said.
    pub async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// A connection that has begun as it should.
    pub async fn open(address: SocketAddr) -> Self {
        let mut connection = Self::silent(address).await;
        connection.send(PREFACE).await.unwrap();
        connection.send(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        connection
    }

    /// Fails once the server has hung up.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = timeout(PATIENCE, self.0.write_all(bytes)).await;
        sent.expect("the server does not read")
    }

    /// The next frame; `None` once the server has hung up.
    pub async fn receive(&mut self) -> Option<Frame> {
        let received = timeout(PATIENCE, self.read_frame()).await;
        received.expect("the server does not answer").ok()
    }

    async fn read_frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; Head::SIZE];
        self.0.read_exact(&mut head).await?;
        let head = Head::read(&head).expect("it is whole");
        let mut payload = vec![0; head.length];
        self.0.read_exact(&mut payload).await?;
        Ok(Frame { kind: head.kind, flags: head.flags, stream: head.stream, payload })
    }

    /// What still comes on this stream until it ends, or the connection does.
    pub async fn rest_of(&mut self, stream: u32) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.receive().await {
            let ends = frame.kind == GOAWAY
                || frame.stream == stream && (frame.kind == RST_STREAM || frame.flags & END_STREAM != 0);
            if frame.stream == stream || frame.kind == GOAWAY {
                frames.push(frame);
            }
            if ends {
                break;
            }
        }
        frames
    }

    /// Reads on until the server hangs up.
    pub async fn ends(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends it just as well.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the server does not hang up");
        rest
    }

    /// Gives the reading half to another task, and keeps the writing half.
    pub fn unread(self) -> impl AsyncWriteExt + Unpin {
        let (mut reader, writer) = self.0.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
        writer
    }
}
