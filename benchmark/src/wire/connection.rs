//! One HTTP/2 connection: sends bytes, receives frames, keeps the windows.

use std::{io, net::SocketAddr};

use bytes::{Buf, BytesMut};
use testkit::http2::{
    ACK, DATA, END_STREAM, GOAWAY, HEADERS, Head, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    write_data, write_head, write_headers, write_settings, write_window_update,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::headers::header_blocks;

/// The largest window that HTTP/2 allows, so that the server never waits for the client.
pub(super) const WINDOW: u32 = (1 << 31) - 1;
/// The initial windows of a connection and its streams.
const INITIAL_WINDOW: u32 = 65_535;

/// The method to call, and the caller's credential.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// `Verify`, `BatchVerify` or `StreamVerify`.
    pub(crate) method: &'static str,
    pub(crate) api_key: String,
}

#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    pub(super) out: Vec<u8>,
    received: BytesMut,
    /// How much the server accepts: on the whole connection, and on a new stream.
    pub(super) send_window: i64,
    pub(super) stream_window: i64,
    /// Bytes received since the last window update.
    unacknowledged: u32,
    next_stream: u32,
    blocks: (Vec<u8>, Vec<u8>),
}

/// The meaning of a frame for its call.
#[derive(Debug)]
pub(super) enum Event<'a> {
    Data(&'a [u8]),
    /// The stream ended, with or without an error.
    End,
    /// There is room for more on the stream.
    Room(i64),
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> io::Result<Self> {
        let socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        let path = format!("/keystile.v1.VerifyService/{}", target.method);
        let authority = target.address.to_string();
        let mut connection = Self {
            socket,
            out: Vec::with_capacity(1 << 16),
            received: BytesMut::with_capacity(1 << 18),
            send_window: i64::from(INITIAL_WINDOW),
            stream_window: 0,
            unacknowledged: 0,
            next_stream: 1,
            blocks: header_blocks(&authority, &path, &target.api_key),
        };
        hello(&mut connection.out);
        // The server's first frame has its windows.
        while connection.stream_window == 0 {
            connection.flush().await?;
            connection.receive().await?;
            connection.events(|_, _| ())?;
        }
        Ok(connection)
    }

    /// Opens a stream; its headers wait to be sent.
    pub(super) fn begin(&mut self) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        let block = if stream == 1 { &self.blocks.0 } else { &self.blocks.1 };
        write_headers(&mut self.out, block, stream);
        stream
    }

    pub(super) fn send(&mut self, body: &[u8], stream: u32, ends: bool) {
        write_data(&mut self.out, body, stream, ends);
        self.send_window -= i64::try_from(body.len()).expect("the number fits");
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.socket.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// Waits for bytes; can be dropped without losing any.
    pub(super) async fn receive(&mut self) -> io::Result<()> {
        if self.received.capacity() - self.received.len() < 1 << 16 {
            self.received.reserve(1 << 18);
        }
        match self.socket.read_buf(&mut self.received).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            _ => Ok(()),
        }
    }

    /// Handles the frames that are complete.
    pub(super) fn events(&mut self, mut on_event: impl FnMut(u32, Event<'_>)) -> io::Result<()> {
        while let Some(head) = Head::read(&self.received) {
            let whole = Head::SIZE + head.length;
            let Some(payload) = self.received.get(Head::SIZE..whole) else {
                break;
            };
            let ends = head.flags & END_STREAM != 0;
            match head.kind {
                DATA => {
                    let length = u32::try_from(head.length).expect("a frame is small");
                    self.unacknowledged += length;
                    on_event(head.stream, Event::Data(payload));
                    if ends {
                        on_event(head.stream, Event::End);
                    }
                }
                HEADERS if ends => on_event(head.stream, Event::End),
                RST_STREAM => on_event(head.stream, Event::End),
                SETTINGS if head.flags & ACK == 0 => {
                    self.stream_window = initial_window(payload);
                    write_head(&mut self.out, 0, SETTINGS, ACK, 0);
                }
                PING if head.flags & ACK == 0 => {
                    write_head(&mut self.out, 8, PING, ACK, 0);
                    self.out.extend_from_slice(payload);
                }
                WINDOW_UPDATE => {
                    let more = i64::from(number(payload) & WINDOW);
                    match head.stream {
                        0 => self.send_window += more,
                        stream => on_event(stream, Event::Room(more)),
                    }
                }
                GOAWAY => return Err(io::Error::other("the server sent GOAWAY")),
                _ => {}
            }
            self.received.advance(whole);
        }
        if self.unacknowledged > WINDOW / 4 {
            write_window_update(&mut self.out, 0, self.unacknowledged);
            self.unacknowledged = 0;
        }
        Ok(())
    }
}

/// The client's preface and settings.
fn hello(out: &mut Vec<u8>) {
    const ENABLE_PUSH: u16 = 2;
    const INITIAL_WINDOW_SIZE: u16 = 4;
    out.extend_from_slice(PREFACE);
    write_settings(out, &[(INITIAL_WINDOW_SIZE, WINDOW), (ENABLE_PUSH, 0)]);
    write_window_update(out, 0, WINDOW - INITIAL_WINDOW);
}

fn initial_window(settings: &[u8]) -> i64 {
    settings
        .chunks_exact(6)
        .find(|setting| setting[..2] == [0, 4])
        .map_or(i64::from(INITIAL_WINDOW), |setting| i64::from(number(&setting[2..])))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
