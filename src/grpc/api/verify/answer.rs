//! A decision on the wire, put together from parts: what depends on the code alone and what depends on the
//! key alone are encoded once; only what is left is encoded for every call.

use std::sync::{Arc, LazyLock};

use bytes::{Buf, BufMut};
use domain::{
    candidate::Candidate,
    decision::{Code, Decision},
    key::Key,
};
use prost::{
    DecodeError, Message,
    encoding::{self, DecodeContext, WireType},
};

use crate::grpc::wire::convert::{self, account_name, duration, key_name, texts, time};

/// Encodes as a `keystile.v1.VerifyResponse`. It is only ever written, and told its length more than once.
#[derive(Clone, Default)]
pub(in crate::grpc) struct Answer {
    /// Fields 1 to 3: what every answer with this code begins with.
    beginning: &'static [u8],
    /// Fields 4 to 6, 11 and 12.
    middle: Middle,
    /// Its answer is the other fields from 7 on.
    candidate: Option<Arc<Candidate>>,
}

/// What is encoded for each answer.
#[derive(Clone, Copy)]
struct Middle {
    bytes: [u8; Self::LONGEST],
    length: u8,
}

const REVISION: u32 = 4;
const DECISION_AGE: u32 = 5;
const DEGRADED: u32 = 6;
const SECRET_VERSION: u32 = 11;
const SECRET_SUPERSEDED: u32 = 12;

/// What is told of a key whose API key was proven, the same at every verification.
pub fn render(key: &Key) -> Vec<u8> {
    let answer = proto::VerifyResponse {
        key: key_name(&key.project, key.id),
        service_account: account_name(&key.project, &key.service_account),
        display_name: key.display_name.to_string(),
        environment: key.environment.to_string(),
        customers: texts(&key.customers),
        metadata: key.metadata.entries().clone(),
        tags: texts(&key.tags),
        expire_time: key.expire_time.map(time),
        ..Default::default()
    };
    answer.encode_to_vec()
}

impl From<Decision> for Answer {
    fn from(decision: Decision) -> Self {
        Self {
            beginning: beginning(decision.code),
            middle: Middle::of(&decision),
            candidate: decision.proof.map(|proof| proof.candidate),
        }
    }
}

impl Answer {
    fn of_key(&self) -> &[u8] {
        self.candidate.as_ref().map_or(&[], |candidate| candidate.answer())
    }
}

impl Middle {
    /// Two numbers of ten bytes at the most and two of five, the keys of all fields, and the length of one.
    const LONGEST: usize = 40;

    fn of(decision: &Decision) -> Self {
        let mut bytes = [0; Self::LONGEST];
        let mut rest = bytes.as_mut_slice();
        encoding::int64::encode(REVISION, &decision.revision, &mut rest);
        encoding::message::encode(DECISION_AGE, &duration(decision.age), &mut rest);
        if decision.degraded {
            encoding::bool::encode(DEGRADED, &true, &mut rest);
        }
        if let Some(proof) = &decision.proof {
            encoding::int32::encode(SECRET_VERSION, &proof.secret_version, &mut rest);
            if proof.candidate.supersedes(proof.secret_version) {
                encoding::bool::encode(SECRET_SUPERSEDED, &true, &mut rest);
            }
        }
        let length = Self::LONGEST - rest.len();
        Self { bytes, length: u8::try_from(length).expect("it is short") }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Default for Middle {
    fn default() -> Self {
        Self { bytes: [0; Self::LONGEST], length: 0 }
    }
}

impl Message for Answer {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        for part in [self.beginning, self.middle.bytes(), self.of_key()] {
            buffer.put_slice(part);
        }
    }

    fn encoded_len(&self) -> usize {
        self.beginning.len() + usize::from(self.middle.length) + self.of_key().len()
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        encoding::skip_field(wire_type, tag, buffer, context)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        self.encode_to_vec() == other.encode_to_vec()
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// Code, HTTP status and message, encoded.
fn beginning(code: Code) -> &'static [u8] {
    static BEGINNINGS: LazyLock<Vec<Box<[u8]>>> =
        LazyLock::new(|| Code::ALL.iter().map(|code| encode_beginning(*code)).collect());
    &BEGINNINGS[code as usize]
}

fn encode_beginning(code: Code) -> Box<[u8]> {
    let answer = proto::VerifyResponse {
        code: convert::code(code).into(),
        http_status: code.http_status(),
        message: code.message().to_owned(),
        ..Default::default()
    };
    answer.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::decision::Code;

    use super::*;

    #[test]
    fn the_longest_numbers_have_room() {
        let decision = |age| Decision { revision: i64::MAX, age, degraded: true, ..Decision::malformed() };
        let longest = Duration::new(i64::MAX as u64, 999_999_999);
        let answer = Answer::from(decision(longest));
        // And a version and its being superseded, which a test has no key for.
        assert!(answer.middle.bytes().len() + 1 + 5 + 2 <= Middle::LONGEST);
        let read = proto::VerifyResponse::decode(&*answer.encode_to_vec()).unwrap();
        assert_eq!((read.revision, read.degraded), (i64::MAX, true));
        assert_eq!(read.decision_age, Some(duration(longest)));
    }

    #[test]
    fn every_code_begins_as_itself() {
        for code in Code::ALL {
            let decision = Decision {
                code,
                proof: None,
                revision: 7,
                age: Duration::from_micros(1_500_000),
                degraded: true,
            };
            let answer = Answer::from(decision);
            let bytes = answer.encode_to_vec();
            assert_eq!(bytes.len(), answer.encoded_len());
            let read = proto::VerifyResponse::decode(&*bytes).unwrap();
            assert_eq!(read.code(), convert::code(code));
            assert_eq!(read.http_status, code.http_status());
            assert_eq!(read.message, code.message());
            assert_eq!(read.revision, 7);
            assert!(read.degraded);
            let age = prost_types::Duration { seconds: 1, nanos: 500_000_000 };
            assert_eq!(read.decision_age, Some(age));
        }
    }
}
