//! Requests: gRPC messages of one length, encoded in advance, in a random or a fixed order.

use std::sync::Arc;

use prost::Message;
use proto::{Code, VerifyRequest};
use testkit::http2::write_message;

#[derive(Debug, Clone)]
pub(crate) struct Requests {
    bytes: Arc<[u8]>,
    length: usize,
    order: Order,
    expected: Code,
}

#[derive(Debug, Clone)]
enum Order {
    /// Any of them, repeatedly.
    Random(u64),
    /// Each once: the next one, and the distance to the one after it.
    Each { first: usize, next: usize, step: usize },
}

/// How the API keys are put into messages.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Verify,
    /// How many are in each request.
    Batch(usize),
    Stream,
}

impl Requests {
    /// `api_keys` are all of one length; each is answered with `expected`.
    pub(crate) fn new<K: AsRef<str>>(
        api_keys: impl IntoIterator<Item = K>,
        form: Form,
        expected: Code,
    ) -> Self {
        Self::asking(api_keys, form, expected, &VerifyRequest::default())
    }

    /// As [`Self::new`]; each asks also what is set in `question`.
    pub(crate) fn asking<K: AsRef<str>>(
        api_keys: impl IntoIterator<Item = K>,
        form: Form,
        expected: Code,
        question: &VerifyRequest,
    ) -> Self {
        let question = question.encode_to_vec();
        let mut bytes = Vec::new();
        let mut batch = Vec::new();
        let mut inner = Vec::new();
        let mut waiting = 0;
        let mut length = 0;
        for api_key in api_keys {
            inner.clear();
            field(&mut inner, api_key.as_ref().as_bytes());
            inner.extend_from_slice(&question);
            let start = bytes.len();
            match form {
                Form::Verify => write_message(&mut bytes, &inner),
                Form::Stream | Form::Batch(_) => field(&mut batch, &inner),
            }
            waiting += 1;
            if !matches!(form, Form::Batch(size) if waiting < size) && !batch.is_empty() {
                write_message(&mut bytes, &batch);
                batch.clear();
                waiting = 0;
            }
            let grown = bytes.len() - start;
            if grown > 0 {
                assert!(length == 0 || length == grown, "all messages have one length");
                length = grown;
            }
        }
        assert!(length > 0 && batch.is_empty(), "the API keys fill their messages");
        Self { bytes: bytes.into(), length, order: Order::Random(1), expected }
    }

    /// The same for the connection of this number: another random order.
    pub(crate) fn at_random(&self, connection: usize) -> Self {
        let seed = u64::try_from(connection).expect("the number fits");
        Self { order: Order::Random(mix(seed + 1)), ..self.clone() }
    }

    /// The share of one connection of several: together they send each request once.
    pub(crate) fn each_once(&self, connection: usize, connections: usize) -> Self {
        Self { order: Order::Each { first: connection, next: connection, step: connections }, ..self.clone() }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.length
    }

    /// The first of them, as it is sent.
    pub(crate) fn first(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The next one, unless it is longer than `room`.
    pub(crate) fn next_within(&mut self, room: i64) -> Option<&[u8]> {
        if i64::try_from(self.length).expect("the number fits") > room {
            return None;
        }
        let count = self.len();
        let at = match &mut self.order {
            Order::Random(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                // Scale the high half to the range, without a division.
                let high = usize::try_from(mix(*state) >> 32).expect("the number fits");
                (high * count) >> 32
            }
            Order::Each { next, step, .. } => {
                let at = *next;
                *next += *step;
                at
            }
        };
        self.bytes.get(at * self.length..(at + 1) * self.length)
    }

    pub(crate) fn are_done(&self) -> bool {
        matches!(self.order, Order::Each { next, .. } if next >= self.len())
    }

    /// Starts again, if each is sent once.
    pub(crate) fn rewind(&mut self) {
        if let Order::Each { first, next, .. } = &mut self.order {
            *next = *first;
        }
    }

    /// The code of every answer.
    pub(crate) fn expected(&self) -> u64 {
        u64::try_from(i32::from(self.expected)).expect("codes are positive")
    }
}

/// SplitMix64's finisher: a bijection whose results look random.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// `content` as field 1.
fn field(out: &mut Vec<u8>, content: &[u8]) {
    prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, out);
    prost::encoding::encode_varint(u64::try_from(content.len()).expect("the number fits"), out);
    out.extend_from_slice(content);
}
