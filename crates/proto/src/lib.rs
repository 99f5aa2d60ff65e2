//! The generated contract: messages, clients and descriptors. A message that contains an API key does not print it.

use std::fmt::{Debug, Formatter, Result};

pub use generated::*;

mod generated {
    #![cfg_attr(feature = "server", expect(clippy::allow_attributes, reason = "the generator writes it"))]
    #![expect(clippy::large_enum_variant, reason = "the generator writes it")]

    tonic::include_proto!("keystile.v1");
}

/// The descriptors of all files of the contract, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/keystile.v1.binpb"));

/// Implements `Debug` with only the named fields.
macro_rules! debug_without_secrets {
    ($($message:path { $($field:ident),* })*) => {$(
        impl Debug for $message {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.debug_struct(stringify!($message))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_secrets! {
    CreateKeyResponse { key, api_key_already_issued }
    CreateProjectResponse { project, system_key, api_key_already_issued }
    RotateKeyResponse { key, api_key_already_issued }
    LookupKeyRequest { parent }
    ExplainVerifyRequest { parent, request }
    VerifyRequest { environment, permission, customer, client_ip, endpoint, costs, credits, tags, min_revision }
    lookup_key_request::Query {}
    explain_verify_request::Subject {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_prints_its_api_key() {
        let api_key = || "acme_live_SECRET".to_owned();
        let query = lookup_key_request::Query::ApiKey(api_key());
        let subject = explain_verify_request::Subject::ApiKey(api_key());
        let shown = [
            format!("{:?}", CreateKeyResponse { api_key: api_key(), ..Default::default() }),
            format!("{:?}", CreateProjectResponse { api_key: api_key(), ..Default::default() }),
            format!("{:?}", RotateKeyResponse { api_key: api_key(), ..Default::default() }),
            format!("{:?}", LookupKeyRequest { query: Some(query.clone()), ..Default::default() }),
            format!("{:?}", ExplainVerifyRequest { subject: Some(subject.clone()), ..Default::default() }),
            format!("{:?}", VerifyRequest { api_key: api_key(), ..Default::default() }),
            format!("{query:?} {subject:?}"),
        ];
        assert!(shown.iter().all(|text| !text.contains("SECRET")), "{shown:?}");
    }

    /// A new message with an API key must be added above; this test fails if it was not.
    #[test]
    fn every_field_called_api_key_is_in_a_message_that_hides_it() {
        use prost::Message;
        let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let mut carriers: Vec<_> = set
            .file
            .iter()
            .flat_map(|file| &file.message_type)
            .filter(|message| message.field.iter().any(|field| field.name() == "api_key"))
            .map(|message| message.name().to_owned())
            .collect();
        carriers.sort();
        assert_eq!(
            carriers,
            [
                "CreateKeyResponse",
                "CreateProjectResponse",
                "ExplainVerifyRequest",
                "LookupKeyRequest",
                "RotateKeyResponse",
                "VerifyRequest"
            ]
        );
    }
}
