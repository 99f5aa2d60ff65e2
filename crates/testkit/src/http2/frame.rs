//! Frames: nine bytes of head, then the payload.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The payload of a RST_STREAM by a client that gives up a call.
pub const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// The largest payload that every server accepts.
const LARGEST: usize = 16_384;

/// The head of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    /// How many bytes it has.
    pub const SIZE: usize = 9;

    /// The head at the beginning of `bytes`; `None` while it is incomplete.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; Self::SIZE] = bytes.first_chunk()?;
        Some(Self {
            length: usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]),
            kind: head[3],
            flags: head[4],
            // The first bit is reserved.
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
        })
    }
}

/// One whole frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(Head::SIZE + payload.len());
    write_head(&mut frame, payload.len(), kind, flags, stream);
    frame.extend_from_slice(payload);
    frame
}

pub fn write_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let length = u32::try_from(length).expect("a frame is small").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
}

pub fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    write_head(out, settings.len() * 6, SETTINGS, 0, 0);
    for (setting, value) in settings {
        out.extend_from_slice(&setting.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub fn write_window_update(out: &mut Vec<u8>, stream: u32, more: u32) {
    write_head(out, 4, WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&more.to_be_bytes());
}

/// The header block of a request whose body follows.
pub fn write_headers(out: &mut Vec<u8>, block: &[u8], stream: u32) {
    write_head(out, block.len(), HEADERS, END_HEADERS, stream);
    out.extend_from_slice(block);
}

/// `body` in as many frames as needed; the last one ends the stream if `ends`.
pub fn write_data(out: &mut Vec<u8>, body: &[u8], stream: u32, ends: bool) {
    let mut parts = body.chunks(LARGEST).peekable();
    while let Some(part) = parts.next() {
        let flags = if ends && parts.peek().is_none() { END_STREAM } else { 0 };
        write_head(out, part.len(), DATA, flags, stream);
        out.extend_from_slice(part);
    }
}
