//! ListKeys: its filters, which CountKeys shares.

use proto::Key;
use testkit::{
    server::{START, Server},
    status::metadata,
};

use crate::calls::{HOUR, assert_invalid};

use super::{
    list_keys::{ALL, asked, names, populated},
    operation::Operation,
};

#[tokio::test]
async fn each_field_filters() {
    let (server, _) = populated().await;
    let [system, billing, worker, search, anger, tester] = ALL;
    let noon = |hours: u32| START.after(HOUR * hours).to_string();
    let cases: &[(String, &[&str])] = &[
        (String::new(), &ALL),
        ("  ".into(), &ALL),
        ("state = ACTIVE".into(), &[system, billing, tester]),
        ("state = DISABLED".into(), &[worker]),
        ("state = REVOKED".into(), &[search]),
        ("state = EXPIRED".into(), &[anger]),
        ("state = DELETED".into(), &[]),
        ("state != ACTIVE".into(), &[worker, search, anger]),
        ("environment = staging".into(), &[worker]),
        ("environment != \"production\"".into(), &[worker, search]),
        ("environment = nowhere".into(), &[]),
        ("service_account = projects/acme/serviceAccounts/billing".into(), &[billing]),
        ("service_account = 'projects/acme/serviceAccounts/nobody'".into(), &[]),
        ("service_account = projects/other/serviceAccounts/billing".into(), &[]),
        ("display_name = \"Search\"".into(), &[search]),
        ("display_name = search".into(), &[]),
        ("display_name = \"Ärger \\\"quoted\\\"\"".into(), &[anger]),
        ("display_name:bill".into(), &[billing, worker]),
        ("display_name:\"BILLING\"".into(), &[billing, worker]),
        ("display_name:\"eu bil\"".into(), &[worker]),
        ("display_name:ÄRG".into(), &[anger]),
        ("display_name:illing".into(), &[]),
        ("tags:core".into(), &[billing, search]),
        ("tags:team".into(), &[tester]),
        ("tags:\"team:web\" AND tags:core".into(), &[billing]),
        ("NOT tags:core".into(), &[system, worker, anger, tester]),
        (format!("create_time = \"{}\"", noon(2)), &[worker]),
        (format!("create_time < \"{}\"", noon(2)), &[system, billing]),
        (format!("create_time <= \"{}\"", noon(1)), &[system, billing]),
        (format!("create_time > \"{}\"", noon(4)), &[tester]),
        (format!("create_time >= \"{}\"", noon(4)), &[anger, tester]),
        (format!("create_time != \"{}\"", noon(2)), &[system, billing, search, anger, tester]),
        (format!("update_time = \"{}\"", noon(6)), &[worker, search]),
        (format!("expire_time = \"{}\"", noon(5)), &[anger]),
        (format!("expire_time < \"{}\"", noon(9999)), &[anger, tester]),
        (format!("last_used_time = \"{}\"", noon(6)), &[tester]),
        (format!("last_used_time > \"{}\"", noon(6)), &[]),
        (format!("last_used_time >= \"{}\"", noon(6)), &[tester]),
    ];
    for (filter, expected) in cases {
        assert_eq!(names(&server, asked(filter, "")).await, *expected, "{filter}");
    }
}

#[tokio::test]
async fn filters_combine() {
    let (server, _) = populated().await;
    let [system, billing, worker, search, _, tester] = ALL;
    let cases: &[(&str, &[&str])] = &[
        // OR binds tighter than AND.
        ("environment = production AND tags:core OR tags:team", &[billing, tester]),
        ("(environment = production AND tags:core) OR tags:team", &[billing, tester]),
        ("tags:team OR tags:core AND state = REVOKED", &[search]),
        ("NOT (state = ACTIVE OR state = EXPIRED)", &[worker, search]),
        ("NOT NOT state = DISABLED", &[worker]),
        (
            "state = ACTIVE AND NOT display_name:\"test\" AND expire_time > \"2030-01-01T00:00:00Z\"",
            &[system, billing],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(names(&server, asked(filter, "")).await, *expected, "{filter}");
    }
}

#[tokio::test]
async fn a_filter_sees_a_change_at_once() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    assert!(names(&server, asked("display_name:upd", "")).await.is_empty());
    Operation::Update.run(&server, &key.name, "").await.unwrap();
    assert_eq!(names(&server, asked("display_name:upd", "")).await, ["Updated"]);
    Operation::Disable.run(&server, &key.name, "").await.unwrap();
    assert_eq!(names(&server, asked("state = DISABLED", "")).await, ["Updated"]);
}

#[tokio::test]
async fn a_filter_that_does_not_parse_is_refused_with_the_position() {
    let server = Server::start().await;
    server.project("acme").await;
    let deep = "(".repeat(21);
    let long = format!("display_name = \"{}\"", "x".repeat(2000));
    for (filter, position) in [
        ("color = red", 1),
        ("state", 6),
        ("state =", 8),
        ("state = SLEEPY", 9),
        ("state = active", 9),
        ("state < ACTIVE", 9),
        ("state = ACTIVE tags:core", 16),
        ("state = ACTIVE AND", 19),
        ("state = ACTIVE OR color = red", 19),
        ("(state = ACTIVE", 16),
        ("state = ACTIVE)", 15),
        ("display_name = \"ü", 16),
        ("display_name = \"ü\" AND color = red", 24),
        ("display_name < a", 16),
        ("tags = core", 8),
        ("tags:\"a b\"", 6),
        ("environment:prod", 13),
        ("service_account = ci", 19),
        ("create_time > yesterday", 15),
        ("tags:team:web", 6),
        ("create_time > 2030-01-01T00:00:00Z", 15),
        ("create_time:\"2030-01-01T00:00:00Z\"", 13),
        (&deep, 21),
        (&long, 2001),
    ] {
        let status = server.list(asked(filter, "")).await.unwrap_err();
        assert_invalid(&status, &["filter"]);
        let shown = metadata(&status, "position");
        assert_eq!(shown, Some(position.to_string()), "{filter}: {}", status.message());
    }
}

#[tokio::test]
async fn a_value_without_quotes_is_shown_with_them() {
    let server = Server::start().await;
    server.project("acme").await;
    for (filter, value) in [
        ("create_time > 2030-01-01T00:00:00Z AND state = ACTIVE", "\"2030-01-01T00:00:00Z\""),
        ("state = ACTIVE AND (tags:team:web)", "\"team:web\""),
        ("create_time > yesterday", "in quotes, such as \"2030-01-31T12:00:00Z\""),
    ] {
        let status = server.list(asked(filter, "")).await.unwrap_err();
        assert!(status.message().ends_with(value), "{}", status.message());
        assert!(status.message().contains("quotes"), "{}", status.message());
    }
}
