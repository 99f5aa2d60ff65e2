//! A decision on the wire, put together from four parts by how long each stays the same: for a code, for a cached key, for
//! what keys may do, and for one call. Only the last is encoded for every call.

use std::sync::{Arc, LazyLock};

use bytes::{Buf, BufMut};
use domain::{
    access::{Access, Ambiguity},
    decision::Code,
    key::Key,
    shared_access::CurrentAccess,
};
use prost::{
    DecodeError, Message,
    encoding::{self, DecodeContext, WireType},
};

use crate::{
    grpc::wire::convert::{self, account_name, duration, key_name, texts, time},
    ports::credentials::{CachedKey, EncodedKey, KeyEncoder},
    verbs::Decision,
};

/// Encodes as a `keystile.v1.VerifyResponse`. It is only written, never read, and asked for its length more than once.
#[derive(Clone, Default)]
pub(in crate::grpc) struct EncodedDecision {
    code: CodePart,
    call: CallPart,
    key: KeyPart,
    view: View,
}

/// How much of the key an answer describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::grpc) enum View {
    #[default]
    Full,
    Basic,
}

/// Fields 1 to 3, which are the same for every decision with the code, and with the ambiguity if a path has one: encoded once
/// for the process.
#[derive(Clone, Copy, Default)]
struct CodePart(&'static [u8]);

/// Fields 4 to 6, 11 and 12: encoded for every call.
#[derive(Clone, Copy)]
struct CallPart {
    bytes: [u8; Self::LONGEST],
    length: u8,
}

/// The other fields from 7 on, which are the same for every decision on the key: encoded once while it is cached. Those that
/// say what the key may do are encoded once for all keys that hold the same roles and permissions.
#[derive(Clone, Default)]
struct KeyPart(Option<(Arc<CachedKey>, CurrentAccess)>);

const REVISION: u32 = 4;
const DECISION_AGE: u32 = 5;
const DEGRADED: u32 = 6;
const SECRET_VERSION: u32 = 11;
const SECRET_SUPERSEDED: u32 = 12;

impl EncodedDecision {
    pub(super) fn new(decision: Decision, view: View) -> Self {
        Self {
            code: CodePart::of(decision.code, decision.ambiguity),
            call: CallPart::of(&decision),
            key: KeyPart(decision.proof.map(|proof| (proof.key, proof.access))),
            view,
        }
    }

    fn parts(&self) -> [&[u8]; 4] {
        let [key, access] = self.key.parts(self.view);
        [self.code.0, self.call.bytes(), key, access]
    }
}

impl CodePart {
    fn of(code: Code, ambiguity: Option<Ambiguity>) -> Self {
        static BY_CODE: LazyLock<Vec<Box<[u8]>>> = LazyLock::new(|| {
            Code::ALL.iter().map(|code| CodePart::encode(*code, code.message().to_owned())).collect()
        });
        static BY_AMBIGUITY: LazyLock<Vec<Box<[u8]>>> = LazyLock::new(|| {
            let message =
                |ambiguity: &Ambiguity| format!("the path is ambiguous, and so denied: it {ambiguity}");
            Ambiguity::ALL
                .iter()
                .map(|ambiguity| CodePart::encode(Code::MissingPermission, message(ambiguity)))
                .collect()
        });
        Self(match ambiguity {
            None => &BY_CODE[code as usize],
            Some(ambiguity) => &BY_AMBIGUITY[ambiguity as usize],
        })
    }

    fn encode(code: Code, message: String) -> Box<[u8]> {
        let response = proto::VerifyResponse {
            code: convert::code(code).into(),
            http_status: code.http_status(),
            message,
            ..Default::default()
        };
        response.encode_to_vec().into()
    }
}

impl CallPart {
    /// Two numbers of ten bytes at the most and two of five, the tags of all fields, and the length of one.
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
            if proof.key.credential.supersedes(proof.secret_version) {
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

impl Default for CallPart {
    fn default() -> Self {
        Self { bytes: [0; Self::LONGEST], length: 0 }
    }
}

impl KeyPart {
    fn parts(&self, view: View) -> [&[u8]; 2] {
        match (&self.0, view) {
            (None, _) => [&[], &[]],
            (Some((key, _)), View::Basic) => [key.encoded.basic(), &[]],
            (Some((key, access)), View::Full) => {
                [key.encoded.full(), access.get().map_or(&[], |access| &access.encoded)]
            }
        }
    }
}

/// Encodes the [`KeyPart`] for the cache.
#[derive(Debug)]
pub struct KeyPartEncoder;

impl KeyEncoder for KeyPartEncoder {
    fn encode(&self, key: &Key) -> EncodedKey {
        let basic = proto::VerifyResponse {
            key: key_name(&key.project, key.id),
            service_account: account_name(&key.project, &key.service_account),
            environment: key.environment.to_string(),
            expire_time: key.expire_time.map(time),
            ..Default::default()
        };
        let rest = proto::VerifyResponse {
            display_name: key.display_name.to_string(),
            customers: texts(&key.customers),
            metadata: key.metadata.entries().clone(),
            tags: texts(&key.tags),
            ..Default::default()
        };
        EncodedKey::new(&basic.encode_to_vec(), &rest.encode_to_vec())
    }

    fn encode_access(&self, access: &Access) -> Box<[u8]> {
        let response = proto::VerifyResponse {
            roles: texts(access.roles()),
            permissions: texts(access.permissions()),
            ..Default::default()
        };
        response.encode_to_vec().into()
    }
}

impl Message for EncodedDecision {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        for part in self.parts() {
            buffer.put_slice(part);
        }
    }

    fn encoded_len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
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

impl PartialEq for EncodedDecision {
    fn eq(&self, other: &Self) -> bool {
        self.encode_to_vec() == other.encode_to_vec()
    }
}

impl std::fmt::Debug for EncodedDecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedDecision").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::decision::Code;

    use super::*;

    #[test]
    fn the_longest_numbers_fit() {
        let decision = |age| Decision { revision: i64::MAX, age, degraded: true, ..Decision::malformed() };
        let longest = Duration::new(i64::MAX as u64, 999_999_999);
        let encoded = EncodedDecision::new(decision(longest), View::Full);
        // Also a version and `superseded`, for which this test has no key.
        assert!(encoded.call.bytes().len() + 1 + 5 + 2 <= CallPart::LONGEST);
        let read = proto::VerifyResponse::decode(&*encoded.encode_to_vec()).unwrap();
        assert_eq!((read.revision, read.degraded), (i64::MAX, true));
        assert_eq!(read.decision_age, Some(duration(longest)));
    }

    #[test]
    fn every_encoded_part_begins_with_its_code() {
        for code in Code::ALL {
            let decision = Decision {
                code,
                ambiguity: None,
                proof: None,
                revision: 7,
                age: Duration::from_micros(1_500_000),
                degraded: true,
            };
            let encoded = EncodedDecision::new(decision, View::Full);
            let bytes = encoded.encode_to_vec();
            assert_eq!(bytes.len(), encoded.encoded_len());
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
