//! A decision on the wire, put together from parts: what depends on the code alone and what depends on the
//! key alone are encoded once; only what is left is encoded for every call.

use std::sync::{Arc, LazyLock};

use bytes::{Buf, BufMut};
use prost::{
    DecodeError, Message,
    encoding::{self, DecodeContext, WireType},
};

use crate::{
    domain::{
        candidate::Candidate,
        decision::{Code, Decision},
        key::Key,
    },
    grpc::{
        convert::{account_name, duration, key_name, texts, time},
        proto,
    },
};

/// Encodes as a `keystile.v1.VerifyResponse`. It is only ever written.
#[derive(Clone, Default)]
pub struct Answer {
    /// Fields 1 to 3: what every answer with this code begins with.
    beginning: &'static [u8],
    revision: i64,
    age: prost_types::Duration,
    degraded: bool,
    secret_version: i32,
    superseded: bool,
    /// Its answer is the fields from 7 on, but for 11 and 12.
    candidate: Option<Arc<Candidate>>,
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
        let mut answer = Self {
            beginning: beginning(decision.code),
            revision: decision.revision,
            age: duration(decision.age),
            degraded: decision.degraded,
            ..Self::default()
        };
        if let Some(proof) = decision.proof {
            answer.secret_version = proof.secret_version;
            answer.superseded = proof.candidate.supersedes(proof.secret_version);
            answer.candidate = Some(proof.candidate);
        }
        answer
    }
}

impl Answer {
    fn of_key(&self) -> &[u8] {
        self.candidate.as_ref().map_or(&[], |candidate| candidate.answer())
    }
}

impl Message for Answer {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(self.beginning);
        encoding::int64::encode(REVISION, &self.revision, buffer);
        encoding::message::encode(DECISION_AGE, &self.age, buffer);
        if self.degraded {
            encoding::bool::encode(DEGRADED, &true, buffer);
        }
        if self.secret_version != 0 {
            encoding::int32::encode(SECRET_VERSION, &self.secret_version, buffer);
        }
        if self.superseded {
            encoding::bool::encode(SECRET_SUPERSEDED, &true, buffer);
        }
        buffer.put_slice(self.of_key());
    }

    fn encoded_len(&self) -> usize {
        let mut length = self.beginning.len()
            + encoding::int64::encoded_len(REVISION, &self.revision)
            + encoding::message::encoded_len(DECISION_AGE, &self.age)
            + self.of_key().len();
        if self.degraded {
            length += encoding::bool::encoded_len(DEGRADED, &true);
        }
        if self.secret_version != 0 {
            length += encoding::int32::encoded_len(SECRET_VERSION, &self.secret_version);
        }
        if self.superseded {
            length += encoding::bool::encoded_len(SECRET_SUPERSEDED, &true);
        }
        length
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
        f.debug_struct("Answer").field("revision", &self.revision).finish_non_exhaustive()
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
        code: proto::Code::from(code).into(),
        http_status: code.http_status(),
        message: code.message().to_owned(),
        ..Default::default()
    };
    answer.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::decision::Code;

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
            assert_eq!(read.code(), proto::Code::from(code));
            assert_eq!(read.http_status, code.http_status());
            assert_eq!(read.message, code.message());
            assert_eq!(read.revision, 7);
            assert!(read.degraded);
            let age = prost_types::Duration { seconds: 1, nanos: 500_000_000 };
            assert_eq!(read.decision_age, Some(age));
        }
    }
}
