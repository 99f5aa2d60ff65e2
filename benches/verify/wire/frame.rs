//! HTTP/2 frames and header blocks, as far as a client of one method needs them.

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

pub(super) const HEAD: usize = 9;
/// The largest window that there is: the client never makes a server wait for it.
pub(super) const WINDOW: u32 = (1 << 31) - 1;
pub(super) const LARGEST_FRAME: usize = 16_384;

pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    /// The head at the beginning of `bytes`, once it is there.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        Some(Self {
            length: usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]),
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
        })
    }
}

pub(super) fn head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let length = u32::try_from(length).expect("a frame is small").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
}

/// What a client says first.
pub(super) fn hello(out: &mut Vec<u8>) {
    const INITIAL_WINDOW: u16 = 4;
    const ENABLE_PUSH: u16 = 2;
    out.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    head(out, 12, SETTINGS, 0, 0);
    for (setting, value) in [(INITIAL_WINDOW, WINDOW), (ENABLE_PUSH, 0)] {
        out.extend_from_slice(&setting.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
    window_update(out, 0, WINDOW - 65_535);
}

pub(super) fn window_update(out: &mut Vec<u8>, stream: u32, more: u32) {
    head(out, 4, WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&more.to_be_bytes());
}

pub(super) fn headers(out: &mut Vec<u8>, block: &[u8], stream: u32) {
    head(out, block.len(), HEADERS, END_HEADERS, stream);
    out.extend_from_slice(block);
}

/// `body` in as many frames as it takes, the last of which may end the stream.
pub(super) fn data(out: &mut Vec<u8>, body: &[u8], stream: u32, ends: bool) {
    let mut parts = body.chunks(LARGEST_FRAME).peekable();
    while let Some(part) = parts.next() {
        let flags = if ends && parts.peek().is_none() { END_STREAM } else { 0 };
        head(out, part.len(), DATA, flags, stream);
        out.extend_from_slice(part);
    }
}

/// The header block of the first call on a connection, which fills the server's table, and that of all others, which
/// points into it.
pub(super) fn header_blocks(authority: &str, path: &str, api_key: &str) -> (Vec<u8>, Vec<u8>) {
    const POST: u8 = 0x80 | 3;
    const HTTP: u8 = 0x80 | 6;
    /// Places in the static table; 0 for a name that is not there.
    const PATH: u8 = 4;
    const AUTHORITY: u8 = 1;
    const CONTENT_TYPE: u8 = 31;
    const USER_AGENT: u8 = 58;
    const AUTHORIZATION: u8 = 23;
    let bearer = format!("Bearer {api_key}");
    let fields = [
        (PATH, path),
        (AUTHORITY, authority),
        (CONTENT_TYPE, "application/grpc"),
        (0, "trailers"),
        (USER_AGENT, "keystile-bench"),
        (AUTHORIZATION, &bearer),
    ];
    let mut first = vec![POST, HTTP];
    for (name, value) in fields {
        first.push(0x40 | name);
        if name == 0 {
            text(&mut first, "te");
        }
        text(&mut first, value);
    }
    let mut others = vec![POST, HTTP];
    // The newest entry of the dynamic table is number 62.
    others.extend((0..6).rev().map(|age| 0x80 | (62 + age)));
    (first, others)
}

fn text(block: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 127, "its length fits a byte");
    block.push(u8::try_from(text.len()).expect("it fits"));
    block.extend_from_slice(text.as_bytes());
}
