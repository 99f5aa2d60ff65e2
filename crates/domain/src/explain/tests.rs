//! Explanations of decisions, in words.

use super::*;
use crate::{
    access::Access,
    decision::Question,
    digest::Secret,
    id::ProjectId,
    key::{
        Key, Revocation,
        sample::{at, key},
    },
    policy::Policy,
    role::built_in,
    text::Reason,
    time::Timestamp,
    token::issue,
};

fn explained(key: &Key, owner_disabled: bool, question: &Question) -> Vec<Explained> {
    let acme: ProjectId = "acme".parse().unwrap();
    let roles = built_in(&acme, Timestamp::from_micros(0));
    let held = roles.iter().filter(|role| key.roles.contains(&role.id));
    let (policy, access) = (Policy::new(key, owner_disabled), Access::of(held, &key.permissions));
    let case = Case { policy: &policy, access: &access, question, now: at(10) };
    let mut helpful = HelpfulRoles::default();
    roles.iter().for_each(|role| helpful.consider(case, role));
    explain(case, &helpful)
}

/// The detail of the last check that was reached.
fn last(key: &Key, question: &Question) -> String {
    let explained = explained(key, false, question);
    let mut reached = explained.iter().filter(|it| it.outcome != Outcome::NotReached);
    reached.next_back().unwrap().detail.clone()
}

/// The detail of the check with this code.
fn detail(key: &Key, owner_disabled: bool, question: &Question, code: Code) -> String {
    let explained = explained(key, owner_disabled, question);
    explained.iter().find(|it| it.code == code).unwrap().detail.clone()
}

fn asking(permission: &str) -> Question {
    let permission = Some(Arc::new(Expression::parse(permission).unwrap()));
    Question { permission, ..Question::default() }
}

#[test]
fn a_failed_check_says_what_was_asked_what_there_is_and_what_would_help() {
    let plain = key(None, false);
    let viewer = Key { roles: vec!["viewer".parse().unwrap()], ..plain.clone() };
    let listed = Key {
        allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        customers: vec!["shop".parse().unwrap()],
        ..plain.clone()
    };
    let from = |address: [u8; 4]| Question { client_ip: Some(address.into()), ..Question::default() };
    let for_customer = |id: &str| Question { customer: Some(id.parse().unwrap()), ..from([10, 0, 0, 1]) };
    let endpoint = |method: &str, path: &str| Question {
        endpoint: Some(Endpoint::new(method.into(), path.into())),
        ..Question::default()
    };
    let staging = Question { environment: Some("staging".parse().unwrap()), ..Question::default() };
    for (key, question, expected) in [
        (&key(Some(at(9)), false), Question::default(), "expired at 1970-01-01T00:00:09Z; UpdateKey"),
        (&plain, staging, "staging was asked for, and the key belongs to production"),
        (&listed, Question::default(), "has no client_ip, and the key is valid only from 10.0.0.0/8"),
        (&listed, from([192, 0, 2, 1]), "192.0.2.1 is in none of 10.0.0.0/8"),
        (&listed, from([10, 0, 0, 1]), "has no customer, and the key is valid only for shop"),
        (&listed, for_customer("club"), "valid for shop, and not for club"),
        (
            &plain,
            asking("a.read AND b.write"),
            "it lacks a.read, b.write (roles that grant some of that: privileged, viewer)",
        ),
        (
            &viewer,
            asking("NOT a.read"),
            "do not satisfy NOT a.read: it has a.read, under a NOT; the key holds",
        ),
        (
            &viewer,
            asking("a.write OR NOT a.read"),
            "it lacks a.write (roles that grant some of that: privileged), and has a.read, under a NOT",
        ),
        (
            &viewer,
            asking("a.write"),
            "the key holds the roles viewer and has the permissions *.read, chat.run",
        ),
        (
            &viewer,
            endpoint("POST", "/v1/%61"),
            "no role of the key allows POST /v1/a (roles that allow it: privileged)",
        ),
        (&viewer, endpoint("GET", "/a/../b"), "the path is ambiguous"),
    ] {
        let detail = last(key, &question);
        assert!(detail.contains(expected), "{detail:?} has no {expected:?}");
    }
}

#[test]
fn a_failed_check_of_the_state_says_what_ends_it() {
    let any = Question::default();
    let revoked = Revocation { time: at(1), reason: Reason::default() };
    let revoked = Key { revocation: Some(revoked), ..key(None, false) };
    assert!(detail(&revoked, false, &any, Code::Revoked).contains("create another key"));
    let disabled = Key { disable_time: Some(at(1)), ..key(None, false) };
    assert!(detail(&disabled, false, &any, Code::Disabled).contains("until EnableKey"));
    let of_disabled = detail(&key(None, false), true, &any, Code::OwnerDisabled);
    assert!(of_disabled.contains("until EnableServiceAccount"));
}

#[test]
fn a_passed_check_says_why() {
    let plain = key(None, false);
    let listed = Key {
        expire_time: Some(at(20)),
        allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
        customers: vec!["shop".parse().unwrap()],
        roles: vec!["viewer".parse().unwrap()],
        ..plain.clone()
    };
    let system = Key { project: ProjectId::system(), ..listed.clone() };
    let asked = Question {
        environment: Some("production".parse().unwrap()),
        client_ip: Some([10, 0, 0, 1].into()),
        customer: Some("shop".parse().unwrap()),
        ..asking("a.read")
    };
    let any = Question::default();
    for (key, question, code, expected) in [
        (&plain, &any, Code::Revoked, "the key is not revoked"),
        (&plain, &any, Code::Disabled, "the key is not disabled"),
        (&plain, &any, Code::Expired, "the key never expires"),
        (&listed, &asked, Code::Expired, "the key expires at 1970-01-01T00:00:20Z"),
        (&plain, &any, Code::OwnerDisabled, "the key's service account is not disabled"),
        (&plain, &any, Code::WrongEnvironment, "no environment was asked for; the key belongs to production"),
        (&listed, &asked, Code::WrongEnvironment, "the key belongs to production, as asked"),
        (&plain, &asked, Code::IpNotAllowed, "the key lists no networks, so it is valid from everywhere"),
        (&listed, &asked, Code::IpNotAllowed, "10.0.0.1 is in one of 10.0.0.0/8"),
        (&plain, &asked, Code::WrongCustomer, "the key lists no customers, so it is valid for all"),
        (&listed, &asked, Code::WrongCustomer, "the key is valid for shop"),
        (
            &system,
            &asked,
            Code::WrongCustomer,
            "the customers of a key of projects/system are the projects that it may act on",
        ),
        (&listed, &asked, Code::MissingPermission, "the key's permissions satisfy a.read"),
        (&plain, &any, Code::MissingPermission, "no permission and no endpoint were asked for"),
    ] {
        assert_eq!(detail(key, false, question, code), expected);
    }
    let endpoint = Some(Endpoint::new("GET".into(), "/v1/a".into()));
    let both = Question { endpoint, ..asked };
    let detail = detail(&listed, false, &both, Code::MissingPermission);
    assert_eq!(detail, "the key's permissions satisfy a.read; a role allows GET /v1/a");
}

#[test]
fn an_api_key_in_a_path_is_concealed() {
    let api_key = issue("acme_live", key(None, false).id, &Secret::new([1; 32]));
    let path = format!("/keys/{}", api_key.expose());
    let endpoint = Some(Endpoint::new("GET".into(), path.clone()));
    let detail = last(&key(None, false), &Question { endpoint, ..Question::default() });
    assert!(detail.contains(&conceal(&path)) && !detail.contains(api_key.expose()), "{detail}");
}

#[test]
fn long_lists_are_cut() {
    let entries: Vec<u32> = (0..12).collect();
    assert_eq!(list(&entries), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    assert_eq!(list(&entries[..0]), "(none)");
}
