//! What each grant allows, and which texts are grants and permissions.

use proptest::prelude::*;

use super::super::{Grant, Permission};

/// Each grant, with names that it allows and names that it does not.
const GRANTS: &[(&str, &[&str], &[&str])] = &[
    (
        "documents.read",
        &["documents.read"],
        &["documents", "documents.read.all", "Documents.read", "documents.rea"],
    ),
    ("documents", &["documents"], &["documents.read", "document"]),
    ("*", &["a", "a.b", "a.b.c"], &[]),
    (
        "documents.*",
        &["documents.read", "documents.a.b"],
        &["documents", "documentsx.read", "my.documents.read"],
    ),
    ("*.read", &["documents.read", "a.b.read"], &["read", "documents.reads", "documents.xread", "read.all"]),
    (
        "documents.*.read",
        &["documents.a.read", "documents.a.b.read", "documents.read.read"],
        &["documents.read", "documents.a.readx", "documentsa.read", "documents.a.read.b"],
    ),
    ("*.b.*", &["a.b.c", "a.b.b", "b.b.b", "a.b.c.b.d"], &["b.c", "a.b", "b.b", "a.c.d", "a.bb.c"]),
    ("*.*", &["a.b", "a.b.c"], &["a"]),
    ("a.*.*.d", &["a.b.c.d", "a.b.c.c.d", "a.d.d.d"], &["a.b.d", "a.d", "a.b.c.d.e"]),
    ("a.*.b.*.a", &["a.x.b.y.a", "a.b.b.b.a", "a.x.y.b.a.a"], &["a.b.a", "a.x.b.a", "a.x.y.z.a"]),
    ("AND.not", &["AND.not"], &["and.not"]),
];

#[test]
fn a_grant_allows_what_it_says() {
    for (grant, allowed, denied) in GRANTS {
        let read: Grant = grant.parse().unwrap();
        assert_eq!((read.to_string().as_str(), read.as_str()), (*grant, *grant));
        for (names, expected) in [(allowed, true), (denied, false)] {
            for name in *names {
                name.parse::<Permission>().unwrap();
                assert_eq!(read.allows(name), expected, "{grant} for {name}");
                let access = super::granted(&[grant]);
                assert_eq!(access.allows(name), expected, "{grant} for {name}, by index");
            }
        }
    }
}

#[test]
fn every_fault_has_its_own_words_and_a_place() {
    let long = "a".repeat(101);
    let characters = "its segments may have letters, digits, _ and -";
    for (text, why) in [
        ("", "must not be empty".to_owned()),
        (&long, "must be at most 100 characters (at character 101)".to_owned()),
        (".a", "has an empty segment: write it as in documents.read (at character 1)".to_owned()),
        ("a.", "has an empty segment: write it as in documents.read (at character 3)".to_owned()),
        ("a..b", "has an empty segment: write it as in documents.read (at character 3)".to_owned()),
        ("a.b c", format!("has the character ' ': {characters} (at character 4)")),
        ("ab.ü", format!("has the character 'ü': {characters} (at character 4)")),
        ("a\n", format!("has the character '\\n': {characters} (at character 2)")),
        ("a:b", format!("has the character ':': {characters} (at character 2)")),
        ("a/b", format!("has the character '/': {characters} (at character 2)")),
    ] {
        assert_eq!(text.parse::<Grant>().unwrap_err().to_string(), why, "{text:?}");
        assert_eq!(text.parse::<Permission>().unwrap_err().to_string(), why, "{text:?}");
    }
    for (text, at) in [("a*", 2), ("a.*b", 3), ("**", 1), ("a.**", 3), ("a.b*c.d", 4)] {
        let part = "has * as a part of a segment: * stands for whole segments, as in documents.*";
        let why = text.parse::<Grant>().unwrap_err().to_string();
        assert_eq!(why, format!("{part} (at character {at})"), "{text}");
    }
    for (text, at) in [("*", 1), ("a.*", 3), ("a*", 2)] {
        let asked = "has *, which only a grant may have: ask for a permission by its full name";
        let why = text.parse::<Permission>().unwrap_err().to_string();
        assert_eq!(why, format!("{asked} (at character {at})"), "{text}");
    }
}

#[test]
fn the_longest_has_100_characters() {
    for text in ["a".repeat(100), format!("{}.*", "a".repeat(98)), format!("{}b", "a.".repeat(49))] {
        assert!(text.parse::<Grant>().is_ok(), "{text}");
    }
}

#[test]
fn neither_holds_an_api_key() {
    let api_key = crate::token::issue(
        "acme_live",
        crate::id::KeyId::new(crate::time::Timestamp::from_micros(0), [1; 10]),
        &crate::digest::Secret::new([1; 32]),
    );
    for why in [
        api_key.expose().parse::<Grant>().unwrap_err(),
        api_key.expose().parse::<Permission>().unwrap_err(),
        format!("GET /{}", api_key.expose()).parse::<super::EndpointPattern>().unwrap_err(),
        super::super::Expression::parse(api_key.expose()).unwrap_err().why,
    ] {
        assert!(why.to_string().starts_with("must not contain an API key"), "{why}");
    }
}

/// Every text of up to `most` segments, each of them one of `segments`.
fn every(segments: &[&str], most: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = vec![String::new()];
    for _ in 0..most {
        let longer = |text: &String| {
            let text = text.clone();
            segments.iter().map(move |segment| {
                if text.is_empty() { (*segment).to_owned() } else { format!("{text}.{segment}") }
            })
        };
        longest = longest.iter().flat_map(longer).collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// The definition, without regard to speed.
fn defined(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (["*", pattern @ ..], [_, name @ ..]) => (0..=name.len()).any(|more| defined(pattern, &name[more..])),
        ([wanted, pattern @ ..], [segment, name @ ..]) => wanted == segment && defined(pattern, name),
        _ => false,
    }
}

/// `z` is in no grant; names are two segments longer than grants, so that there is a witness for whatever is not covered.
#[test]
fn one_grant_covers_another_exactly_if_it_allows_all_of_it() {
    let grants: Vec<Grant> = every(&["a", "b", "*"], 4).iter().map(|text| text.parse().unwrap()).collect();
    let names = every(&["a", "b", "z"], 6);
    let allowed: Vec<Vec<bool>> =
        grants.iter().map(|grant| names.iter().map(|name| grant.allows(name)).collect()).collect();
    for (grant, allowed) in grants.iter().zip(&allowed) {
        let pattern: Vec<_> = grant.as_str().split('.').collect();
        for (name, allowed) in names.iter().zip(allowed) {
            let segments: Vec<_> = name.split('.').collect();
            assert_eq!(*allowed, defined(&pattern, &segments), "{grant} for {name}");
        }
    }
    for (one, of_one) in grants.iter().zip(&allowed) {
        for (other, of_other) in grants.iter().zip(&allowed) {
            let all = of_other.iter().zip(of_one).all(|(other, one)| *one || !*other);
            assert_eq!(one.covers(other), all, "{one} over {other}");
        }
    }
}

proptest! {
    #[test]
    fn long_grants_match_as_defined(grant in "[ab*](\\.[ab*]){3,7}", names in prop::collection::vec("[ab](\\.[ab]){3,9}", 30)) {
        let pattern: Vec<_> = grant.split('.').collect();
        let grant: Grant = grant.parse().unwrap();
        for name in names {
            let segments: Vec<_> = name.split('.').collect();
            prop_assert_eq!(grant.allows(&name), defined(&pattern, &segments), "{} for {}", grant, name);
        }
    }
}
