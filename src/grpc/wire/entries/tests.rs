//! Bytes of requests, with lists of every length and kind.

use prost::encoding::{WireType, encode_key, encode_varint};

use proto::{BatchVerifyRequest, UpdateKeyRequest, VerifyRequest};
use tonic_types::StatusExt;

use super::*;

const BATCH: &str = "keystile.v1.BatchVerifyRequest";

fn field_of(refused: Result<(), Status>) -> Option<String> {
    let violations = refused.err()?.get_details_bad_request().expect("a field").field_violations;
    Some(violations[0].field.clone())
}

#[track_caller]
fn assert_malformed(refused: Result<(), Status>) {
    let reason = refused.unwrap_err().get_details_error_info().unwrap().reason;
    assert_eq!(reason, "MALFORMED_REQUEST");
}

#[test]
fn a_full_batch_is_accepted() {
    let question = VerifyRequest {
        tags: vec!["tag".to_owned(); 64],
        environment: "production".to_owned(),
        endpoint: Some(Default::default()),
        costs: vec![Default::default(); 16],
        ..Default::default()
    };
    let request = BatchVerifyRequest { requests: vec![question; 1000] };
    assert_eq!(field_of(check(BATCH, &request.encode_to_vec())), None);
}

#[test]
fn lists_are_counted_wherever_they_are() {
    let empty = BatchVerifyRequest { requests: vec![VerifyRequest::default(); MOST_MESSAGES + 1] };
    assert_eq!(field_of(check(BATCH, &empty.encode_to_vec())).as_deref(), Some("requests"));
    // Over several messages together.
    let tags = VerifyRequest { tags: vec![String::new(); MOST_VALUES / 2 + 1], ..Default::default() };
    let tagged = BatchVerifyRequest { requests: vec![tags; 2] };
    assert_eq!(field_of(check(BATCH, &tagged.encode_to_vec())).as_deref(), Some("requests.tags"));
    let mask = prost_types::FieldMask { paths: vec![String::new(); MOST_VALUES + 1] };
    let update = UpdateKeyRequest { update_mask: Some(mask), ..Default::default() };
    let refused = check("keystile.v1.UpdateKeyRequest", &update.encode_to_vec());
    assert_eq!(field_of(refused).as_deref(), Some("update_mask.paths"));
}

#[test]
fn repeated_pieces_of_one_message_count_together() {
    let mask = prost_types::FieldMask { paths: vec![String::new(); MOST_VALUES / 2 + 1] };
    let half = UpdateKeyRequest { update_mask: Some(mask), ..Default::default() }.encode_to_vec();
    let name = "keystile.v1.UpdateKeyRequest";
    assert_eq!(field_of(check(name, &half)), None);
    assert_eq!(field_of(check(name, &[half.clone(), half].concat())).as_deref(), Some("update_mask.paths"));
}

#[test]
fn maps_are_counted_by_entry() {
    let name = "keystile.v1.CreateKeyRequest";
    let key = |entries: usize| {
        // `metadata` by hand: a map would hold an empty key once.
        let mut entry = Vec::new();
        encode_key(13, WireType::LengthDelimited, &mut entry);
        encode_varint(0, &mut entry);
        let key = entry.repeat(entries);
        let mut request = Vec::new();
        encode_key(2, WireType::LengthDelimited, &mut request);
        encode_varint(key.len() as u64, &mut request);
        [request, key].concat()
    };
    assert_eq!(field_of(check(name, &key(MOST_VALUES))), None);
    assert_eq!(field_of(check(name, &key(MOST_VALUES + 1))).as_deref(), Some("key.metadata"));
}

#[test]
fn unknown_fields_are_not_counted() {
    let mut unknown = Vec::new();
    for _ in 0..=MOST_VALUES {
        encode_key(900, WireType::StartGroup, &mut unknown);
        encode_key(1, WireType::LengthDelimited, &mut unknown);
        encode_varint(0, &mut unknown);
        encode_key(900, WireType::EndGroup, &mut unknown);
    }
    assert_eq!(field_of(check(BATCH, &unknown)), None);
    // The known field after it is counted.
    let requests = BatchVerifyRequest { requests: vec![VerifyRequest::default(); MOST_MESSAGES + 1] };
    let both = [unknown, requests.encode_to_vec()].concat();
    assert_eq!(field_of(check(BATCH, &both)).as_deref(), Some("requests"));
}

#[test]
fn packed_lists_are_counted_by_entry() {
    assert_eq!(Width::Fixed(8).entries(&[0; 24]), 3);
    assert_eq!(Width::Varint.entries(&[0x80, 1, 2, 0xff, 0xff, 3]), 3);
    assert_eq!(Width::None.entries(&[0; 24]), 1);
}

#[test]
fn malformed_messages_are_refused() {
    // The last one is a group without an end.
    for bytes in [&[0x0a][..], &[0x0a, 0xff], &[0xff; 20], &[0x0c], &[0x0f, 1], &[0xa3, 0x38, 0x08, 1]] {
        assert_malformed(check(BATCH, bytes));
    }
}

/// Decoding would build all of them, and then find that the message was too long.
#[test]
fn a_field_beyond_the_end_of_its_message_hides_no_entries() {
    let tags = VerifyRequest { tags: vec![String::new(); MOST_VALUES + 1], ..Default::default() };
    let tags = tags.encode_to_vec();
    // A request in which the length of the first field, an API key, exceeds the request.
    let mut question = Vec::new();
    encode_key(1, WireType::LengthDelimited, &mut question);
    encode_varint(10, &mut question);
    let mut request = Vec::new();
    encode_key(1, WireType::LengthDelimited, &mut request);
    encode_varint(question.len() as u64, &mut request);
    request.extend(question);
    request.extend([b'x'; 10]);
    request.extend(tags);
    assert_malformed(check(BATCH, &request));
}
