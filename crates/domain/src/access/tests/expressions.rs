//! What expressions mean, and what is said of a text that is none.

use proptest::prelude::*;

use super::{super::Expression, granted};

/// Each expression, with grants that satisfy it and grants that do not, separated by spaces.
const EXPRESSIONS: &[(&str, &[&str], &[&str])] = &[
    ("a.read", &["a.read", "a.*", "*.read", "*"], &["", "a.write", "a"]),
    ("a AND b", &["a b", "*"], &["", "a", "b"]),
    ("a OR b", &["a", "b", "a b"], &["", "c"]),
    ("NOT a", &["", "b"], &["a", "*"]),
    // NOT binds tightest, then AND, then OR.
    ("a OR b AND c", &["a", "b c"], &["b", "c"]),
    ("a AND b OR c", &["a b", "c"], &["a", "b"]),
    ("(a OR b) AND c", &["a c", "b c"], &["a", "a b", "c"]),
    ("NOT a AND b", &["b"], &["", "a b"]),
    ("NOT (a AND b)", &["", "a", "b"], &["a b"]),
    ("NOT a OR b", &["", "b", "a b"], &["a"]),
    (
        "a.read AND (b.write OR NOT c.admin)",
        &["a.read", "a.read b.write c.admin"],
        &["a.read c.admin", "b.write"],
    ),
    ("NOT NOT a", &["a"], &[""]),
    ("a AND b AND c AND NOT d", &["a b c"], &["a b", "a b c d"]),
    ("a OR b OR c OR d", &["d"], &["e"]),
    ("((a))", &["a"], &[""]),
    // Whitespace only separates, and parentheses need none.
    (" a\tAND\n(b)OR(c) ", &["a b", "c"], &["a", "b"]),
    ("NOT(a)", &[""], &["a"]),
    // Operators are whole words in capitals, so these are names.
    ("ANDROID OR NOTES", &["ANDROID", "NOTES"], &[""]),
    ("and AND or", &["and or"], &["and"]),
    ("not", &["not"], &[""]),
    ("AND.x", &["AND.x"], &["and.x"]),
];

#[test]
fn an_expression_means_what_it_says() {
    for (text, allowing, denying) in EXPRESSIONS {
        let expression = Expression::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((expression.as_str(), expression.to_string().as_str()), (*text, *text));
        for (grants, expected) in [(allowing, true), (denying, false)] {
            for grants in *grants {
                let access = granted(&grants.split_whitespace().collect::<Vec<_>>());
                assert_eq!(expression.is_allowed_by(&access), expected, "{text} with {grants}");
            }
        }
    }
}

#[test]
fn a_fault_has_a_place_and_says_what_to_write() {
    let name = "its segments may have letters, digits, _ and -";
    for (text, position, why) in [
        ("", 1, "expected a permission, but the expression ends"),
        ("  ", 3, "expected a permission, but the expression ends"),
        ("a AND", 6, "expected a permission, but the expression ends"),
        ("a OR NOT", 9, "expected a permission, but the expression ends"),
        ("AND a", 1, "expected a permission before AND"),
        ("a AND OR b", 7, "expected a permission before OR"),
        ("()", 2, "expected a permission before )"),
        ("a b", 3, "expected AND or OR before this permission"),
        ("a (b)", 3, "expected AND or OR before ("),
        ("(a)(b)", 4, "expected AND or OR before ("),
        ("a NOT b", 3, "expected AND or OR before NOT"),
        ("a and b", 3, "operators are in capitals: write AND"),
        ("(a Or b)", 4, "operators are in capitals: write OR"),
        ("a AND not b", 7, "operators are in capitals: write NOT"),
        ("not (a)", 1, "operators are in capitals: write NOT"),
        ("(a AND b", 1, "this ( is not closed"),
        ("a OR (b AND (c)", 6, "this ( is not closed"),
        ("a)", 2, "this ) has no ( before it"),
        ("not)", 4, "this ) has no ( before it"),
        ("a && b", 3, "operators are words: write AND"),
        ("a&&b", 2, "operators are words: write AND"),
        ("a || b", 3, "operators are words: write OR"),
        ("!a", 1, "operators are words: write NOT"),
        (
            "a AND b.*",
            9,
            "the permission has *, which only a grant may have: ask for a permission by its full name",
        ),
        (
            "a.*.b",
            3,
            "the permission has *, which only a grant may have: ask for a permission by its full name",
        ),
        ("a AND b..c", 9, "the permission has an empty segment: write it as in documents.read"),
        ("a AND \"b\"", 7, &format!("the permission has the character '\"': {name}")),
        ("ü OR b", 1, &format!("the permission has the character 'ü': {name}")),
        ("a OR (NOT ü)", 11, &format!("the permission has the character 'ü': {name}")),
    ] {
        let fault = Expression::parse(text).unwrap_err();
        assert_eq!((fault.position, fault.why.to_string().as_str()), (position, why), "{text}");
    }
    let fault = Expression::parse("a b").unwrap_err();
    assert_eq!(fault.to_string(), "at character 3: expected AND or OR before this permission");
}

/// The depth is that around each permission, however many there are side by side.
#[test]
fn parts_side_by_side_are_not_deeper() {
    for part in ["NOT a", "(a)", "(NOT a)"] {
        let text = vec![part; 50].join(" AND ");
        assert!(Expression::parse(&text).is_ok(), "{part}");
    }
}

#[test]
fn length_names_and_depth_are_bounded() {
    let fault = |text: &str| Expression::parse(text).unwrap_err();
    let blank = |length: usize| format!("ä{}", " ".repeat(length - 1));
    assert_eq!(fault(&blank(1000)).position, 1, "of characters");
    assert_eq!(
        fault(&blank(1001)).to_string(),
        "at character 1001: an expression has at most 1000 characters"
    );

    let many = |number: usize| vec!["a"; number].join(" OR ");
    assert!(Expression::parse(&many(100)).is_ok());
    assert_eq!(fault(&many(101)).to_string(), "at character 501: an expression has at most 100 permissions");

    let nested = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    let negated = |levels: usize| format!("{}a", "NOT ".repeat(levels));
    let why = "a permission has at most 20 parentheses and NOTs around it";
    for (deep, width) in [(nested as fn(usize) -> String, 1), (negated, 4)] {
        assert!(Expression::parse(&deep(20)).is_ok());
        assert_eq!(fault(&deep(21)).to_string(), format!("at character {}: {why}", 20 * width + 1));
    }
    assert!(
        Expression::parse(&format!("{} OR {}", nested(20), negated(20))).is_ok(),
        "levels are left again"
    );
    for endless in ["(", "NOT ", "NOT(", "a OR ("] {
        fault(&endless.repeat(1000 / endless.len()));
    }
}

/// Each expression with what is granted: what is missing, and what must not be held.
#[test]
fn an_explanation_names_what_would_help() {
    for (text, grants, missing, excluded) in [
        ("a", "", "a", ""),
        ("a", "a", "", ""),
        ("b AND a AND b", "", "a b", ""),
        ("a AND b", "a", "b", ""),
        ("a OR b", "", "a b", ""),
        ("(a OR b) AND c", "b", "c", ""),
        ("(a OR b) AND c", "c", "a b", ""),
        ("a OR b AND c", "b", "a c", ""),
        ("NOT a", "a", "", "a"),
        ("a AND NOT b", "b", "a", "b"),
        ("a OR NOT b", "b", "a", "b"),
        ("NOT (a AND b)", "*", "", "a b"),
        ("NOT (a OR NOT b)", "a", "b", "a"),
        ("NOT NOT a", "", "a", ""),
    ] {
        let access = granted(&grants.split_whitespace().collect::<Vec<_>>());
        let expression = Expression::parse(text).unwrap();
        let text_of = |names: Vec<&super::super::Permission>| {
            names.into_iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text_of(expression.missing(&access)), missing, "{text} with {grants}");
        assert_eq!(text_of(expression.excluded(&access)), excluded, "{text} with {grants}");
    }
}

#[test]
fn names_are_in_the_order_of_the_text() {
    let expression = Expression::parse("c OR NOT (a AND c)").unwrap();
    assert_eq!(expression.names().map(|name| name.as_str()).collect::<Vec<_>>(), ["c", "a", "c"]);
    let longer = Expression::parse("c OR NOT (a AND cc)").unwrap();
    assert_eq!(longer.size(), expression.size() + 2, "of the text and of the name");
}

/// An expression, and what it means of each set of the names `a` to `d`, as bits.
fn expression(with_not: bool) -> impl Strategy<Value = (String, u16)> {
    let name = (0..4u16).prop_map(|name| {
        let sets = (0..16).filter(|set| set >> name & 1 == 1).fold(0, |sets, set| sets | 1 << set);
        (["a", "b", "c.d", "d"][usize::from(name)].to_owned(), sets)
    });
    name.prop_recursive(4, 24, 3, move |inner| {
        let group = prop::collection::vec(inner.clone(), 2..4);
        let joined = |operator: &'static str, whole: u16, combine: fn(u16, u16) -> u16| {
            group.clone().prop_map(move |parts: Vec<(String, u16)>| {
                let texts: Vec<_> = parts.iter().map(|(text, _)| text.as_str()).collect();
                let sets = parts.iter().fold(whole, |sets, (_, part)| combine(sets, *part));
                (format!("({})", texts.join(operator)), sets)
            })
        };
        let negated =
            inner.clone().prop_map(
                move |(text, sets)| {
                    if with_not { (format!("NOT {text}"), !sets) } else { (text, sets) }
                },
            );
        prop_oneof![
            joined(" AND ", u16::MAX, |one, other| one & other),
            joined(" OR ", 0, |one, other| one | other),
            negated
        ]
    })
}

fn access_of(set: u16) -> super::Access {
    let names = ["a", "b", "c.d", "d"].into_iter().enumerate();
    granted(&names.filter(|(name, _)| set >> name & 1 == 1).map(|(_, name)| name).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn it_is_evaluated_as_logic_has_it((text, sets) in expression(true)) {
        let expression = Expression::parse(&text).unwrap();
        for set in 0..16 {
            let access = access_of(set);
            let allowed = sets >> set & 1 == 1;
            prop_assert_eq!(expression.is_allowed_by(&access), allowed, "{} of {:b}", text, set);
            let helps = !expression.missing(&access).is_empty() || !expression.excluded(&access).is_empty();
            prop_assert_eq!(helps, !allowed, "{} of {:b} has an explanation", text, set);
        }
    }

    #[test]
    fn a_further_grant_takes_nothing_away_where_there_is_no_not(
        (text, _) in expression(false),
        set in 0..16u16,
        further in prop::sample::select(vec!["a", "b", "c.d", "c.*", "*.d", "*", "x"]),
    ) {
        let expression = Expression::parse(&text).unwrap();
        let before = access_of(set);
        let held: Vec<_> = before.permissions().iter().map(|grant| grant.as_str()).chain([further]).collect();
        prop_assert!(!expression.is_allowed_by(&before) || expression.is_allowed_by(&granted(&held)));
    }

    #[test]
    fn no_text_makes_it_panic(text in "([ -~]|ü|AND|OR|NOT|\\(|\\)| |a\\.b){0,40}") {
        match Expression::parse(&text) {
            Ok(expression) => {
                prop_assert_eq!(Expression::parse(&expression.to_string()), Ok(expression.clone()));
                expression.is_allowed_by(&granted(&["a.*"]));
            }
            Err(fault) => {
                prop_assert!((1..=text.chars().count() + 1).contains(&fault.position), "{}", fault);
            }
        }
    }
}
