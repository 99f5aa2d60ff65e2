//! One call after the other over one connection, with the code of each.

use std::io;

use super::{
    Connection,
    answer::{Messages, code},
    connection::Event,
};

#[derive(Debug)]
pub(crate) struct Probe(Connection);

impl Probe {
    pub(crate) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    /// The code of the response to `body`.
    pub(crate) async fn ask(&mut self, body: &[u8]) -> io::Result<u64> {
        let stream = self.0.begin();
        self.0.send(body, stream, true);
        let (mut messages, mut answer, mut over) = (Messages::default(), None, false);
        while !over {
            self.0.flush().await?;
            self.0.receive().await?;
            self.0.events(|_, event| match event {
                Event::Data(bytes) => messages.take(bytes, |message| answer = code(message)),
                Event::End => over = true,
                Event::Room(_) => {}
            })?;
        }
        answer.ok_or_else(|| io::Error::other("a call failed"))
    }
}
