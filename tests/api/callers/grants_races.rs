//! What a caller held when it was checked, it holds when its change is made: the log shows it.

use proto::{CreateKeyRequest, Key, ListAuditEventsRequest, UpdateKeyRequest};
use testkit::{server::Server, status::reason};
use tonic::Code;

use crate::calls::{inner, texts};

const FLIPS: usize = 60;

fn holding(permissions: &[&str]) -> Key {
    Key {
        permissions: texts(permissions),
        customers: texts(&["system"]),
        environment: "production".into(),
        ..Default::default()
    }
}

/// A permission is taken from the caller and given back, while the caller hands it on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_permission_that_is_being_taken_away_is_not_handed_on() {
    let server = Server::start().await;
    let (caller, api_key) = server.key("system", holding(&["keys.create", "audit.read"])).await;
    let flip = |has: bool| {
        let permissions: &[&str] = if has { &["keys.create", "audit.read"] } else { &["keys.create"] };
        UpdateKeyRequest {
            key: Some(Key {
                name: caller.name.clone(),
                permissions: texts(permissions),
                ..Default::default()
            }),
            ..Default::default()
        }
    };
    let flips: Vec<_> = (0..FLIPS).map(|number| flip(number % 2 == 1)).collect();
    let mut keys = server.keys();
    let flipping = tokio::spawn(async move {
        for request in flips {
            keys.update_key(request).await.unwrap();
        }
    });
    let mut handing_on = Vec::new();
    for _ in 0..3 {
        let mut keys = server.keys_as(&api_key);
        handing_on.push(tokio::spawn(async move {
            let (mut created, mut refused) = (0, 0);
            for _ in 0..FLIPS {
                let request = CreateKeyRequest {
                    parent: "projects/system".into(),
                    key: Some(holding(&["audit.read"])),
                    ..Default::default()
                };
                match keys.create_key(request).await {
                    Ok(_) => created += 1,
                    // It may lose every race, and then gives up.
                    Err(status) if status.code() == Code::Aborted => {}
                    Err(status) => {
                        assert_eq!(reason(&status, Code::PermissionDenied), "GRANT_EXCEEDS_CALLER");
                        refused += 1;
                    }
                }
            }
            (created, refused)
        }));
    }
    flipping.await.unwrap();
    for task in handing_on {
        task.await.unwrap();
    }

    let request = ListAuditEventsRequest {
        parent: "projects/system".into(),
        order_by: "revision".into(),
        page_size: 1000,
        ..Default::default()
    };
    let log = inner(server.audit().list_audit_events(request).await).unwrap();
    assert_eq!(log.next_page_token, "");
    let mut holds = true;
    for event in log.audit_events {
        let by_caller = event.actor.is_some_and(|actor| actor.key == caller.name);
        if event.target == caller.name {
            holds = event.after.contains("audit.read");
        } else if by_caller && event.action == "keys.create" {
            assert!(holds, "at revision {} the caller did not have what it handed on", event.revision);
        }
    }
}
