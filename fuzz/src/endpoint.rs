//! Any two lines as a pattern and an endpoint: paths are canonical or ambiguous, what is canonical stays as it is, and what
//! matches does so segment by segment.
#![no_main]

use keystile_domain::access::{Endpoint, EndpointPattern};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (pattern, asked) = text.split_once('\n').unwrap_or((text, text));
    let (method, path) = asked.split_once(' ').unwrap_or(("", asked));
    let endpoint = Endpoint::new(method.to_owned(), path.to_owned());
    let pattern = pattern.parse::<EndpointPattern>();
    let matches = pattern.as_ref().is_ok_and(|pattern| pattern.matches(&endpoint));
    let Ok(path) = endpoint.path() else {
        assert!(!matches, "an ambiguous path matches nothing");
        return;
    };
    assert!(path.starts_with('/') && path.is_ascii() && !path.contains("//"));
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
    let again = Endpoint::new(method.to_owned(), path.to_owned());
    assert_eq!(again, endpoint, "a canonical path is its own canonical form");
    let Ok(pattern) = pattern else { return };
    assert_eq!(pattern.to_string().parse().as_ref(), Ok(&pattern));
    let (own_method, own_path) = pattern.as_str().split_once(' ').unwrap_or(("", pattern.as_str()));
    let has_method = own_method == "*" || own_method == method;
    assert_eq!(matches, has_method && matches_segments(own_path, path), "{pattern} for {path}");
});

/// The definition, without regard to speed.
fn matches_segments(pattern: &str, path: &str) -> bool {
    let pattern: Vec<_> = pattern.split('/').skip(1).collect();
    let path: Vec<_> = path.split('/').skip(1).collect();
    let fits = |(wanted, segment): (&&str, &&str)| wanted == segment || *wanted == "*" && !segment.is_empty();
    match pattern.split_last() {
        Some((&"**", fixed)) => path.len() >= fixed.len() && fixed.iter().zip(&path).all(fits),
        _ => path.len() == pattern.len() && pattern.iter().zip(&path).all(fits),
    }
}
