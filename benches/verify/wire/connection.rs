//! One HTTP/2 connection: bytes out, frames in, windows kept.

use std::{io, net::SocketAddr};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::frame::{self, Head};

/// What is called, and as whom.
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
    /// How much the server takes: on the whole connection, and on a new stream.
    pub(super) send_window: i64,
    pub(super) stream_window: i64,
    /// What came since the server was last told that there is room.
    unacknowledged: u32,
    next_stream: u32,
    blocks: (Vec<u8>, Vec<u8>),
}

/// What a frame means to whoever called.
#[derive(Debug)]
pub(super) enum Event<'a> {
    Data(&'a [u8]),
    /// The stream is over, in whatever way.
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
            send_window: 65_535,
            stream_window: 0,
            unacknowledged: 0,
            next_stream: 1,
            blocks: frame::header_blocks(&authority, &path, &target.api_key),
        };
        frame::hello(&mut connection.out);
        // The windows are known with the server's first word.
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
        frame::headers(&mut self.out, block, stream);
        stream
    }

    pub(super) fn send(&mut self, body: &[u8], stream: u32, ends: bool) {
        frame::data(&mut self.out, body, stream, ends);
        self.send_window -= i64::try_from(body.len()).expect("it fits");
    }

    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            self.socket.write_all(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }

    /// Waits for bytes; may be given up without losing any.
    pub(super) async fn receive(&mut self) -> io::Result<()> {
        if self.received.capacity() - self.received.len() < 1 << 16 {
            self.received.reserve(1 << 18);
        }
        match self.socket.read_buf(&mut self.received).await? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up")),
            _ => Ok(()),
        }
    }

    /// Goes through the frames that came in whole.
    pub(super) fn events(&mut self, mut on_event: impl FnMut(u32, Event<'_>)) -> io::Result<()> {
        while let Some(head) = Head::read(&self.received) {
            let whole = frame::HEAD + head.length;
            let Some(payload) = self.received.get(frame::HEAD..whole) else {
                break;
            };
            let ends = head.flags & frame::END_STREAM != 0;
            match head.kind {
                frame::DATA => {
                    let length = u32::try_from(head.length).expect("a frame is small");
                    self.unacknowledged += length;
                    on_event(head.stream, Event::Data(payload));
                    if ends {
                        on_event(head.stream, Event::End);
                    }
                }
                frame::HEADERS if ends => on_event(head.stream, Event::End),
                frame::RST_STREAM => on_event(head.stream, Event::End),
                frame::SETTINGS if head.flags & frame::ACK == 0 => {
                    self.stream_window = initial_window(payload);
                    frame::head(&mut self.out, 0, frame::SETTINGS, frame::ACK, 0);
                }
                frame::PING if head.flags & frame::ACK == 0 => {
                    frame::head(&mut self.out, 8, frame::PING, frame::ACK, 0);
                    self.out.extend_from_slice(payload);
                }
                frame::WINDOW_UPDATE => {
                    let more = i64::from(number(payload) & frame::WINDOW);
                    match head.stream {
                        0 => self.send_window += more,
                        stream => on_event(stream, Event::Room(more)),
                    }
                }
                frame::GOAWAY => return Err(io::Error::other("the server said goodbye")),
                _ => {}
            }
            self.received.advance(whole);
        }
        if self.unacknowledged > frame::WINDOW / 4 {
            frame::window_update(&mut self.out, 0, self.unacknowledged);
            self.unacknowledged = 0;
        }
        Ok(())
    }
}

fn initial_window(settings: &[u8]) -> i64 {
    settings
        .chunks_exact(6)
        .find(|setting| setting[..2] == [0, 4])
        .map_or(65_535, |setting| i64::from(number(&setting[2..])))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
