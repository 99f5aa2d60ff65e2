//! HTTP/2 by hand: for tests that break its rules, and for the benchmark's client, which must use little CPU time.

mod connection;
mod frame;
mod headers;
mod message;

pub use connection::{Connection, Frame};
pub use frame::{
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Head, PING, PREFACE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, write_data, write_head, write_headers, write_settings,
    write_window_update,
};
pub use headers::{header_block, write_text};
pub use message::{PREFIX, message, message_length, write_message};
