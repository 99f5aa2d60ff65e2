//! The canonical form of each path, or why it has none; and methods.

use proptest::prelude::*;

use super::{
    super::{Ambiguity, Endpoint},
    allowed,
};

fn canonical(path: &str) -> Result<String, Ambiguity> {
    Endpoint::new("GET".to_owned(), path.to_owned()).path().map(str::to_owned)
}

/// Each path with its canonical form.
const CANONICAL: &[(&str, &str)] = &[
    ("/", "/"),
    ("/documents", "/documents"),
    // A path with a slash at its end is another path: its last segment is empty.
    ("/documents/", "/documents/"),
    // By case.
    ("/Documents", "/Documents"),
    // Unreserved characters are decoded; a dot is an exception, because it makes dot segments.
    ("/%64ocument%73", "/documents"),
    ("/%41%5a%61%7A%30%39%2d%5F%7e", "/AZaz09-_~"),
    // All others stay encoded, in capitals.
    ("/a%20b", "/a%20b"),
    ("/caf%c3%a9", "/caf%C3%A9"),
    ("/%e2%82%ac/%F0%9f%98%80", "/%E2%82%AC/%F0%9F%98%80"),
    ("/a%40b%3fc%23d", "/a%40b%3Fc%23d"),
    // Raw and encoded, a reserved character is not the same.
    ("/a@b:c!$&'()*+,=", "/a@b:c!$&'()*+,="),
    ("/%2a", "/%2A"),
    // In a question, * is a character like others.
    ("/*", "/*"),
    ("/a/**", "/a/**"),
    ("/a\"<>[]^`{|}", "/a\"<>[]^`{|}"),
    // Dots that are no dot segment.
    ("/.well-known/a..b/...", "/.well-known/a..b/..."),
    // Full-width forms of dot and slash are letters of other scripts to HTTP.
    ("/a%ef%bc%8e%ef%bc%8fb", "/a%EF%BC%8E%EF%BC%8Fb"),
    ("/package.Service/Method", "/package.Service/Method"),
];

const AMBIGUOUS: &[(&str, Ambiguity)] = &[
    ("", Ambiguity::NoLeadingSlash),
    ("a", Ambiguity::NoLeadingSlash),
    ("*", Ambiguity::NoLeadingSlash), // OPTIONS *
    ("http://host/a", Ambiguity::NoLeadingSlash),
    ("package.Service/Method", Ambiguity::NoLeadingSlash),
    (" /a", Ambiguity::NoLeadingSlash),
    ("%2fa", Ambiguity::NoLeadingSlash),
    ("/a\\b", Ambiguity::Backslash),
    ("/a%5cb", Ambiguity::Backslash),
    ("/a%5Cb", Ambiguity::Backslash),
    ("/a%2fb", Ambiguity::EncodedSlash),
    ("/a%2Fb", Ambiguity::EncodedSlash),
    ("/a%2eb", Ambiguity::EncodedDot),
    ("/%2E%2E/a", Ambiguity::EncodedDot),
    ("/a%25b", Ambiguity::EncodedPercentSign),
    ("/%252e%252e/a", Ambiguity::EncodedPercentSign),
    ("/.", Ambiguity::DotSegment),
    ("/..", Ambiguity::DotSegment),
    ("/./a", Ambiguity::DotSegment),
    ("/a/../b", Ambiguity::DotSegment),
    ("/a/.", Ambiguity::DotSegment),
    ("//", Ambiguity::EmptySegment),
    ("//a", Ambiguity::EmptySegment),
    ("/a//b", Ambiguity::EmptySegment),
    ("/a//", Ambiguity::EmptySegment),
    ("/a;b", Ambiguity::Semicolon),
    ("/a%3bb", Ambiguity::Semicolon),
    ("/..;/a", Ambiguity::Semicolon),
    ("/a\tb", Ambiguity::ControlCharacter),
    ("/a\0", Ambiguity::ControlCharacter),
    ("/a\x7f", Ambiguity::ControlCharacter),
    ("/a%00", Ambiguity::ControlCharacter),
    ("/a%0d%0ab", Ambiguity::ControlCharacter),
    ("/a%1F", Ambiguity::ControlCharacter),
    ("/a%7f", Ambiguity::ControlCharacter),
    ("/a%c2%85", Ambiguity::ControlCharacter), // U+0085
    ("/a b", Ambiguity::NotVisibleAscii),
    ("/caf\u{e9}", Ambiguity::NotVisibleAscii),
    ("/a\u{ff0f}b", Ambiguity::NotVisibleAscii),
    ("/%", Ambiguity::BrokenEncoding),
    ("/%4", Ambiguity::BrokenEncoding),
    ("/%4/a", Ambiguity::BrokenEncoding),
    ("/%zz", Ambiguity::BrokenEncoding),
    ("/%u0041", Ambiguity::BrokenEncoding),
    ("/%+1", Ambiguity::BrokenEncoding),
    ("/%c3%", Ambiguity::BrokenEncoding),
    ("/%ff", Ambiguity::NotUtf8),
    ("/%80", Ambiguity::NotUtf8),
    ("/%c3", Ambiguity::NotUtf8),
    ("/%c3a9", Ambiguity::NotUtf8),
    ("/%c3%41", Ambiguity::NotUtf8),
    ("/%c0%ae", Ambiguity::NotUtf8), // An overlong dot.
    ("/%e0%80%af", Ambiguity::NotUtf8),
    ("/%ed%a0%80", Ambiguity::NotUtf8), // Half of a surrogate pair.
    ("/%f5%80%80%80", Ambiguity::NotUtf8),
    ("/a?b", Ambiguity::Query),
    ("/a#b", Ambiguity::Fragment),
];

#[test]
fn a_path_has_one_canonical_form() {
    for (path, form) in CANONICAL {
        assert_eq!(canonical(path).as_deref(), Ok(*form), "{path}");
        assert_eq!(canonical(form).as_deref(), Ok(*form), "{path}, again");
    }
}

#[test]
fn a_path_that_servers_read_in_different_ways_has_none_and_nobody_may_use_it() {
    let everything = allowed(&["* /**", "GET /**", "* /*", "* /a/**"]);
    for (path, ambiguity) in AMBIGUOUS {
        let endpoint = Endpoint::new("GET".to_owned(), (*path).to_owned());
        assert_eq!(endpoint.path(), Err(*ambiguity), "{path:?}");
        assert!(!everything.allows_endpoint(&endpoint), "{path:?}");
        assert!(everything.endpoints().iter().all(|pattern| !pattern.matches(&endpoint)), "{path:?}");
    }
}

#[test]
fn the_longest_path_has_8_kib() {
    let path = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert_eq!(canonical(&path(8192)), Ok(path(8192)));
    assert_eq!(canonical(&path(8193)), Err(Ambiguity::TooLong));
}

#[test]
fn an_ambiguity_is_said_of_the_path() {
    assert_eq!(Ambiguity::EncodedSlash.to_string(), "has an encoded slash, %2F");
    assert_eq!(Ambiguity::NoLeadingSlash.to_string(), "does not begin with /");
}

#[test]
fn a_method_is_a_token_and_case_sensitive() {
    for method in ["", "GET", "get", "M-SEARCH", "X_1!", &"A".repeat(32)] {
        assert_eq!(Endpoint::check_method(method), Ok(()), "{method}");
    }
    for (method, why) in [
        ("GE T", "has the character ' ': it must be a method such as GET, or empty for gRPC"),
        ("GET\n", "has the character '\\n': it must be a method such as GET, or empty for gRPC"),
        ("GÉT", "has the character 'É': it must be a method such as GET, or empty for gRPC"),
        ("GET/", "has the character '/': it must be a method such as GET, or empty for gRPC"),
        ("*", "must be one method, such as GET: only a role may have *"),
        (&"A".repeat(33), "must be at most 32 characters"),
    ] {
        assert_eq!(Endpoint::check_method(method).unwrap_err().to_string(), why, "{method}");
    }
    let access = allowed(&["GET /a"]);
    for method in ["get", "Get", "GET ", " GET", "GET\0", "", "*", "HEAD", "GETX"] {
        let endpoint = Endpoint::new(method.to_owned(), "/a".to_owned());
        assert!(!access.allows_endpoint(&endpoint), "{method:?}");
    }
}

/// Paths in which everything comes close to everything.
fn path() -> impl Strategy<Value = String> {
    let piece = "[a-c]|/|\\*|\\.|\\.\\.|%[2567][0-9a-fA-F]|%c3%a9|%C3%A9|%ef%BC%8e|[;?#\\\\ ü]|%|%00|[!-~]";
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// A canonical path with a second spelling of it.
fn spellings() -> impl Strategy<Value = (String, String)> {
    let segment = "([a-cX~_-]|%C3%A9|%40|@){1,4}";
    let path = prop::collection::vec(segment, 1..4).prop_map(|segments| format!("/{}", segments.join("/")));
    (path, any::<u64>()).prop_map(|(path, choices)| {
        let mut other = String::new();
        let mut digits = 0;
        for (at, character) in path.chars().enumerate() {
            let chosen = choices >> (at % 64) & 1 == 1;
            let is_digit = digits > 0;
            digits = if character == '%' { 2 } else { digits.max(1) - 1 };
            match character {
                _ if is_digit && chosen => other.push(character.to_ascii_lowercase()),
                'a'..='z' | 'X' | '~' | '_' | '-' if !is_digit && chosen => {
                    other += &format!("%{:02x}", u32::from(character));
                }
                _ => other.push(character),
            }
        }
        (path, other)
    })
}

proptest! {
    #[test]
    fn the_canonical_form_of_a_canonical_form_is_itself(path in path()) {
        if let Ok(form) = canonical(&path) {
            prop_assert_eq!(canonical(&form), Ok(form));
        }
    }

    #[test]
    fn a_canonical_form_has_nothing_that_servers_read_in_different_ways(path in path()) {
        if let Ok(form) = canonical(&path) {
            prop_assert!(form.is_ascii() && !form.contains("//") && !form.contains(['\\', ';', '?', '#', ' ']));
            prop_assert!(form.split('/').all(|segment| segment != "." && segment != ".."));
            for encoded in form.split('%').skip(1) {
                let byte = u8::from_str_radix(&encoded[..2], 16).unwrap();
                prop_assert!(!byte.is_ascii_alphanumeric() && !b"-._~/\\%;\0\x7f".contains(&byte), "{}", form);
                prop_assert_eq!(encoded[..2].to_ascii_uppercase(), &encoded[..2]);
            }
        }
    }

    #[test]
    fn spellings_of_one_path_have_one_decision(
        (path, other) in spellings(),
        patterns in prop::collection::vec(super::patterns::pattern(), 1..6),
    ) {
        prop_assert_eq!(canonical(&path), Ok(path.clone()));
        prop_assert_eq!(canonical(&other), Ok(path.clone()));
        let access = allowed(&patterns.iter().map(String::as_str).collect::<Vec<_>>());
        let [one, other] = [path, other].map(|path| access.allows_endpoint(&Endpoint::new("GET".to_owned(), path)));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn no_text_makes_it_panic(path in "(%[0-9a-f]{0,2}|.|/){0,40}") {
        let _ = canonical(&path);
    }
}
