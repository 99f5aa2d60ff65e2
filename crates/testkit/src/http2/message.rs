//! gRPC messages as DATA frames carry them: a byte for the compression, the length, the bytes.

/// How many bytes come before a message.
pub const PREFIX: usize = 5;

/// `body` as an uncompressed message.
pub fn message(body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(PREFIX + body.len());
    write_message(&mut message, body);
    message
}

pub fn write_message(out: &mut Vec<u8>, body: &[u8]) {
    out.push(0);
    let length = u32::try_from(body.len()).expect("the message is small");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
}

/// The length of the body whose prefix is at the beginning of `bytes`; `None` while the prefix is incomplete.
pub fn message_length(bytes: &[u8]) -> Option<usize> {
    let prefix: &[u8; PREFIX] = bytes.first_chunk()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    usize::try_from(length).ok()
}
