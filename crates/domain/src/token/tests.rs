//! Which texts are API keys.

use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

fn sample(secret: [u8; 32]) -> ApiKey {
    let id = KeyId::new(Timestamp::from_micros(1_800_000_000_000_000), [9; 10]);
    issue("acme_live", id, &Secret::new(secret))
}

proptest! {
    #[test]
    fn round_trips(
        bytes: [u8; 32],
        random: [u8; 10],
        millis in 0i64..253_402_300_799_000,
        head in "[a-z][a-z0-9]{1,15}_[a-z][a-z0-9]{0,9}",
    ) {
        let id = KeyId::new(Timestamp::from_micros(millis * 1000), random);
        let secret = Secret::new(bytes);
        let api_key = issue(&head, id, &secret);
        let token = Token::parse(&api_key).unwrap();
        prop_assert_eq!(token.token_prefix, head.as_str());
        prop_assert_eq!(token.id, id);
        prop_assert!(token.secret.halves() == secret.halves());
    }

    #[test]
    fn damage_to_one_character_is_always_caught(bytes: [u8; 32], at: prop::sample::Index, other in "[ -~]") {
        let mut text = sample(bytes).expose().to_owned();
        let at = at.index(text.len());
        prop_assume!(text[at..=at] != other);
        text.replace_range(at..=at, &other);
        prop_assert!(Token::parse(&ApiKey::new(text)).is_err());
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,120}") {
        let _ = Token::parse(&ApiKey::new(text.clone()));
        let _ = unmask(&text);
    }
}

#[test]
fn the_format_is_as_documented() {
    let api_key = sample([1; 32]);
    let (head, body) = api_key.expose().rsplit_once('_').unwrap();
    assert_eq!(head, "acme_live");
    assert_eq!(body.len(), 72);
    assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[test]
fn an_overflowing_value_is_refused_even_with_a_correct_checksum() {
    let mut text = format!("acme_live_{}", "z".repeat(22 + 44));
    let checksum = crc32fast::hash(text.as_bytes());
    base62::encode_into(&mut text, u128::from(checksum), WIDTH_32);
    assert_eq!(Token::parse(&ApiKey::new(text)).unwrap_err(), Malformed::Number);
}

#[test]
fn the_masked_form_has_the_id_and_no_secret() {
    let api_key = sample([2; 32]);
    let token = Token::parse(&api_key).unwrap();
    let masked = masked(token.token_prefix, token.id);
    assert_eq!(unmask(&masked), Ok(token.id));
    assert!(!masked.contains(&api_key.expose()["acme_live_".len() + 22..][..8]));
}

#[test]
fn an_api_key_in_a_text_is_concealed_and_the_rest_stays() {
    let api_key = sample([4; 32]);
    let masked = masked("acme_live", Token::parse(&api_key).unwrap().id);
    let whole = api_key.expose();
    for (around, text) in
        [(("", ""), whole), (("\"", "\": a filter"), whole), (("é", "é"), &whole[..whole.len() - WIDTH_32])]
    {
        let (before, behind) = around;
        let concealed = conceal(&format!("{before}{text}{behind}"));
        assert_eq!(concealed, format!("{before}{masked}{behind}"));
    }
    let harmless = format!("projects/{}/keys/{masked}: 'é'", "a".repeat(63));
    assert_eq!(conceal(&harmless), harmless);
}

#[test]
fn an_api_key_is_found_within_a_text() {
    let api_key = sample([5; 32]);
    let whole = api_key.expose();
    let (_, body) = whole.rsplit_once('_').unwrap();
    for text in [whole, body, &whole[..whole.len() - 1], &body[..66]] {
        for (before, behind) in [("", ""), ("KEY=\"", "\""), ("é", "é"), ("Bearer ", " for the shop")] {
            assert!(holds_api_key(&format!("{before}{text}{behind}")), "{before}{text}{behind}");
        }
    }
    for behind in ["x", "9", "abc", "0123456789"] {
        assert!(holds_api_key(&format!("{whole}{behind}")), "{behind} directly behind it");
    }
    let masked = masked("acme_live", Token::parse(&api_key).unwrap().id);
    let digits = ["0123456789abcdef".repeat(4), "0".repeat(72), "z".repeat(72), "x".repeat(1024)];
    for text in [masked.as_str(), &whole[..10 + 22 + 43], "", "acme_live_"] {
        assert!(!holds_api_key(text), "{text}");
    }
    for text in digits {
        assert!(!holds_api_key(&text), "{text}");
    }
}

#[test]
fn errors_say_what_is_wrong_with_the_shape() {
    let api_key = sample([6; 32]);
    let whole = api_key.expose();
    let parse_error = |text: &str| Token::parse(&ApiKey::new(text.into())).unwrap_err();
    assert_eq!(parse_error(&whole[..whole.len() - 1]), Malformed::Length(71));
    assert_eq!(parse_error("acme_live_"), Malformed::Length(0));
    assert_eq!(parse_error(&format!("{whole}x")), Malformed::Length(73));
    assert_eq!(
        parse_error(&whole[..20]).to_string(),
        "has 10 characters after its last _, but an API key has 72: it is truncated, or has extra characters"
    );
    for text in ["", "acme", "acme_live", &format!(" {whole}"), &whole[5..], &format!("{}-", &whole[..40])] {
        assert_eq!(parse_error(text), Malformed::Shape, "{text}");
    }
    assert_eq!(unmask(whole), Err(NotMasked));
    assert_eq!(
        NotMasked.to_string(),
        "is not a masked API key, which has the form prefix_environment_id**** with an id of 22 characters"
    );
}

#[test]
fn an_api_key_is_never_printed() {
    let api_key = sample([3; 32]);
    let presented = Presented::new(api_key.clone()).unwrap();
    assert_eq!(format!("{api_key:?}"), "ApiKey(redacted)");
    assert_eq!(format!("{presented:?}"), format!("Presented {{ id: KeyId({}), .. }}", presented.id()));
    assert_eq!(
        format!("{:?}", presented.token().unwrap()),
        format!(
            "Token {{ token_prefix: \"acme_live\", id: KeyId({}), secret: Secret(redacted) }}",
            presented.id()
        )
    );
}

#[test]
fn an_api_key_begins_with_prefix_and_tag() {
    let id = KeyId::new(Timestamp::from_micros(1_800_000_000_000_000), [9; 10]);
    for (head, good) in [
        ("acme_live", true),
        ("a_b", true),
        ("abcdefghijklmnop_abcdefghij", true),
        ("abcdefghijklmnopq_abcdefghij", false),
        ("acme", false),
        ("_live", false),
        ("acme_", false),
        ("1cme_live", false),
        ("acme_1ive", false),
        ("acme_Live", false),
        ("acme_li-ve", false),
        ("acme_li_ve", false),
    ] {
        assert_eq!(Token::parse(&issue(head, id, &Secret::new([1; 32]))).is_ok(), good, "{head}");
        assert_eq!(unmask(&masked(head, id)).is_ok(), good, "{head}");
    }
    let id = id.to_string();
    // A leading zero does not change the number, but the width is fixed.
    assert!(id.starts_with('0'));
    for id in [&id[1..], &format!("0{id}")] {
        assert_eq!(unmask(&format!("acme_live_{id}{MASK}")), Err(NotMasked), "{id}");
    }
}
