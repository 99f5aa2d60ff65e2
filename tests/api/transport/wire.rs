//! HTTP/2 by hand, so that it can be spoken badly.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::PATIENCE;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

pub(super) const CANCEL: [u8; 4] = [0, 0, 0, 8];

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a gRPC call, every header written out.
pub(super) fn header_block(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let call = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut block = Vec::new();
    for (name, value) in call.iter().chain(more) {
        block.push(0); // literal, never indexed
        text(&mut block, name);
        text(&mut block, value);
    }
    block
}

fn text(block: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128 + 128).unwrap());
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap());
    }
    block.extend(text.bytes());
}

/// How many bytes come before a gRPC message.
pub(super) const PREFIX: usize = 5;

/// A gRPC message as it stands in DATA frames.
pub(super) fn message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0];
    message.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(body);
    message
}

#[derive(Debug)]
pub(super) struct Connection(TcpStream);

impl Connection {
    /// A connection on which nothing was said.
    pub(super) async fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// A connection that has begun as it should.
    pub(super) async fn open(address: SocketAddr) -> Self {
        let mut connection = Self::silent(address).await;
        connection.send(PREFACE).await.unwrap();
        connection.send(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        connection
    }

    /// Fails once the server has hung up.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = timeout(PATIENCE, self.0.write_all(bytes)).await;
        sent.expect("the server does not read")
    }

    /// The next frame; `None` once the server has hung up.
    pub(super) async fn receive(&mut self) -> Option<Frame> {
        let received = timeout(PATIENCE, self.read_frame()).await;
        received.expect("the server does not answer").ok()
    }

    async fn read_frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await?;
        Ok(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        })
    }

    /// What still comes on this stream until it ends, or the connection does.
    pub(super) async fn rest_of(&mut self, stream: u32) -> Vec<Frame> {
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
    pub(super) async fn ends(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset ends it just as well.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("the server does not hang up");
        rest
    }

    /// Lets somebody else read whatever comes, and goes on to write.
    pub(super) fn unread(self) -> impl AsyncWriteExt + Unpin {
        let (mut reader, writer) = self.0.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
        writer
    }
}
