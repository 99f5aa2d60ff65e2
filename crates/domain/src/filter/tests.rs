//! The meaning of the filter language, and the positions of its errors.

use proptest::prelude::*;

use super::*;

impl Weighed for String {}

fn shape(text: &str) -> Result<String, FilterError> {
    let filter = parse(text, |it| Ok(Filter::Test(format!("{} {:?} {}", it.field, it.operator, it.value))))?;
    Ok(show(&filter))
}

fn show(filter: &Filter<String>) -> String {
    let join = |parts: &[Filter<String>], sign: &str| {
        format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(sign))
    };
    match filter {
        Filter::All(parts) => join(parts, " & "),
        Filter::Any(parts) => join(parts, " | "),
        Filter::Not(inner) => format!("!{}", show(inner)),
        Filter::Test(test) => test.clone(),
    }
}

#[test]
fn operators_bind_as_documented() {
    for (text, expected) in [
        ("", "()"),
        ("a = 1", "a Equal 1"),
        ("a=1 AND b!=2 OR c:3", "(a Equal 1 & (b NotEqual 2 | c Has 3))"),
        ("NOT (a < 1 AND b >= 2)", "!(a Less 1 & b GreaterOrEqual 2)"),
        (r#"name = "say \"hi\"""#, r#"name Equal say "hi""#),
        ("ANDROID = OR1", "ANDROID Equal OR1"),
    ] {
        assert_eq!(shape(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn errors_have_the_position() {
    for (text, position) in [
        ("a", 2),
        ("a =", 4),
        ("a = 1 b = 2", 7),
        ("(a = 1", 7),
        ("a = \"ü", 5),
        ("= 1", 1),
        ("ü ? 1", 3),
        ("a = 1 AND b > 12:30 OR c = 1", 15),
    ] {
        assert_eq!(shape(text).unwrap_err().position, position, "{text}");
    }
    assert!(shape(&"(".repeat(1000)).unwrap_err().message.contains("deeply"));
    assert!(shape(&"a".repeat(2001)).unwrap_err().message.contains("longer"));
}

#[test]
fn the_number_of_comparisons_is_limited() {
    let many = |number: usize| vec!["a=1"; number].join(" AND ");
    assert!(shape(&many(MOST_TESTS)).is_ok());
    let error = shape(&many(MOST_TESTS + 1)).unwrap_err();
    assert_eq!(error.position, MOST_TESTS * 8 + 1, "the position of the first comparison beyond the limit");
    assert!(error.message.contains("more than 50"), "{error}");
}

#[test]
fn length_and_depth_have_a_limit() {
    let longest = "a".repeat(LONGEST);
    assert_eq!(shape(&longest).unwrap_err().message, "expected one of = != < <= > >= :");
    let error = shape(&format!("{longest}a")).unwrap_err();
    assert_eq!(error.to_string(), "at character 2001: the filter is longer than 2000 characters");
    // A comparison is one level too.
    let nested = |levels: usize| format!("{}a=1{}", "(".repeat(levels - 1), ")".repeat(levels - 1));
    assert!(shape(&nested(DEEPEST)).is_ok());
    assert!(shape(&nested(DEEPEST + 1)).unwrap_err().message.contains("deeply"));
    let negated = |levels: usize| format!("{}a=1", "NOT ".repeat(levels - 1));
    assert!(shape(&negated(DEEPEST)).is_ok());
    assert!(shape(&negated(DEEPEST + 1)).unwrap_err().message.contains("deeply"));
}

#[test]
fn a_value_that_needs_quotes_is_shown_with_them() {
    for text in ["a = 12:30", "a = 12:30 AND b = 1", "(a = 12:30)", "(a = 12:30 AND b = 1)"] {
        let error = shape(text).unwrap_err();
        assert_eq!(error.message, "a value that contains : needs quotes: write \"12:30\"", "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ -~ü\"\\\\()=:<>!]{0,60}") {
        let _ = shape(&text);
    }
}
