//! Text fields of all methods: no invisible characters, one normal form, and no API keys.

use proto::{
    Code, CreateRoleRequest, CreateServiceAccountRequest, Key, ListKeysRequest, ListServiceAccountsRequest,
    Project, RevokeKeyRequest, Role, ServiceAccount, UpdateKeyRequest, UpdateProjectRequest,
    UpdateRoleRequest, UpdateServiceAccountRequest, VerifyRequest,
};
use testkit::server::Server;

use crate::calls::{Answer, assert_invalid, creation, inner, revocation, texts, verify};

/// Fields of text for people, as faults name them.
const NAMES: [&str; 8] = [
    "key.display_name",
    "key.customers[0]",
    "reason",
    "service_account.display_name",
    "service_account.external_id",
    "project.display_name",
    "role.display_name",
    "role.description",
];

/// Fields of text for programs.
const LABELS: [&str; 3] = ["key.tags[0]", "key.metadata", "service_account.metadata"];

/// Sends `text` in this field of a creation, and returns what the response has there.
async fn write(server: &Server, field: &str, text: &str) -> Answer<String> {
    let text = text.to_owned();
    match field {
        "reason" => {
            let name = server.key("acme", Key::default()).await.0.name;
            let before = server.revision().await;
            let revoked = server.revoke(RevokeKeyRequest { reason: text, ..revocation(&name) }).await;
            assert_eq!(server.revision().await > before, revoked.is_ok());
            Ok(revoked?.revoke_reason)
        }
        "project.display_name" => {
            let project = Project { name: "projects/acme".into(), display_name: text, ..Default::default() };
            let request = UpdateProjectRequest { project: Some(project), ..Default::default() };
            let updated = inner(server.projects().update_project(request).await)?;
            Ok(updated.project.unwrap().display_name)
        }
        _ if field.starts_with("role.") => {
            let request = CreateRoleRequest {
                parent: "projects/acme".into(),
                role_id: format!("role-{}", server.revision().await),
                role: Some(role_with(field, text)),
                ..Default::default()
            };
            let role = inner(server.roles().create_role(request).await)?.role.unwrap();
            Ok(if field == "role.description" { role.description } else { role.display_name })
        }
        _ if field.starts_with("key.") => {
            let key = inner(server.keys().create_key(creation(key_with(field, text))).await)?.key.unwrap();
            Ok(match field {
                "key.display_name" => key.display_name,
                "key.customers[0]" => key.customers[0].clone(),
                "key.tags[0]" => key.tags[0].clone(),
                _ => key.metadata["name"].clone(),
            })
        }
        _ => {
            let account = Some(account_with(field, text));
            let request = CreateServiceAccountRequest {
                parent: "projects/acme".into(),
                service_account: account,
                ..Default::default()
            };
            let created = inner(server.accounts().create_service_account(request).await)?;
            let account = created.service_account.unwrap();
            Ok(match field {
                "service_account.display_name" => account.display_name,
                "service_account.external_id" => account.external_id,
                _ => account.metadata["name"].clone(),
            })
        }
    }
}

fn key_with(field: &str, text: String) -> Key {
    match field {
        "key.display_name" => Key { display_name: text, ..Default::default() },
        "key.customers[0]" => Key { customers: vec![text], ..Default::default() },
        "key.tags[0]" => Key { tags: vec![text], ..Default::default() },
        _ => Key { metadata: [("name".into(), text)].into(), ..Default::default() },
    }
}

fn role_with(field: &str, text: String) -> Role {
    match field {
        "role.description" => Role { description: text, ..Default::default() },
        _ => Role { display_name: text, ..Default::default() },
    }
}

fn account_with(field: &str, text: String) -> ServiceAccount {
    match field {
        "service_account.display_name" => ServiceAccount { display_name: text, ..Default::default() },
        "service_account.external_id" => ServiceAccount { external_id: text, ..Default::default() },
        _ => ServiceAccount { metadata: [("name".into(), text)].into(), ..Default::default() },
    }
}

async fn server() -> Server {
    let server = Server::start().await;
    server.project("acme").await;
    server
}

#[tokio::test]
async fn invisible_characters_are_refused_with_code_and_position() {
    let server = server().await;
    for field in NAMES {
        for (text, problem) in [
            ("ab\u{202e}c", "must not contain invisible characters: character 3 is U+202E"),
            ("\u{200b}", "must not contain invisible characters: character 1 is U+200B"),
            ("ü\u{200d}", "must not contain invisible characters: character 2 is U+200D"),
            ("a\u{2066}b\u{2069}", "must not contain invisible characters: character 2 is U+2066"),
            ("a\u{7}", "must not contain control characters: character 2 is U+0007"),
        ] {
            let status = write(&server, field, text).await.unwrap_err();
            assert_invalid(&status, &[field]);
            assert!(status.message().contains(problem), "{}", status.message());
        }
    }
}

#[tokio::test]
async fn names_are_normalised_and_metadata_is_not() {
    let server = server().await;
    for field in NAMES {
        assert_eq!(write(&server, field, "Cafe\u{301}").await.unwrap(), "Caf\u{e9}", "{field}");
    }
    for field in ["key.metadata", "service_account.metadata"] {
        let text = "cafe\u{301} \u{200d}\u{202e}";
        assert_eq!(write(&server, field, text).await.unwrap(), text, "{field}");
    }
}

#[tokio::test]
async fn names_and_customers_match_in_either_normal_form() {
    let server = server().await;
    let asked_for = |name: &str, customer: &str| Key {
        display_name: name.into(),
        customers: texts(&[customer]),
        ..Default::default()
    };
    let (_, composed) = server.key("acme", asked_for("Caf\u{e9}", "z\u{fc}rich")).await;
    let (_, decomposed) = server.key("acme", asked_for("Cafe\u{301}", "zu\u{308}rich")).await;
    for api_key in [&composed, &decomposed] {
        for (customer, code) in
            [("z\u{fc}rich", Code::Valid), ("zu\u{308}rich", Code::Valid), ("zurich", Code::WrongCustomer)]
        {
            let question = VerifyRequest { customer: customer.into(), ..verify(api_key) };
            assert_eq!(server.ask(question).await.unwrap().code(), code, "{customer}");
        }
    }
    for filter in [
        "display_name = \"Caf\u{e9}\"",
        "display_name = \"Cafe\u{301}\"",
        "display_name:caf\u{e9}",
        "display_name:cafe\u{301}",
    ] {
        let request =
            ListKeysRequest { parent: "projects/acme".into(), filter: filter.into(), ..Default::default() };
        let keys = server.list(request).await.unwrap().keys;
        let names: Vec<_> = keys.iter().map(|key| key.display_name.as_str()).collect();
        assert_eq!(names, ["Caf\u{e9}"; 2], "{filter}");
    }
    write(&server, "service_account.external_id", "e\u{301}-1").await.unwrap();
    for filter in ["external_id = \"\u{e9}-1\"", "external_id = \"e\u{301}-1\""] {
        let request = ListServiceAccountsRequest {
            parent: "projects/acme".into(),
            filter: filter.into(),
            ..Default::default()
        };
        let listed = inner(server.accounts().list_service_accounts(request).await).unwrap();
        assert_eq!(listed.service_accounts.len(), 1, "{filter}");
    }
}

#[tokio::test]
async fn an_api_key_in_any_text_field_is_refused_and_not_repeated() {
    let server = server().await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let secret = &api_key["acme_live_".len() + 22..][..44];
    for field in NAMES.into_iter().chain(LABELS) {
        for text in [api_key.clone(), format!("the:{api_key}:one"), api_key[..api_key.len() - 6].to_owned()] {
            let status = write(&server, field, &text).await.unwrap_err();
            assert_invalid(&status, &[field]);
            assert!(status.message().contains("must not contain an API key"), "{}", status.message());
            assert!(!format!("{status:?}").contains(secret), "{field}");
        }
        if field != "key.tags[0]" {
            assert_eq!(write(&server, field, &key.masked_api_key).await.unwrap(), key.masked_api_key);
        }
    }
    let name = Key { metadata: [(api_key.clone(), String::new())].into(), ..Default::default() };
    let status = server.refused(server.create(creation(name))).await;
    assert_invalid(&status, &["key.metadata"]);
    assert!(status.message().contains("must not contain an API key"), "{}", status.message());
    assert!(!format!("{status:?}").contains(secret));
    let question = VerifyRequest { customer: api_key.clone(), ..verify(&api_key) };
    let status = server.ask(question).await.unwrap_err();
    assert_invalid(&status, &["customer"]);
    assert!(!format!("{status:?}").contains(secret));
}

#[tokio::test]
async fn updates_follow_the_same_rules() {
    let server = server().await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    let account = key.service_account.clone();
    for text in [api_key.as_str(), "a\u{202e}b"] {
        for field in ["key.display_name", "key.customers[0]"] {
            let changed = Key { name: key.name.clone(), ..key_with(field, text.into()) };
            let request = UpdateKeyRequest { key: Some(changed), ..Default::default() };
            assert_invalid(&server.refused(server.update(request)).await, &[field]);
        }
        for field in ["service_account.display_name", "service_account.external_id"] {
            let changed = ServiceAccount { name: account.clone(), ..account_with(field, text.into()) };
            let request =
                UpdateServiceAccountRequest { service_account: Some(changed), ..Default::default() };
            let updated = server.accounts().update_service_account(request).await;
            assert_invalid(&updated.unwrap_err(), &[field]);
        }
    }
    server.role("editor", &[]).await;
    for text in [api_key.as_str(), "a\u{202e}b"] {
        for field in ["role.display_name", "role.description"] {
            let name = "projects/acme/roles/editor".into();
            let changed = Role { name, ..role_with(field, text.into()) };
            let request = UpdateRoleRequest { role: Some(changed), ..Default::default() };
            assert_invalid(&server.roles().update_role(request).await.unwrap_err(), &[field]);
        }
    }
    let renamed = Key { name: key.name.clone(), ..key_with("key.display_name", "Cafe\u{301}".into()) };
    let request = UpdateKeyRequest { key: Some(renamed), ..Default::default() };
    assert_eq!(server.update(request).await.unwrap().display_name, "Caf\u{e9}");
}
