//! CreateProject with invalid fields.

use proto::{CreateProjectRequest, Environment, Project};
use testkit::{server::Server, status::assert_invalid};

use super::{create, days, environment};

fn acme(project: Project) -> CreateProjectRequest {
    CreateProjectRequest { project_id: "acme".into(), project: Some(project), ..Default::default() }
}

fn plain() -> Project {
    Project { prefix: "acme".into(), ..Default::default() }
}

#[tokio::test]
async fn every_wrong_field_is_reported_at_once() {
    let server = Server::start().await;
    let before = server.head().await;
    let request = CreateProjectRequest {
        project_id: "-acme".into(),
        project: Some(Project {
            display_name: "bell \u{7}".into(),
            prefix: "ACME".into(),
            environments: vec![environment("Live", "live"), environment("qa", "q-a")],
            deleted_key_retention: Some(days(-1)),
            ..Default::default()
        }),
        request_id: "two words".into(),
        ..Default::default()
    };
    let refused = create(&server, request).await.unwrap_err();
    assert_invalid(
        &refused,
        &[
            "request_id",
            "project_id",
            "project.display_name",
            "project.prefix",
            "project.environments[0].id",
            "project.environments[1].tag",
            "project.deleted_key_retention",
        ],
    );
    assert_eq!(server.head().await, before);
}

#[tokio::test]
async fn an_empty_request_lacks_what_is_required() {
    let server = Server::start().await;
    let refused = create(&server, CreateProjectRequest::default()).await;
    assert_invalid(&refused.unwrap_err(), &["project_id", "project.prefix"]);
}

#[tokio::test]
async fn ids_are_as_documented() {
    let server = Server::start().await;
    let long = "a".repeat(63);
    for (at, id) in ["7", "a-b", "x--y", long.as_str()].into_iter().enumerate() {
        let request =
            CreateProjectRequest { project_id: id.into(), validate_only: at % 2 == 0, ..acme(plain()) };
        let made = create(&server, request).await.unwrap().project.unwrap();
        assert_eq!(made.name, format!("projects/{id}"));
    }
    let too_long = "a".repeat(64);
    for id in ["", "-", "a-", "-a", "Acme", "a_b", "a/b", "a.b", "a b", "é", "a\n", "a\0", &too_long] {
        let request = CreateProjectRequest { project_id: id.into(), ..acme(plain()) };
        assert_invalid(&create(&server, request).await.unwrap_err(), &["project_id"]);
    }
}

#[tokio::test]
async fn prefixes_are_as_documented() {
    let server = Server::start().await;
    let tried = |prefix: &str| CreateProjectRequest {
        validate_only: true,
        ..acme(Project { prefix: prefix.into(), ..Default::default() })
    };
    for prefix in ["ab", "a1", "abcdefghijklmnop"] {
        create(&server, tried(prefix)).await.unwrap();
    }
    for prefix in ["", "a", "1a", "Acme", "a_b", "a-b", "é1", "abcdefghijklmnopq"] {
        let refused = create(&server, tried(prefix)).await.unwrap_err();
        assert_invalid(&refused, &["project.prefix"]);
    }
}

/// The prefix `keystile_live_…` must always mean a credential for Keystile itself.
#[tokio::test]
async fn no_tenant_may_use_the_prefix_of_the_system_project() {
    let server = Server::start().await;
    let request = acme(Project { prefix: "keystile".into(), ..Default::default() });
    let refused = create(&server, request).await.unwrap_err();
    assert_invalid(&refused, &["project.prefix"]);
    assert!(refused.message().contains("projects/system"), "{}", refused.message());
    for prefix in ["keystil", "keystile1"] {
        let request = acme(Project { prefix: prefix.into(), ..Default::default() });
        create(&server, CreateProjectRequest { validate_only: true, ..request }).await.unwrap();
    }
}

#[tokio::test]
async fn display_names_are_as_documented() {
    let server = Server::start().await;
    let tried = |name: &str| CreateProjectRequest {
        validate_only: true,
        ..acme(Project { display_name: name.into(), ..plain() })
    };
    let most = "é".repeat(200);
    create(&server, tried(&most)).await.unwrap();
    for name in ["a\nb", "\0", "\u{7f}", "\u{85}", &"é".repeat(201)] {
        let refused = create(&server, tried(name)).await.unwrap_err();
        assert_invalid(&refused, &["project.display_name"]);
    }
}

#[tokio::test]
async fn environments_are_as_documented() {
    let server = Server::start().await;
    let tried = |environments: Vec<Environment>| CreateProjectRequest {
        validate_only: true,
        ..acme(Project { environments, ..plain() })
    };
    let numbered = |count: u32| {
        let environment = |n| environment(&format!("e-{n}"), &format!("t{n}"));
        (0..count).map(environment).collect::<Vec<_>>()
    };
    let (id, tag) = ("a".repeat(31), "a".repeat(10));
    for good in [numbered(1), numbered(20), vec![environment(&id, &tag)]] {
        create(&server, tried(good)).await.unwrap();
    }
    let twice = "project.environments";
    for (bad, field) in [
        (numbered(21), twice),
        (vec![environment("a", "x"), environment("a", "y")], twice),
        (vec![environment("a", "x"), environment("b", "x")], twice),
        (vec![environment("", "x")], "project.environments[0].id"),
        (vec![environment("1a", "x")], "project.environments[0].id"),
        (vec![environment("a_b", "x")], "project.environments[0].id"),
        (vec![environment(&"a".repeat(32), "x")], "project.environments[0].id"),
        (vec![environment("a", "")], "project.environments[0].tag"),
        (vec![environment("a", "1")], "project.environments[0].tag"),
        (vec![environment("a", "X")], "project.environments[0].tag"),
        (vec![environment("a", &"x".repeat(11))], "project.environments[0].tag"),
    ] {
        let refused = create(&server, tried(bad)).await.unwrap_err();
        assert_invalid(&refused, &[field]);
    }
}

#[tokio::test]
async fn retention_is_at_most_ten_years() {
    let server = Server::start().await;
    let tried = |retention: prost_types::Duration| CreateProjectRequest {
        validate_only: true,
        ..acme(Project { deleted_key_retention: Some(retention), ..plain() })
    };
    for good in [days(0), days(1), days(3650)] {
        let made = create(&server, tried(good)).await.unwrap();
        assert_eq!(made.project.unwrap().deleted_key_retention, Some(good));
    }
    let span = |seconds, nanos| prost_types::Duration { seconds, nanos };
    for bad in [
        span(-1, 0),
        span(0, -1),
        span(i64::MIN, i32::MIN),
        span(i64::MAX, 999_999_999),
        span(3650 * 86_400 + 1, 0),
        span(3650 * 86_400, 1),
    ] {
        let refused = create(&server, tried(bad)).await.unwrap_err();
        assert_invalid(&refused, &["project.deleted_key_retention"]);
    }
}

#[tokio::test]
async fn request_ids_are_as_documented() {
    let server = Server::start().await;
    let most = "~".repeat(64);
    for (at, good) in ["!", "0b9c-42", &most].into_iter().enumerate() {
        let request =
            CreateProjectRequest { project_id: format!("p{at}"), request_id: good.into(), ..acme(plain()) };
        create(&server, request).await.unwrap();
    }
    for bad in [" ", "a b", "é", "a\n", "\u{7f}", &"x".repeat(65)] {
        let request = CreateProjectRequest { request_id: bad.into(), ..acme(plain()) };
        assert_invalid(&create(&server, request).await.unwrap_err(), &["request_id"]);
    }
}
