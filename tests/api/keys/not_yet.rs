//! Features in the contract that are not built yet: a request for one is refused, never ignored.

use proto::Key;
use testkit::server::Server;

use crate::calls::{assert_not_yet, creation, texts};

/// Keys that use a feature that is not built, each with the field.
fn not_yet() -> [(Key, &'static str); 3] {
    let key = Key::default;
    [
        (Key { plan: "projects/acme/plans/free".into(), ..key() }, "key.plan"),
        (Key { limits: vec![proto::Limit::default()], ..key() }, "key.limits"),
        (Key { credits: Some(proto::Credits::default()), ..key() }, "key.credits"),
    ]
}

#[tokio::test]
async fn create_key_refuses_features_that_are_not_built() {
    let server = Server::start().await;
    server.project("acme").await;
    for (asked, field) in not_yet() {
        // Even if other fields are wrong too.
        let request = proto::CreateKeyRequest { parent: String::new(), ..creation(asked) };
        assert_not_yet(&server.refused(server.create(request)).await, field);
    }
}

fn masked(key: Key, paths: &[&str]) -> proto::UpdateKeyRequest {
    proto::UpdateKeyRequest {
        key: Some(key),
        update_mask: Some(prost_types::FieldMask { paths: texts(paths) }),
        ..Default::default()
    }
}

#[tokio::test]
async fn update_key_refuses_features_that_are_not_built() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, _) = server.key("acme", Key::default()).await;
    for path in ["plan", "limits", "credits"] {
        let request = masked(key.clone(), &["tags", path]);
        assert_not_yet(&server.refused(server.update(request)).await, &format!("key.{path}"));
    }
    for (asked, field) in not_yet() {
        let asked = Key { name: key.name.clone(), ..asked };
        for paths in [&[][..], &["*"]] {
            let request = masked(asked.clone(), paths);
            assert_not_yet(&server.refused(server.update(request)).await, field);
        }
    }
}
