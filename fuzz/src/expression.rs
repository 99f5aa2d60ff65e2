//! Any text as an expression: it is evaluated or refused with a position within the text, and never panics.
#![no_main]

use keystile_domain::access::{Access, Expression, Grant};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(fault) => {
            assert!((1..=text.chars().count() + 1).contains(&fault.position), "{fault}");
            return;
        }
    };
    assert_eq!(Expression::parse(&expression.to_string()).as_ref(), Ok(&expression));
    let grants = ["a.read", "b.*", "*.admin"].map(|text| text.parse::<Grant>().expect("a grant"));
    for access in
        [Access::default(), Access::new([], &grants), Access::new([], &["*".parse().expect("a grant")])]
    {
        let obstacles = expression.missing(&access).len() + expression.excluded(&access).len();
        assert_eq!(expression.is_allowed_by(&access), obstacles == 0, "a denial has a reason");
    }
});
