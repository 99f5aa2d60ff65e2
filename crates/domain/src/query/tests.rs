//! The filters and orders of each listing.

use super::*;

#[test]
fn a_full_key_filter_reads() {
    let filter = key_filter(
        r#"state = ACTIVE AND environment != "staging" AND display_name:"Bil serv" AND tags:core
           AND expire_time < "2030-01-01T00:00:00Z""#,
    )
    .unwrap();
    let Filter::All(parts) = filter else { panic!("{filter:?}") };
    assert_eq!(parts.len(), 5);
    assert_eq!(parts[0], Filter::Test(KeyTest::State(State::Active)));
    assert_eq!(parts[2], Filter::Test(KeyTest::NameWords(vec!["bil".into(), "serv".into()])));
}

#[test]
fn errors_have_the_position_of_the_wrong_word() {
    for (text, position, part) in [
        ("color = red", 1, "unknown field"),
        ("state = SLEEPY", 9, "one of ACTIVE"),
        ("state < ACTIVE", 9, "only = and !="),
        ("create_time > yesterday", 15, "RFC 3339"),
        ("tags = core", 8, "only :"),
        ("display_name:\"%\"", 14, "no letter"),
        (&format!("tags:a AND display_name:\"{}\"", "a ".repeat(50)), 12, "more than 50"),
    ] {
        let error = key_filter(text).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
    assert!(event_filter("actor = projects/acme/serviceAccounts/ci").is_err());
    assert!(event_filter("revision > 4 AND action = keys.create").is_ok());
    assert!(account_filter("state = ACTIVE").is_ok());
}

#[test]
fn names_are_compared_in_normal_form() {
    for (one, other) in [
        ("display_name = \"caf\u{e9}\"", "display_name = \"cafe\u{301}\""),
        ("display_name:\"caf\u{e9}\"", "display_name:\"cafe\u{301}\""),
    ] {
        assert_eq!(key_filter(one), key_filter(other));
    }
    for field in ["display_name", "external_id"] {
        let composed = account_filter(&format!("{field} = \"caf\u{e9}\""));
        assert_eq!(account_filter(&format!("{field} = \"cafe\u{301}\"")), composed);
    }
}

#[test]
fn orders_are_a_field_and_a_direction() {
    assert_eq!(key_order(""), Ok(Order { by: KeyOrder::CreateTime, descending: false }));
    assert_eq!(key_order("expire_time desc"), Ok(Order { by: KeyOrder::ExpireTime, descending: true }));
    assert!(key_order("color").is_err());
    assert!(key_order("create_time down").is_err());
    assert!(event_order("").unwrap().descending);
}

fn test<T>(test: T) -> Filter<T> {
    Filter::Test(test)
}

fn not<T>(test: T) -> Filter<T> {
    Filter::Not(Box::new(Filter::Test(test)))
}

const TIME: &str = "1970-01-01T00:00:05Z";

fn time() -> Timestamp {
    Timestamp::from_micros(5_000_000)
}

#[test]
fn keys_are_filtered_by_each_of_their_fields() {
    let staging = || KeyTest::Environment("staging".parse().unwrap());
    let name = "projects/acme/serviceAccounts/ci";
    let account = || KeyTest::ServiceAccount(name.parse().unwrap());
    let words = KeyTest::NameWords(vec!["bil".into(), "serv".into()]);
    for (text, expected) in [
        ("state = REVOKED", test(KeyTest::State(State::Revoked))),
        ("state != REVOKED", not(KeyTest::State(State::Revoked))),
        ("environment = staging", test(staging())),
        ("environment != staging", not(staging())),
        (&format!("service_account = {name}"), test(account())),
        (&format!("service_account != {name}"), not(account())),
        ("display_name = 'Billing EU'", test(KeyTest::DisplayName("Billing EU".into()))),
        ("display_name != Billing", not(KeyTest::DisplayName("Billing".into()))),
        ("display_name:'Bil serv'", test(words)),
        ("tags:'team:core'", test(KeyTest::Tag("team:core".parse().unwrap()))),
    ] {
        assert_eq!(key_filter(text), Ok(expected), "{text}");
    }
    for (field, of) in [
        ("create_time", KeyTime::Create),
        ("update_time", KeyTime::Update),
        ("expire_time", KeyTime::Expire),
        ("last_used_time", KeyTime::LastUsed),
    ] {
        let expected = test(KeyTest::Time(of, Relation::Less, time()));
        assert_eq!(key_filter(&format!("{field} < '{TIME}'")), Ok(expected), "{field}");
    }
}

#[test]
fn times_and_numbers_have_every_comparison() {
    for (sign, relation) in [
        ("=", Relation::Equal),
        ("<", Relation::Less),
        ("<=", Relation::LessOrEqual),
        (">", Relation::Greater),
        (">=", Relation::GreaterOrEqual),
    ] {
        let of_time = event_filter(&format!("event_time {sign} '{TIME}'"));
        assert_eq!(of_time, Ok(test(EventTest::Time(relation, time()))), "{sign}");
        let of_revision = event_filter(&format!("revision {sign} 7"));
        assert_eq!(of_revision, Ok(test(EventTest::Revision(relation, 7))), "{sign}");
    }
    assert_eq!(event_filter("revision != 7"), Ok(not(EventTest::Revision(Relation::Equal, 7))));
    assert_eq!(event_filter("revision:7").unwrap_err().message, "revision does not support :");
}

#[test]
fn accounts_are_filtered_by_each_of_their_fields() {
    for (text, expected) in [
        ("state = DISABLED", test(AccountTest::Disabled)),
        ("state != DISABLED", not(AccountTest::Disabled)),
        ("state = ACTIVE", not(AccountTest::Disabled)),
        ("state != ACTIVE", Filter::Not(Box::new(not(AccountTest::Disabled)))),
        ("display_name = CI", test(AccountTest::DisplayName("CI".into()))),
        ("external_id = 42", test(AccountTest::ExternalId("42".into()))),
        (
            &format!("create_time >= '{TIME}'"),
            test(AccountTest::CreateTime(Relation::GreaterOrEqual, time())),
        ),
    ] {
        assert_eq!(account_filter(text), Ok(expected), "{text}");
    }
    for (text, part) in [
        ("state = REVOKED", "state must be ACTIVE or DISABLED"),
        ("state < ACTIVE", "state supports only = and !="),
        ("tags:core", "unknown field \"tags\": a filter can name state, display_name"),
    ] {
        let error = account_filter(text).unwrap_err();
        assert!(error.message.starts_with(part), "{text}: {error}");
    }
}

#[test]
fn events_are_filtered_by_each_of_their_fields() {
    let actor = "projects/system/serviceAccounts/root";
    for (text, expected) in [
        (&*format!("actor = {actor}"), test(EventTest::Actor(actor.parse().unwrap()))),
        (&format!("actor != {actor}"), not(EventTest::Actor(actor.parse().unwrap()))),
        ("action = keys.create", test(EventTest::Action("keys.create".into()))),
        ("target != projects/acme", not(EventTest::Target("projects/acme".into()))),
    ] {
        assert_eq!(event_filter(text), Ok(expected), "{text}");
    }
    for (text, part) in [
        ("actor = projects/acme/serviceAccounts/ci", "actor must be a service account of projects/system"),
        ("action < a", "action supports only = and !="),
        ("state = ACTIVE", "unknown field \"state\": a filter can name actor, action"),
    ] {
        let error = event_filter(text).unwrap_err();
        assert!(error.message.starts_with(part), "{text}: {error}");
    }
}

#[test]
fn every_order_has_its_name() {
    let ascending = |by| Ok(Order { by, descending: false });
    for (text, by) in [
        ("create_time", KeyOrder::CreateTime),
        ("display_name asc", KeyOrder::DisplayName),
        ("last_used_time", KeyOrder::LastUsedTime),
        (" expire_time  asc ", KeyOrder::ExpireTime),
    ] {
        assert_eq!(key_order(text), ascending(by), "{text}");
    }
    for (text, order) in [
        ("", Order { by: AccountOrder::CreateTime, descending: false }),
        ("display_name", Order { by: AccountOrder::DisplayName, descending: false }),
        ("create_time desc", Order { by: AccountOrder::CreateTime, descending: true }),
    ] {
        assert_eq!(account_order(text), Ok(order), "{text}");
    }
    assert_eq!(event_order("revision"), Ok(Order { by: (), descending: false }));
    assert_eq!(event_order("revision desc"), Ok(Order { by: (), descending: true }));
    for text in ["last_used_time", "create_time desc display_name", "desc"] {
        let error = account_order(text).unwrap_err().to_string();
        assert_eq!(
            error, "must be one of create_time, display_name, optionally followed by \" desc\"",
            "{text}"
        );
    }
}
