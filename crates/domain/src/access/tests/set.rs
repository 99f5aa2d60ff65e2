//! Access as a whole: what it holds, and that its indexes find what its lists hold.

use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;

use super::{
    super::{Access, Endpoint, EndpointPattern, Grant, endpoint::Wild, permission::Wildcards},
    allowed, granted, read,
};
use crate::id::RoleId;

fn role(id: &str) -> RoleId {
    id.parse().unwrap()
}

fn texts<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

#[test]
fn it_lists_what_roles_and_key_grant_sorted_and_each_once() {
    let (viewer, editor) = (role("viewer"), role("editor"));
    let access = Access::new(
        [
            (&viewer, &read(&["b.read", "*.read"])[..], &read(&["GET /**"])[..]),
            (&editor, &read(&["b.read", "b.write"])[..], &read(&["PUT /b", "GET /**", "/b.B/Put"])[..]),
        ],
        &read(&["a", "b.read"]),
    );
    assert_eq!(texts(access.roles()), "editor, viewer");
    assert_eq!(texts(access.permissions()), "*.read, a, b.read, b.write", "even what a wildcard covers");
    assert_eq!(texts(access.endpoints()), "/b.B/Put, GET /**, PUT /b");
    for (permission, expected) in [("a", true), ("c.read", true), ("b.write", true), ("c.write", false)] {
        assert_eq!(access.allows(permission), expected, "{permission}");
    }
    for (method, path, expected) in [
        ("GET", "/x", true),
        ("PUT", "/b", true),
        ("PUT", "/x", false),
        ("", "/b.B/Put", true),
        ("", "/b.B/Get", false),
    ] {
        let endpoint = Endpoint::new(method.to_owned(), path.to_owned());
        assert_eq!(access.allows_endpoint(&endpoint), expected, "{method} {path}");
    }
}

#[test]
fn none_allows_nothing() {
    let none = Access::none();
    assert!(none.permissions().is_empty() && none.roles().is_empty() && none.endpoints().is_empty());
    assert!(!none.allows("a") && !none.allows("a.b"));
    assert!(!none.allows_endpoint(&Endpoint::new("GET".to_owned(), "/".to_owned())));
    assert!(!none.covers_grant(&"a".parse().unwrap()));
    assert_eq!(none.size(), size_of::<Access>());
}

#[test]
fn one_path_has_a_pattern_for_each_of_its_methods() {
    let access = allowed(&["GET /a", "PUT /a", "DELETE /b"]);
    for (method, path, expected) in [
        ("GET", "/a", true),
        ("PUT", "/a", true),
        ("DELETE", "/b", true),
        ("DELETE", "/a", false),
        ("GET", "/b", false),
    ] {
        let endpoint = Endpoint::new(method.to_owned(), path.to_owned());
        assert_eq!(access.allows_endpoint(&endpoint), expected, "{method} {path}");
    }
}

#[test]
fn what_covers_what() {
    for (holder, wanted, covered) in [
        ("*", "a b.* *.c a.*.c", true),
        ("a.*", "a.b a.*.c a.b.*", true),
        ("a.*", "a", false),
        ("a.*", "*.b", false),
        ("a b", "a b", true),
        ("a", "a b", false),
        // Together these hold all of a.*, but there is no one grant that does.
        ("a.b a.*.c", "a.*", false),
        ("", "", true),
    ] {
        let [holder, wanted] = [holder, wanted].map(|it| granted(&it.split_whitespace().collect::<Vec<_>>()));
        assert_eq!(wanted.permissions().iter().all(|grant| holder.covers_grant(grant)), covered);
    }
}

#[test]
fn equal_parts_make_equal_accesses() {
    let state = RandomState::new();
    let [one, same, other] = [&["a", "b.*"], &["b.*", "a"], &["a", "b"]].map(|it| granted(it));
    assert_eq!((&one, state.hash_one(&one)), (&same, state.hash_one(&same)));
    assert_ne!(one, other);
    assert_ne!(allowed(&["GET /a"]), allowed(&["GET /b"]));
}

/// What the capacity of a cache is counted by.
#[test]
fn its_size_counts_every_text() {
    let size = |permissions: &[&str]| granted(permissions).size();
    assert_eq!(size(&["aaaa"]), size(&["a"]) + 3);
    assert_eq!(size(&["a.*"]), size(&["*.a"]), "each in an index");
    assert_eq!(size(&["*.*"]), size_of::<Access>() + size_of::<Grant>() + 3 + size_of::<(u32, Wildcards)>());
    assert_eq!(allowed(&["GET /aa"]).size(), allowed(&["GET /a"]).size() + 1);
    let pattern = size_of::<Access>() + size_of::<RoleId>() + size_of::<EndpointPattern>() + "role".len();
    // Two slots of an index.
    assert_eq!(allowed(&["GET /a"]).size(), pattern + "GET /a".len() + 16);
    let wild = pattern + size_of::<(u32, Wild)>();
    assert_eq!(allowed(&["GET /*"]).size(), wild + "GET /*".len());
    // Three numbers for a literal segment.
    assert_eq!(allowed(&["GET /*/a"]).size(), wild + "GET /*/a".len() + 6);
}

proptest! {
    #[test]
    fn it_allows_what_any_of_its_grants_allows(
        grants in prop::collection::vec("[ab*](\\.[ab*]){0,3}|[a-e]{1,9}", 0..40),
        names in prop::collection::vec("[abc](\\.[abc]){0,4}|[a-e]{1,9}", 20),
    ) {
        let grants: Vec<Grant> = grants.iter().map(|text| text.parse().unwrap()).collect();
        let access = Access::new([], &grants);
        for name in names {
            prop_assert_eq!(access.allows(&name), grants.iter().any(|grant| grant.allows(&name)), "{}", name);
        }
    }
}
