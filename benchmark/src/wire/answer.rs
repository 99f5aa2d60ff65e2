//! Responses, read in place from frames; copied only if a message is split between two frames.

use testkit::http2::{PREFIX, message_length};

/// The type of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A VerifyResponse.
    One,
    /// A BatchVerifyResponse or StreamVerifyResponse: decisions in field 1, one level down.
    Wrapped,
}

/// How many decisions were received, and how many of them were not as expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) decisions: u64,
    pub(crate) wrong: u64,
}

/// One stream's messages.
#[derive(Debug, Default)]
pub(super) struct Messages {
    partial: Vec<u8>,
}

impl Messages {
    /// Takes the content of a frame, and passes on every message that is complete by now.
    pub(super) fn take(&mut self, mut bytes: &[u8], mut on_message: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            for step in [PREFIX, usize::MAX] {
                let whole = message_length(&self.partial).map_or(step, |length| PREFIX + length);
                let missing = whole.saturating_sub(self.partial.len()).min(bytes.len());
                self.partial.extend_from_slice(&bytes[..missing]);
                bytes = &bytes[missing..];
                if message_length(&self.partial).is_none() {
                    return;
                }
            }
            let whole = PREFIX + message_length(&self.partial).unwrap_or(0);
            if self.partial.len() < whole {
                return;
            }
            on_message(&self.partial[PREFIX..]);
            self.partial.clear();
        }
        while let Some(message) = message_length(bytes).and_then(|it| bytes.get(PREFIX..PREFIX + it)) {
            on_message(message);
            bytes = &bytes[PREFIX + message.len()..];
        }
        self.partial.extend_from_slice(bytes);
    }

    pub(super) fn clear(&mut self) {
        self.partial.clear();
    }
}

/// Counts the decisions of a message, each of which should have the code `expected`.
pub(super) fn tally(message: &[u8], shape: Shape, expected: u64) -> Tally {
    let mut tally = Tally::default();
    let count = |tally: &mut Tally, decision: &[u8]| {
        tally.decisions += 1;
        tally.wrong += u64::from(code(decision) != Some(expected));
    };
    match shape {
        Shape::One => count(&mut tally, message),
        Shape::Wrapped => {
            let mut rest = message;
            while let Some((1, Value::Bytes(inner), after)) = field(rest) {
                match field(inner) {
                    // A VerifyResult in a batch has the decision one level further down.
                    Some((1, Value::Bytes(decision), [])) => count(&mut tally, decision),
                    _ => count(&mut tally, inner),
                }
                rest = after;
            }
            if tally.decisions == 0 {
                // An error instead of a decision.
                return Tally { decisions: 1, wrong: 1 };
            }
        }
    }
    tally
}

/// Field 1 of a message, where it is a number: the code of a VerifyResponse.
pub(super) fn code(mut message: &[u8]) -> Option<u64> {
    while let Some((number, value, rest)) = field(message) {
        if let (1, Value::Number(code)) = (number, value) {
            return Some(code);
        }
        message = rest;
    }
    None
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The first field of a message: its number, its value, and what follows.
fn field(message: &[u8]) -> Option<(u64, Value<'_>, &[u8])> {
    let (tag, rest) = varint(message)?;
    match tag & 7 {
        0 => {
            let (value, rest) = varint(rest)?;
            Some((tag >> 3, Value::Number(value), rest))
        }
        2 => {
            let (length, rest) = varint(rest)?;
            let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((tag >> 3, Value::Bytes(bytes), rest))
        }
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}
