//! A connection on which a test sends any frames.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::PATIENCE;

use super::{END_STREAM, GOAWAY, Head, PREFACE, RST_STREAM, SETTINGS, frame};

/// A frame that was received.
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
    /// A connection on which nothing was sent.
    pub async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// A connection after a valid preface.
    pub async fn open(address: SocketAddr) -> Self {
        let mut connection = Self::silent(address).await;
        connection.send(PREFACE).await.unwrap();
        connection.send(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        connection
    }

    /// Fails once the server has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = timeout(PATIENCE, self.0.write_all(bytes)).await;
        sent.expect("the server does not read")
    }

    /// The next frame; `None` once the server has closed the connection.
    pub async fn receive(&mut self) -> Option<Frame> {
        let received = timeout(PATIENCE, self.read_frame()).await;
        received.expect("the server does not answer").ok()
    }

    async fn read_frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; Head::SIZE];
        self.0.read_exact(&mut head).await?;
        let head = Head::read(&head).expect("the head is complete");
        let mut payload = vec![0; head.length];
        self.0.read_exact(&mut payload).await?;
        Ok(Frame { kind: head.kind, flags: head.flags, stream: head.stream, payload })
    }

    /// The frames of this stream until it or the connection ends.
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

    /// Reads until the server closes the connection.
    pub async fn ends(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends the connection too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("the server does not close the connection");
        rest
    }

    /// Gives the reading half to another task, and keeps the writing half.
    pub fn unread(self) -> impl AsyncWriteExt + Unpin {
        let (mut reader, writer) = self.0.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
        writer
    }
}
