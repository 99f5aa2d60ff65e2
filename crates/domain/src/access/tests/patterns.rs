//! What each pattern of endpoints matches, and which texts are patterns.

use proptest::prelude::*;

use super::{
    super::{Endpoint, EndpointPattern},
    allowed,
};

/// An endpoint as it is written here: a method and a path, or a path for gRPC.
fn endpoint(text: &str) -> Endpoint {
    let (method, path) = if text.starts_with('/') { ("", text) } else { text.split_once(' ').unwrap() };
    Endpoint::new(method.to_owned(), path.to_owned())
}

/// Each pattern, with endpoints that it matches and endpoints that it does not.
const PATTERNS: &[(&str, &[&str], &[&str])] = &[
    (
        "GET /documents",
        &["GET /documents", "GET /%64ocuments"],
        &[
            "HEAD /documents",
            "GET /documents/",
            "GET /documents/1",
            "GET /Documents",
            "GET /document",
            "/documents",
        ],
    ),
    // A slash at the end makes another path.
    ("GET /documents/", &["GET /documents/"], &["GET /documents", "GET /documents/1"]),
    ("GET /", &["GET /"], &["GET /a"]),
    // * is one segment, and not an empty one.
    (
        "GET /documents/*",
        &["GET /documents/1", "GET /documents/*", "GET /documents/a%20b"],
        &[
            "GET /documents",
            "GET /documents/",
            "GET /documents/1/",
            "GET /documents/1/2",
            "GET /documentsx/1",
        ],
    ),
    ("GET /documents/*/", &["GET /documents/1/"], &["GET /documents/1", "GET /documents/"]),
    (
        "GET /a/*/c",
        &["GET /a/b/c", "GET /a/c/c"],
        &["GET /a/c", "GET /a/b/d", "GET /a/b/b/c", "GET /a/b/c/", "GET /a/b/cc"],
    ),
    ("GET /*", &["GET /a"], &["GET /", "GET /a/b", "GET /a/"]),
    // ** is the rest, or nothing.
    (
        "GET /public/**",
        &["GET /public", "GET /public/", "GET /public/a", "GET /public/a/b/", "GET /public/**"],
        &["GET /publicity", "GET /", "GET /Public/a", "POST /public/a"],
    ),
    ("GET /a/*/**", &["GET /a/b", "GET /a/b/", "GET /a/b/c/d"], &["GET /a", "GET /a/"]),
    ("GET /**", &["GET /", "GET /a", "GET /a/b/"], &["get /a", "POST /", "/a.B/C"]),
    ("* /a", &["GET /a", "get /a", "PURGE /a", "/a"], &["GET /b"]),
    ("* /**", &["GET /", "DELETE /a/b", "/package.Service/Method"], &[]),
    (
        "/package.Service/Method",
        &["/package.Service/Method"],
        &[
            "POST /package.Service/Method",
            "/package.Service/Other",
            "/Service/Method",
            "/package.service/Method",
        ],
    ),
    (
        "/package.Service/*",
        &["/package.Service/Method", "/package.Service/Other"],
        &[
            "/package.ServiceX/Method",
            "/package.Service/",
            "/package.Service/a/b",
            "GET /package.Service/Method",
        ],
    ),
    ("M-SEARCH /caf%C3%A9", &["M-SEARCH /caf%c3%a9"], &["M-SEARCH /cafe"]),
    ("GET /%2A", &["GET /%2a"], &["GET /*", "GET /a"]),
];

#[test]
fn a_pattern_matches_what_it_says() {
    for (text, matched, others) in PATTERNS {
        let pattern: EndpointPattern = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!((pattern.to_string().as_str(), pattern.as_str()), (*text, *text));
        for (endpoints, expected) in [(matched, true), (others, false)] {
            for asked in *endpoints {
                assert_eq!(pattern.matches(&endpoint(asked)), expected, "{text} for {asked}");
                assert_eq!(
                    allowed(&[text]).allows_endpoint(&endpoint(asked)),
                    expected,
                    "{text} for {asked}, by index"
                );
            }
        }
    }
}

#[test]
fn every_fault_has_its_own_words() {
    let neither = "must be a method and a path, as in GET /documents, or /package.Service/Method for gRPC";
    let grpc = "must begin with a method or *, as in GET /documents; without one it must be \
        /package.Service/Method or /package.Service/* for gRPC";
    for (text, why) in [
        ("", neither),
        ("GET", neither),
        ("documents", neither),
        ("/documents", grpc),
        ("/**", grpc),
        ("/package.Service/**", grpc),
        ("/package.*/Method", grpc),
        ("/package.Service/Method/", grpc),
        ("/.Service/Method", grpc),
        ("/1.Service/Method", grpc),
        (" /a", "must begin with an HTTP method or *, but has \"\""),
        ("GET,POST /a", "must begin with an HTTP method or *, but has \"GET,POST\""),
        ("** /a", "must begin with an HTTP method or *, but has \"**\""),
        ("get /a", "must have its method in capitals: write GET"),
        (&format!("{} /a", "A".repeat(33)), "must be at most 32 characters"),
        ("GET  /a", "has a path that is ambiguous: it does not begin with /"),
        ("GET a", "has a path that is ambiguous: it does not begin with /"),
        ("GET *", "has a path that is ambiguous: it does not begin with /"),
        ("GET **", "has a path that is ambiguous: it does not begin with /"),
        ("GET /a//b", "has a path that is ambiguous: it has an empty segment, as between the slashes of //"),
        ("GET /a/../b", "has a path that is ambiguous: it has . or .. as a segment"),
        (
            "GET /a?b=*",
            "has a path that is ambiguous: it has a query, which must be left out together with its ?",
        ),
        ("GET /%64ocuments", "must have its path in canonical form: write /documents"),
        ("GET /caf%c3%a9/*", "must have its path in canonical form: write /caf%C3%A9/*"),
        ("GET /**/a", "has ** before the end: it stands for the rest of a path"),
        ("GET /**/", "has ** before the end: it stands for the rest of a path"),
        (
            "GET /a/*.json",
            "has * as a part of the segment *.json: it stands for a whole segment; a literal * is %2A",
        ),
        ("GET /***", "has * as a part of the segment ***: it stands for a whole segment; a literal * is %2A"),
        (&format!("GET /{}", "a".repeat(496)), "must be at most 500 characters"),
    ] {
        assert_eq!(text.parse::<EndpointPattern>().unwrap_err().to_string(), why, "{text}");
    }
    assert!(format!("GET /{}", "a".repeat(495)).parse::<EndpointPattern>().is_ok());
}

/// Every path of up to `most` segments, each of them one of `segments`.
fn every(segments: &[&str], most: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = vec![String::new()];
    for _ in 0..most {
        longest = longest
            .iter()
            .flat_map(|text| segments.iter().map(move |segment| format!("{text}/{segment}")))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// The definition, without regard to speed.
fn defined(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) | (["**"], _) => true,
        (["*", pattern @ ..], [segment, path @ ..]) => !segment.is_empty() && defined(pattern, path),
        ([literal, pattern @ ..], [segment, path @ ..]) => literal == segment && defined(pattern, path),
        _ => false,
    }
}

/// Segment `z` is in no pattern, and paths are longer than patterns.
#[test]
fn every_short_pattern_matches_as_defined() {
    let paths = every(&["a", "b", "", "*", "**"], 3).into_iter().flat_map(|path| {
        ["* ", "GET ", "PUT "].map(|method| format!("{method}{path}").parse::<EndpointPattern>())
    });
    let grpc = ["/a/a", "/a/*"].map(str::parse);
    let patterns: Vec<_> = paths.chain(grpc).filter_map(Result::ok).collect();
    assert!(patterns.len() > 50);
    let asked: Vec<_> = every(&["a", "b", "z", ""], 5)
        .into_iter()
        .flat_map(|path| ["GET", "PUT", "z", ""].map(|method| Endpoint::new(method.to_owned(), path.clone())))
        .filter(|endpoint| endpoint.path().is_ok())
        .collect();
    let matched: Vec<Vec<bool>> = patterns
        .iter()
        .map(|pattern| asked.iter().map(|endpoint| pattern.matches(endpoint)).collect())
        .collect();
    for (pattern, matched) in patterns.iter().zip(&matched) {
        let (method, path) = pattern.as_str().split_once(' ').unwrap_or(("", pattern.as_str()));
        let wanted: Vec<_> = path.split('/').skip(1).collect();
        for (endpoint, matched) in asked.iter().zip(matched) {
            let segments: Vec<_> = endpoint.path().unwrap().split('/').skip(1).collect();
            let has_method = method == "*" || method == endpoint.method();
            assert_eq!(*matched, has_method && defined(&wanted, &segments), "{pattern} for {endpoint:?}");
        }
    }
}

/// A pattern that other tests match with paths of the segments a to c.
pub(super) fn pattern() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec("[a-c]{1,2}|%C3%A9|\\*", 1..4);
    (segments, prop::sample::select(vec!["", "/", "/**"]), prop::sample::select(vec!["GET", "*"]))
        .prop_map(|(segments, end, method)| format!("{method} /{}{end}", segments.join("/")))
}

proptest! {
    #[test]
    fn what_is_allowed_matches_a_pattern_segment_by_segment(
        patterns in prop::collection::vec(pattern(), 0..8),
        path in "(/([a-c]{0,2}|%61|%c3%A9)){1,4}",
    ) {
        let access = allowed(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
        let endpoint = Endpoint::new("GET".to_owned(), path);
        let matches = |path: &str| {
            let path: Vec<_> = path.split('/').skip(1).collect();
            patterns.iter().any(|pattern| defined(&pattern.split('/').skip(1).collect::<Vec<_>>(), &path))
        };
        prop_assert_eq!(access.allows_endpoint(&endpoint), endpoint.path().is_ok_and(matches));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(GET |/|\\*|%[0-9A-F]{2}|[ -~]|ü){0,20}") {
        if let Ok(pattern) = text.parse::<EndpointPattern>() {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern.clone()));
        }
    }
}
