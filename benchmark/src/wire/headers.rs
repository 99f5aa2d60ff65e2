//! The header blocks of a connection, whose calls all have the same headers.

use testkit::http2::write_text;

/// The header block of the first call on a connection, which fills the server's dynamic table, and that of later calls,
/// which refers to it.
pub(super) fn header_blocks(authority: &str, path: &str, api_key: &str) -> (Vec<u8>, Vec<u8>) {
    const POST: u8 = 0x80 | 3;
    const HTTP: u8 = 0x80 | 6;
    /// Indexes in the static table; 0 for a name that is not there.
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
            write_text(&mut first, "te");
        }
        write_text(&mut first, value);
    }
    let mut others = vec![POST, HTTP];
    // The newest entry of the dynamic table is number 62.
    others.extend((0..6).rev().map(|age| 0x80 | (62 + age)));
    (first, others)
}
