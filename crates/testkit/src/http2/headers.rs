//! Header blocks (HPACK), with all texts as literals.

/// The header block of a gRPC call; no entry goes into the server's dynamic table.
pub fn header_block(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
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
        write_text(&mut block, name);
        write_text(&mut block, value);
    }
    block
}

/// A text after its length, which has seven bits of the first byte and seven of each that follows.
pub fn write_text(block: &mut Vec<u8>, text: &str) {
    const PREFIX: usize = 127;
    if text.len() < PREFIX {
        block.push(byte(text.len()));
    } else {
        block.push(byte(PREFIX));
        let mut rest = text.len() - PREFIX;
        while rest >= 128 {
            block.push(byte(rest % 128 + 128));
            rest /= 128;
        }
        block.push(byte(rest));
    }
    block.extend_from_slice(text.as_bytes());
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).expect("the value fits a byte")
}
