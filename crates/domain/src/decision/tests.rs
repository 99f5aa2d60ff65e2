//! The checks, in their order.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use super::*;
use crate::{
    explain::{HelpfulRoles, Outcome, explain},
    key::{
        Key, Revocation,
        sample::{at, key},
    },
    text::Reason,
};

#[test]
fn codes_are_in_the_order_of_the_contract() {
    assert!(Code::ALL.iter().enumerate().all(|(at, code)| *code as usize == at));
}

#[test]
fn checks_are_in_the_order_of_the_codes() {
    assert!(CHECKS.is_sorted_by_key(|check| check.denies_with));
}

/// 401 means that the caller is not identified, and 403 that it is, but is not permitted.
#[test]
fn every_code_has_an_http_status_and_a_message_of_its_own() {
    use Code::*;
    for (http_status, codes) in [
        (200, &[Valid][..]),
        (401, &[Malformed, NotFound, Revoked, Disabled, Expired, OwnerDisabled]),
        (403, &[WrongEnvironment, IpNotAllowed, WrongCustomer, MissingPermission]),
    ] {
        assert!(codes.iter().all(|code| code.http_status() == http_status), "{http_status}");
    }
    assert_eq!(Code::Revoked.message(), "the key is revoked");
    let messages: HashSet<_> = Code::ALL.into_iter().map(Code::message).collect();
    assert_eq!(messages.len(), Code::ALL.len());
}

type Cure = fn(&mut Trial);

/// Functions that each make a case pass one check, in the order of the checks.
const CURES: [(Code, Cure); 8] = [
    (Code::Revoked, |it| it.key.revocation = None),
    (Code::Disabled, |it| it.key.disable_time = None),
    (Code::Expired, |it| it.key.expire_time = Some(at(11))),
    (Code::OwnerDisabled, |it| it.owner_disabled = false),
    (Code::WrongEnvironment, |it| it.question.environment = Some(it.key.environment.clone())),
    (Code::IpNotAllowed, |it| it.question.client_ip = Some([10, 1, 2, 3].into())),
    (Code::WrongCustomer, |it| it.question.customer = Some("shop".parse().unwrap())),
    (Code::MissingPermission, |it| it.key.permissions = vec!["documents.*".parse().unwrap()]),
];

struct Trial {
    key: Key,
    owner_disabled: bool,
    question: Question,
}

impl Trial {
    fn failing_every_check() -> Self {
        let key = Key {
            revocation: Some(Revocation { time: at(1), reason: Reason::default() }),
            disable_time: Some(at(1)),
            allowed_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            customers: vec!["shop".parse().unwrap()],
            ..key(Some(at(10)), false)
        };
        let question = Question {
            environment: Some("staging".parse().unwrap()),
            client_ip: Some([192, 0, 2, 1].into()),
            customer: Some("other".parse().unwrap()),
            permission: Some(Arc::new(Expression::parse("documents.read").unwrap())),
            endpoint: None,
        };
        Self { key, owner_disabled: true, question }
    }

    fn passing_all_checks_but(failing: Option<Code>) -> Self {
        let mut case = Self::failing_every_check();
        CURES.iter().filter(|(code, _)| Some(*code) != failing).for_each(|(_, cure)| cure(&mut case));
        case
    }

    fn decided(&self) -> Code {
        self.with(decide)
    }

    fn explained(&self) -> Vec<(Code, Outcome)> {
        self.with(|case| {
            explain(case, &HelpfulRoles::default()).into_iter().map(|it| (it.code, it.outcome)).collect()
        })
    }

    fn with<T>(&self, judge: fn(Case<'_>) -> T) -> T {
        let (policy, access) =
            (Policy::new(&self.key, self.owner_disabled), Access::of([], &self.key.permissions));
        judge(Case { policy: &policy, access: &access, question: &self.question, now: at(10) })
    }
}

#[test]
fn the_first_check_that_fails_decides() {
    let mut case = Trial::failing_every_check();
    for (place, (code, cure)) in CURES.into_iter().enumerate() {
        assert_eq!(case.decided(), code);
        let outcomes = CURES.iter().enumerate().map(|(at, (code, _))| {
            let outcome = match at.cmp(&place) {
                Ordering::Less => Outcome::Passed,
                Ordering::Equal => Outcome::Failed,
                Ordering::Greater => Outcome::NotReached,
            };
            (*code, outcome)
        });
        assert_eq!(case.explained(), outcomes.collect::<Vec<_>>(), "{code:?}");
        cure(&mut case);
    }
    assert_eq!(case.decided(), Code::Valid);
    assert!(case.explained().iter().all(|(_, outcome)| *outcome == Outcome::Passed));
    assert!(checked_codes().eq(CURES.map(|(code, _)| code)));
}

#[test]
fn only_a_path_can_be_ambiguous() {
    let asking = |path: &str| Question {
        endpoint: Some(Endpoint::new("GET".into(), path.into())),
        ..Question::default()
    };
    assert_eq!(asking("/a/../b").ambiguity(), Some(Ambiguity::DotSegment));
    assert_eq!(asking("/a/b").ambiguity(), None);
    assert_eq!(Question::default().ambiguity(), None);
}

#[test]
fn every_check_denies_without_the_others() {
    for (code, _) in CURES {
        assert_eq!(Trial::passing_all_checks_but(Some(code)).decided(), code);
    }
}

/// A missing environment in the question passes; a missing address or customer fails if the key has a list of them.
#[test]
fn missing_fields_pass_only_if_the_key_does_not_restrict_them() {
    let mut case = Trial::passing_all_checks_but(None);
    case.question.environment = None;
    assert_eq!(case.decided(), Code::Valid);
    case.question.customer = None;
    assert_eq!(case.decided(), Code::WrongCustomer);
    case.key.customers.clear();
    assert_eq!(case.decided(), Code::Valid);
    case.question.client_ip = None;
    assert_eq!(case.decided(), Code::IpNotAllowed);
    case.key.allowed_cidrs.clear();
    assert_eq!(case.decided(), Code::Valid);
}

#[test]
fn an_address_must_be_in_one_of_the_networks() {
    let mut case = Trial::passing_all_checks_but(None);
    case.key.allowed_cidrs = ["10.0.0.0/8", "2001:db8::/32"].map(|it| it.parse().unwrap()).to_vec();
    for (address, code) in [
        ("10.255.255.255", Code::Valid),
        ("11.0.0.0", Code::IpNotAllowed),
        ("::ffff:10.0.0.1", Code::Valid),
        ("2001:db8:ffff::1", Code::Valid),
        ("2001:db9::1", Code::IpNotAllowed),
    ] {
        case.question.client_ip = Some(address.parse().unwrap());
        assert_eq!(case.decided(), code, "{address}");
    }
}
