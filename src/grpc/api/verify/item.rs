//! The messages that hold decisions, with an encoded decision in the place of `VerifyResponse`.

use prost::{Message, Oneof};
use proto::VerifyError;

use super::EncodedDecision;

/// Encodes as a `keystile.v1.BatchVerifyResponse`.
#[derive(Clone, PartialEq, Message)]
pub(in crate::grpc) struct EncodedBatch {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::grpc) results: Vec<EncodedItem>,
}

/// Encodes as a `keystile.v1.VerifyResult` and as a `keystile.v1.StreamVerifyResponse`, which have the same fields.
#[derive(Clone, PartialEq, Message)]
pub(in crate::grpc) struct EncodedItem {
    #[prost(oneof = "ItemResult", tags = "1, 2")]
    pub(in crate::grpc) result: Option<ItemResult>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::grpc) enum ItemResult {
    #[prost(message, tag = "1")]
    Decision(EncodedDecision),
    #[prost(message, tag = "2")]
    Error(VerifyError),
}

impl From<Result<EncodedDecision, VerifyError>> for EncodedItem {
    fn from(verified: Result<EncodedDecision, VerifyError>) -> Self {
        let result = match verified {
            Ok(decision) => ItemResult::Decision(decision),
            Err(error) => ItemResult::Error(error),
        };
        Self { result: Some(result) }
    }
}

#[cfg(test)]
mod tests {
    use proto::{BatchVerifyResponse, StreamVerifyResponse, stream_verify_response, verify_result};

    use super::super::encoded::View;
    use super::*;
    use crate::verbs::Decision;

    #[test]
    fn items_encode_as_the_messages_of_the_contract() {
        let error = VerifyError { message: "later".to_owned(), ..Default::default() };
        let decision = EncodedItem::from(Ok(EncodedDecision::new(Decision::malformed(), View::Full)));
        let refused = EncodedItem::from(Err(error.clone()));

        let batch = EncodedBatch { results: vec![decision.clone(), refused.clone()] };
        let read = BatchVerifyResponse::decode(&*batch.encode_to_vec()).unwrap();
        let [first, second] = &read.results[..] else { panic!("{read:?}") };
        let Some(verify_result::Result::Decision(answer)) = &first.result else { panic!("{first:?}") };
        assert_eq!(answer.code(), proto::Code::Malformed);
        assert_eq!(second.result, Some(verify_result::Result::Error(error.clone())));

        let read = StreamVerifyResponse::decode(&*decision.encode_to_vec()).unwrap();
        assert_eq!(read.result, Some(stream_verify_response::Result::Decision(answer.clone())));
        let read = StreamVerifyResponse::decode(&*refused.encode_to_vec()).unwrap();
        assert_eq!(read.result, Some(stream_verify_response::Result::Error(error)));
    }
}
