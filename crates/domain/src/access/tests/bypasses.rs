//! The known tricks against path rules: spellings of `/admin/secret`, and of ways to it from `/public`.

use super::{
    super::{
        Ambiguity::{self, *},
        Endpoint,
    },
    allowed,
};

/// Each spelling, with its canonical form or why it has none.
const SPELLINGS: &[(&str, Result<&str, Ambiguity>)] = &[
    // Case.
    ("/Admin/secret", Ok("/Admin/secret")),
    ("/ADMIN/SECRET", Ok("/ADMIN/SECRET")),
    ("/admin/Secret", Ok("/admin/Secret")),
    ("/aDmIn/sEcReT", Ok("/aDmIn/sEcReT")),
    // Slashes.
    ("//admin/secret", Err(EmptySegment)),
    ("///admin///secret", Err(EmptySegment)),
    ("/admin//secret", Err(EmptySegment)),
    ("/admin/secret/", Ok("/admin/secret/")),
    ("/admin/secret//", Err(EmptySegment)),
    ("//admin//secret//", Err(EmptySegment)),
    ("/admin\\secret", Err(Backslash)),
    ("\\admin\\secret", Err(NoLeadingSlash)),
    ("/\\admin/secret", Err(Backslash)),
    ("/admin%5csecret", Err(Backslash)),
    ("/admin/%5Csecret", Err(Backslash)),
    ("/%5c/admin/secret", Err(Backslash)),
    // No path that begins with a slash.
    ("admin/secret", Err(NoLeadingSlash)),
    ("./admin/secret", Err(NoLeadingSlash)),
    ("*", Err(NoLeadingSlash)),
    ("%2fadmin/secret", Err(NoLeadingSlash)),
    ("http://localhost/admin/secret", Err(NoLeadingSlash)),
    ("https:/admin/secret", Err(NoLeadingSlash)),
    ("@localhost/admin/secret", Err(NoLeadingSlash)),
    // Dots.
    ("/./admin/secret", Err(DotSegment)),
    ("/admin/./secret", Err(DotSegment)),
    ("/admin/secret/.", Err(DotSegment)),
    ("/./admin/./secret/./", Err(DotSegment)),
    ("/admin/secret/..", Err(DotSegment)),
    ("/admin/x/../secret", Err(DotSegment)),
    ("/x/../admin/secret", Err(DotSegment)),
    ("/../admin/secret", Err(DotSegment)),
    ("/.//admin/secret", Err(EmptySegment)),
    ("/admin/.../secret", Ok("/admin/.../secret")),
    ("/admin/secret.", Ok("/admin/secret.")),
    ("/admin./secret", Ok("/admin./secret")),
    ("/%2e/admin/secret", Err(EncodedDot)),
    ("/admin/%2e/secret", Err(EncodedDot)),
    ("/admin/secret/%2e", Err(EncodedDot)),
    ("/%2e%2e/admin/secret", Err(EncodedDot)),
    ("/x/.%2e/admin/secret", Err(EncodedDot)),
    ("/x/%2E./admin/secret", Err(EncodedDot)),
    ("/admin/secret%2ejson", Err(EncodedDot)),
    // Encoded slashes.
    ("/admin%2fsecret", Err(EncodedSlash)),
    ("/admin%2Fsecret", Err(EncodedSlash)),
    ("/%2fadmin/secret", Err(EncodedSlash)),
    ("/%2f%2fadmin/secret", Err(EncodedSlash)),
    ("/admin/secret%2f", Err(EncodedSlash)),
    ("/x%2f..%2fadmin%2fsecret", Err(EncodedSlash)),
    ("/%2e%2e%2fadmin/secret", Err(EncodedDot)),
    // Encoded letters: these are the same path.
    ("/%61dmin/secret", Ok("/admin/secret")),
    ("/admin/%73ecret", Ok("/admin/secret")),
    ("/%61%64%6d%69%6e/%73%65%63%72%65%74", Ok("/admin/secret")),
    ("/adm%69n/secre%74", Ok("/admin/secret")),
    ("/%41dmin/secret", Ok("/Admin/secret")),
    // Encoded twice.
    ("/%2561dmin/secret", Err(EncodedPercentSign)),
    ("/admin%252fsecret", Err(EncodedPercentSign)),
    ("/%252e%252e/admin/secret", Err(EncodedPercentSign)),
    ("/%252e%252e%252fadmin%252fsecret", Err(EncodedPercentSign)),
    ("/admin/secret%25", Err(EncodedPercentSign)),
    ("/admin/secret%2500", Err(EncodedPercentSign)),
    ("/admin/secret%2520", Err(EncodedPercentSign)),
    // Parameters of segments.
    ("/;/admin/secret", Err(Semicolon)),
    ("/admin;/secret", Err(Semicolon)),
    ("/admin/;secret", Err(Semicolon)),
    ("/admin/secret;", Err(Semicolon)),
    ("/admin/secret;a=b", Err(Semicolon)),
    ("/admin/secret/..;/", Err(Semicolon)),
    ("/admin/..;/admin/secret", Err(Semicolon)),
    ("/.;/admin/secret", Err(Semicolon)),
    ("/..;/admin/secret", Err(Semicolon)),
    ("/admin;jsessionid=1/secret", Err(Semicolon)),
    ("/admin/secret%3b", Err(Semicolon)),
    ("/admin%3Ba=b/secret", Err(Semicolon)),
    ("/..%3b/admin/secret", Err(Semicolon)),
    // Null bytes and other control characters.
    ("/admin/secret%00", Err(ControlCharacter)),
    ("/admin%00/secret", Err(ControlCharacter)),
    ("/%00/admin/secret", Err(ControlCharacter)),
    ("/..%00/admin/secret", Err(ControlCharacter)),
    ("/admin/secret%00.json", Err(ControlCharacter)),
    ("/admin/secret\0", Err(ControlCharacter)),
    ("/admin/secret%09", Err(ControlCharacter)),
    ("/%09/admin/secret", Err(ControlCharacter)),
    ("/admin/secret\t", Err(ControlCharacter)),
    ("/admin/secret%0a", Err(ControlCharacter)),
    ("/admin/secret%0d%0aX-Original-URL:%20/", Err(ControlCharacter)),
    ("/admin/secret\r\n", Err(ControlCharacter)),
    ("/admin/secret%7f", Err(ControlCharacter)),
    ("/admin/secret%c2%85", Err(ControlCharacter)),
    ("/admin%1b/secret", Err(ControlCharacter)),
    // White space.
    ("/admin/secret%20", Ok("/admin/secret%20")),
    ("/%20/admin/secret", Ok("/%20/admin/secret")),
    ("/admin%20/secret", Ok("/admin%20/secret")),
    ("/admin/secret ", Err(NotVisibleAscii)),
    (" /admin/secret", Err(NoLeadingSlash)),
    ("/admin/secret%a0", Err(NotUtf8)),
    ("/admin/secret%c2%a0", Ok("/admin/secret%C2%A0")),
    ("/admin/secret\u{a0}", Err(NotVisibleAscii)),
    // Suffixes.
    ("/admin/secret.json", Ok("/admin/secret.json")),
    ("/admin/secret.html", Ok("/admin/secret.html")),
    ("/admin/secret~", Ok("/admin/secret~")),
    ("/admin/secret*", Ok("/admin/secret*")),
    ("/admin/*", Ok("/admin/*")),
    ("/*/secret", Ok("/*/secret")),
    ("/admin/secret/*", Ok("/admin/secret/*")),
    ("/admin/secret?", Err(Query)),
    ("/admin/secret??", Err(Query)),
    ("/admin/secret?a=/public/", Err(Query)),
    ("/?/admin/secret", Err(Query)),
    ("/admin/secret#", Err(Fragment)),
    ("/admin/secret#/../../public", Err(Fragment)),
    ("/admin/secret%23", Ok("/admin/secret%23")),
    ("/admin/secret%3f", Ok("/admin/secret%3F")),
    ("/admin/secret%26", Ok("/admin/secret%26")),
    ("/admin/secret,", Ok("/admin/secret,")),
    ("/admin/~/secret", Ok("/admin/~/secret")),
    // Encodings that are none.
    ("/admin/secret%", Err(BrokenEncoding)),
    ("/%/admin/secret", Err(BrokenEncoding)),
    ("/admin/secret%2", Err(BrokenEncoding)),
    ("/admin%u002fsecret", Err(BrokenEncoding)),
    ("/%u0061dmin/secret", Err(BrokenEncoding)),
    ("/admin%2gsecret", Err(BrokenEncoding)),
    ("/admin/secret%%30", Err(BrokenEncoding)),
    // Overlong and broken UTF-8.
    ("/%c0%ae/admin/secret", Err(NotUtf8)),
    ("/%c0%ae%c0%ae/admin/secret", Err(NotUtf8)),
    ("/admin%c0%afsecret", Err(NotUtf8)),
    ("/admin%e0%80%afsecret", Err(NotUtf8)),
    ("/admin%f0%80%80%afsecret", Err(NotUtf8)),
    ("/admin%c1%9csecret", Err(NotUtf8)),
    ("/%c1%a1dmin/secret", Err(NotUtf8)),
    ("/admin/secret%ff", Err(NotUtf8)),
    // Letters that look alike.
    ("/admin\u{ff0f}secret", Err(NotVisibleAscii)),
    ("/admin%ef%bc%8fsecret", Ok("/admin%EF%BC%8Fsecret")),
    ("/%ef%bc%8e%ef%bc%8e/admin/secret", Ok("/%EF%BC%8E%EF%BC%8E/admin/secret")),
    ("/%ef%bd%81dmin/secret", Ok("/%EF%BD%81dmin/secret")),
    ("/adm%c4%b1n/secret", Ok("/adm%C4%B1n/secret")),
    ("/admin/%c5%bfecret", Ok("/admin/%C5%BFecret")),
    ("/admin/secret%e2%80%8b", Ok("/admin/secret%E2%80%8B")),
    // From where the role may go.
    ("/public/../admin/secret", Err(DotSegment)),
    ("/public/./../admin/secret", Err(DotSegment)),
    ("/public/..;/admin/secret", Err(Semicolon)),
    ("/public/..;a=b/admin/secret", Err(Semicolon)),
    ("/public;/../admin/secret", Err(Semicolon)),
    ("/public/%2e%2e/admin/secret", Err(EncodedDot)),
    ("/public/%2e%2e%2fadmin/secret", Err(EncodedDot)),
    ("/public/..%2fadmin%2fsecret", Err(EncodedSlash)),
    ("/public%2f..%2fadmin/secret", Err(EncodedSlash)),
    ("/public/..\\admin\\secret", Err(Backslash)),
    ("/public/..%5cadmin/secret", Err(Backslash)),
    ("/public/%252e%252e/admin/secret", Err(EncodedPercentSign)),
    ("/public/..%00/admin/secret", Err(ControlCharacter)),
    ("/public/..%0d/admin/secret", Err(ControlCharacter)),
    ("/public/.\t./admin/secret", Err(ControlCharacter)),
    ("/public/%c0%ae%c0%ae/admin/secret", Err(NotUtf8)),
    ("/public/..//admin/secret", Err(EmptySegment)),
    ("/public//../admin/secret", Err(EmptySegment)),
    ("/public/..?/admin/secret", Err(Query)),
    ("/public/..#/admin/secret", Err(Fragment)),
    ("/public/%u002e%u002e/admin/secret", Err(BrokenEncoding)),
    ("/publicx/admin/secret", Ok("/publicx/admin/secret")),
    ("/public..%20/admin/secret", Ok("/public..%20/admin/secret")),
    ("/Public/secret", Ok("/Public/secret")),
    // These are below /public by any reading of RFC 3986.
    ("/public/admin/secret", Ok("/public/admin/secret")),
    ("/%70ublic/admin", Ok("/public/admin")),
    ("/public/%2a", Ok("/public/%2A")),
];

#[test]
fn no_spelling_goes_beyond_what_its_canonical_form_may() {
    let below_public = allowed(&["GET /public/**"]);
    let in_admin = allowed(&["GET /admin/*"]);
    let mut allowed_by_either = Vec::new();
    for (path, expected) in SPELLINGS {
        let endpoint = Endpoint::new("GET".to_owned(), (*path).to_owned());
        assert_eq!(endpoint.path(), *expected, "{path:?}");
        let may_public = expected.is_ok_and(|form| form == "/public" || form.starts_with("/public/"));
        assert_eq!(below_public.allows_endpoint(&endpoint), may_public, "{path:?}");
        let name = expected.ok().and_then(|form| form.strip_prefix("/admin/"));
        let may_admin = name.is_some_and(|name| !name.is_empty() && !name.contains('/'));
        assert_eq!(in_admin.allows_endpoint(&endpoint), may_admin, "{path:?}");
        if may_public || may_admin {
            allowed_by_either.push(*path);
        }
    }
    assert!(SPELLINGS.len() > 150 && allowed_by_either.len() < 30, "{allowed_by_either:?}");
}

/// What a role that may only read `/admin/secret` itself lets through.
#[test]
fn an_exact_rule_allows_one_canonical_form() {
    let access = allowed(&["GET /admin/secret"]);
    for (path, form) in SPELLINGS {
        let endpoint = Endpoint::new("GET".to_owned(), (*path).to_owned());
        assert_eq!(access.allows_endpoint(&endpoint), *form == Ok("/admin/secret"), "{path:?}");
        for method in ["get", "POST", "HEAD", "", "*", "GET\t", "GET /admin/secret HTTP/1.1\r\nX:"] {
            let endpoint = Endpoint::new(method.to_owned(), (*path).to_owned());
            assert!(!access.allows_endpoint(&endpoint), "{method:?} {path:?}");
        }
    }
}
