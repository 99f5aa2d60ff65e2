//! The projects that a caller may act on, where a request names all: it gets what it may see.

use proto::{
    AuditEvent, Key, ListAuditEventsRequest, ListProjectsRequest, LookupKeyRequest, VerifyAuditChainRequest,
    WatchAuditEventsRequest, lookup_key_request::Query, watch_audit_events_response::Content,
};
use testkit::{
    server::Server,
    status::{metadata, reason},
};
use tonic::Code;

use crate::calls::{inner, texts};

/// A server with three projects, and a caller that may do everything on two of them.
async fn server() -> (Server, String) {
    let server = Server::start().await;
    for id in ["acme", "shop", "club"] {
        server.project(id).await;
    }
    let key = Key { roles: texts(&["root"]), customers: texts(&["shop", "acme"]), ..Default::default() };
    let (_, api_key) = server.key("system", key).await;
    (server, api_key)
}

#[tokio::test]
async fn it_lists_its_projects_in_pages() {
    let (server, api_key) = server().await;
    for page_size in [1, 2, 50] {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListProjectsRequest { page_size, page_token };
            let page = inner(server.projects_as(&api_key).list_projects(request).await).unwrap();
            found.extend(page.projects.into_iter().map(|it| it.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, ["projects/acme", "projects/shop"], "{page_size}");
    }
}

#[tokio::test]
async fn it_looks_keys_up_in_them() {
    let (server, api_key) = server().await;
    for (project, found) in [("acme", true), ("shop", true), ("club", false), ("system", false)] {
        let (key, own) = server.key(project, Key::default()).await;
        let id = key.name.rsplit_once('/').unwrap().1.to_owned();
        for query in [Query::KeyId(id), Query::ApiKey(own), Query::MaskedApiKey(key.masked_api_key.clone())] {
            let request = LookupKeyRequest { parent: "projects/-".into(), query: Some(query) };
            let answer = inner(server.keys_as(&api_key).lookup_key(request).await);
            match answer {
                Ok(answer) => assert!(found && answer.key.unwrap().name == key.name, "{project}"),
                Err(status) => {
                    assert_eq!(reason(&status, Code::NotFound), "NOT_FOUND");
                    assert!(!found && !status.message().contains(project), "{project}: {status:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn it_reads_and_watches_their_events() {
    let (server, api_key) = server().await;
    for project in ["club", "acme", "system", "shop"] {
        server.key(project, Key::default()).await;
    }
    let list = |api_key: &str, parent: &str, page_size| {
        let request = ListAuditEventsRequest {
            parent: parent.into(),
            order_by: "revision".into(),
            page_size,
            ..Default::default()
        };
        let mut audit = server.audit_as(api_key);
        async move { inner(audit.list_audit_events(request).await) }
    };
    let mut expected = list(&server.root, "projects/-", 1000).await.unwrap().audit_events;
    expected.retain(|it| ["projects/acme", "projects/shop"].contains(&it.project.as_str()));
    assert!(expected.len() > 4);
    let seen = list(&api_key, "projects/-", 1000).await.unwrap();
    assert_eq!((seen.audit_events, seen.next_page_token.as_str()), (expected.clone(), ""));
    assert_eq!(list(&api_key, "projects/-", 2).await.unwrap().audit_events, expected[..2]);
    for foreign in ["projects/club", "projects/system", "projects/none"] {
        let refused = list(&api_key, foreign, 10).await.unwrap_err();
        assert_eq!(reason(&refused, Code::NotFound), "NOT_FOUND");
        assert_eq!(metadata(&refused, "resource").as_deref(), Some(foreign));
    }

    let request = WatchAuditEventsRequest { parent: "projects/-".into(), ..Default::default() };
    let mut watch = server.watch_as(&api_key, request).await.unwrap();
    let mut watched: Vec<AuditEvent> = Vec::new();
    while watched.len() < expected.len() {
        if let Content::Event(event) = watch.message().await.unwrap().unwrap().content.unwrap() {
            watched.push(event);
        }
    }
    assert_eq!(watched, expected);
}

/// The chain goes through the events of all projects.
#[tokio::test]
async fn it_verifies_the_chain_only_if_they_are_all() {
    let (server, api_key) = server().await;
    let verify = VerifyAuditChainRequest::default();
    let refused = server.audit_as(&api_key).verify_audit_chain(verify).await.unwrap_err();
    assert_eq!(reason(&refused, Code::PermissionDenied), "PERMISSION_DENIED");
    assert_eq!(metadata(&refused, "project").as_deref(), Some("projects/-"));
    let auditor = Key { roles: texts(&["auditor"]), customers: texts(&["*"]), ..Default::default() };
    let (_, api_key) = server.key("system", auditor).await;
    assert!(inner(server.audit_as(&api_key).verify_audit_chain(verify).await).unwrap().intact);
}

#[tokio::test]
async fn it_creates_projects_that_it_may_act_on() {
    let (server, _) = server().await;
    let key = Key { roles: texts(&["root"]), customers: texts(&["new"]), ..Default::default() };
    let (_, api_key) = server.key("system", key).await;
    let create = |id: &str| proto::CreateProjectRequest {
        project_id: id.into(),
        project: Some(proto::Project { prefix: "acme".into(), ..Default::default() }),
        ..Default::default()
    };
    for id in ["acme", "other", "system"] {
        let refused = server.projects_as(&api_key).create_project(create(id)).await.unwrap_err();
        assert_eq!(reason(&refused, Code::PermissionDenied), "PERMISSION_DENIED");
        assert_eq!(metadata(&refused, "project"), Some(format!("projects/{id}")));
        // Whatever else is wrong.
        let wrong = proto::CreateProjectRequest { project: None, request_id: "x y".into(), ..create(id) };
        let refused = server.projects_as(&api_key).create_project(wrong).await.unwrap_err();
        assert_eq!(reason(&refused, Code::PermissionDenied), "PERMISSION_DENIED");
    }
    server.projects_as(&api_key).create_project(create("new")).await.unwrap();
}
