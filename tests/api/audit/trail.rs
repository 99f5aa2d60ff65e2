//! Every change leaves one event, and nothing else leaves any.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;
use proto::{AuditEvent, FILE_DESCRIPTOR_SET};
use serde_json::Value;
use testkit::server::{START, Server};

use super::{ROOT, log, newest};

/// Reads the events after each change.
struct Trail {
    server: Server,
    seen: i64,
    actions: BTreeSet<String>,
}

impl Trail {
    /// Checks that there is one event since the last call, of this action and target, and that these fields differ in it.
    async fn step(&mut self, action: &str, target: &str, changed: &[&str]) -> AuditEvent {
        let event = newest(&self.server).await;
        assert_eq!(event.revision, self.seen + 1, "{action}");
        assert_eq!(event.revision, self.server.head().await);
        self.seen = event.revision;
        self.actions.insert(action.to_owned());

        assert_eq!((event.action.as_str(), event.target.as_str()), (action, target));
        assert_eq!(event.project, target.split('/').take(2).collect::<Vec<_>>().join("/"));
        let actor = event.actor.clone().unwrap();
        assert_eq!((actor.service_account.as_str(), actor.display_name.as_str()), (ROOT, "Root"));
        assert!(actor.key.starts_with("projects/system/keys/"));
        assert_eq!(event.peer, "127.0.0.1");
        let time = event.event_time.unwrap();
        assert_eq!(time.seconds, START.as_micros() / 1_000_000);

        let (_, verb) = action.split_once('.').unwrap();
        match verb {
            "create" => assert!(event.before.is_empty() && object(&event.after).is_object()),
            "purge" => assert!(event.after.is_empty() && object(&event.before).is_object()),
            "delete" if changed.is_empty() => {
                assert!(event.after.is_empty() && object(&event.before).is_object());
            }
            _ => assert_eq!(difference(&event), changed, "{event:?}"),
        }
        event
    }
}

impl Trail {
    /// Checks that there are exactly these events since the last call; those of one instant may be in any order.
    async fn steps(&mut self, expected: &[(&str, &str)]) {
        let log = log(&self.server).await;
        let new = &log[usize::try_from(self.seen).unwrap()..];
        let mut seen: Vec<_> = new.iter().map(|it| (it.action.as_str(), it.target.as_str())).collect();
        assert_eq!(seen[0], expected[0]);
        seen.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(seen, expected);
        for event in new {
            assert_eq!(event.actor.clone().unwrap().service_account, ROOT);
            assert_eq!(event.peer, "127.0.0.1");
        }
        self.seen = log.last().unwrap().revision;
        self.actions.extend(new.iter().map(|it| it.action.clone()));
    }
}

fn object(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn difference(event: &AuditEvent) -> Vec<String> {
    let (before, after) = (object(&event.before), object(&event.after));
    let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
    assert!(before.keys().eq(after.keys()), "{event:?}");
    let differs = |name: &&String| before[*name] != after[*name];
    before.keys().filter(differs).cloned().collect()
}

#[tokio::test]
async fn every_change_leaves_one_event() {
    let server = Server::start().await;
    let seen = server.head().await;
    let mut trail = Trail { server, seen, actions: BTreeSet::new() };
    projects(&mut trail).await;
    accounts(&mut trail).await;
    roles(&mut trail).await;
    keys(&mut trail).await;
    the_end(&mut trail).await;

    let mut expected = actions_of_the_contract();
    expected.insert("keys.purge".to_owned()); // DeleteKey with purge
    expected.insert("keys.remove_role".to_owned()); // DeleteRole with force
    assert_eq!(trail.actions, expected, "a method that changes something has no step here");
}

async fn projects(trail: &mut Trail) {
    let acme = trail.server.project("acme").await;
    let event = trail.step("projects.create", "projects/acme", &[]).await;
    assert_eq!(event.revision, acme.revision);
    assert_eq!(event.request_id, "");
    let project = proto::Project { display_name: "Acme".into(), ..acme };
    let request = proto::UpdateProjectRequest { project: Some(project), ..Default::default() };
    trail.server.projects().update_project(request).await.unwrap();
    trail.step("projects.update", "projects/acme", &["display_name"]).await;
}

async fn accounts(trail: &mut Trail) {
    let name = "projects/acme/serviceAccounts/ci";
    let request = proto::CreateServiceAccountRequest {
        parent: "projects/acme".into(),
        service_account_id: "ci".into(),
        request_id: "deploy-42".into(),
        ..Default::default()
    };
    let mut accounts = trail.server.accounts();
    accounts.create_service_account(request).await.unwrap();
    let event = trail.step("serviceAccounts.create", name, &[]).await;
    assert_eq!(event.request_id, "deploy-42");

    let account = proto::ServiceAccount { name: name.into(), external_id: "42".into(), ..Default::default() };
    let request = proto::UpdateServiceAccountRequest { service_account: Some(account), ..Default::default() };
    accounts.update_service_account(request).await.unwrap();
    trail.step("serviceAccounts.update", name, &["external_id"]).await;
    let request = proto::DisableServiceAccountRequest { name: name.into(), ..Default::default() };
    accounts.disable_service_account(request).await.unwrap();
    trail.step("serviceAccounts.disable", name, &["state"]).await;
    let request = proto::EnableServiceAccountRequest { name: name.into(), ..Default::default() };
    accounts.enable_service_account(request).await.unwrap();
    trail.step("serviceAccounts.enable", name, &["state"]).await;
}

/// A request with the name of a key, and defaults otherwise.
macro_rules! on {
    ($request:ident, $name:expr) => {
        proto::$request { name: $name.to_owned(), ..Default::default() }
    };
}

async fn roles(trail: &mut Trail) {
    let name = "projects/acme/roles/editor";
    trail.server.role("editor", &["documents.write"]).await;
    trail.step("roles.create", name, &[]).await;
    let role = proto::Role {
        name: name.into(),
        permissions: vec!["documents.*".into()],
        endpoints: vec!["GET /v1/**".into()],
        ..Default::default()
    };
    let request = proto::UpdateRoleRequest { role: Some(role), ..Default::default() };
    trail.server.roles().update_role(request).await.unwrap();
    trail.step("roles.update", name, &["endpoints", "permissions"]).await;
    trail.server.roles().delete_role(on!(DeleteRoleRequest, name)).await.unwrap();
    trail.step("roles.delete", name, &[]).await;
}

async fn keys(trail: &mut Trail) {
    let mut keys = trail.server.keys();
    let owner = "projects/acme/serviceAccounts/ci".to_owned();
    let (key, _) =
        trail.server.key("acme", proto::Key { service_account: owner, ..Default::default() }).await;
    let name = key.name.as_str();
    trail.step("keys.create", name, &[]).await;

    let tagged = proto::Key { tags: vec!["core".into()], ..key.clone() };
    let request = proto::UpdateKeyRequest {
        key: Some(proto::Key { etag: String::new(), ..tagged }),
        ..Default::default()
    };
    keys.update_key(request).await.unwrap();
    trail.step("keys.update", name, &["tags"]).await;
    let request = proto::RotateKeyRequest { request_id: "rotate-1".into(), ..on!(RotateKeyRequest, name) };
    keys.rotate_key(request).await.unwrap();
    let event = trail.step("keys.rotate", name, &["secrets"]).await;
    assert_eq!(event.request_id, "rotate-1");
    keys.disable_key(on!(DisableKeyRequest, name)).await.unwrap();
    trail.step("keys.disable", name, &["disable_time"]).await;
    keys.enable_key(on!(EnableKeyRequest, name)).await.unwrap();
    trail.step("keys.enable", name, &["disable_time"]).await;
    keys.delete_key(on!(DeleteKeyRequest, name)).await.unwrap();
    trail.step("keys.delete", name, &["delete_time", "purge_time"]).await;
    keys.undelete_key(on!(UndeleteKeyRequest, name)).await.unwrap();
    trail.step("keys.undelete", name, &["delete_time", "purge_time"]).await;
    let request = proto::RevokeKeyRequest { reason: "leaked".into(), ..on!(RevokeKeyRequest, name) };
    keys.revoke_key(request).await.unwrap();
    let event = trail.step("keys.revoke", name, &["revoke_reason", "revoke_time"]).await;
    assert_eq!(object(&event.after)["revoke_reason"], "leaked");
    let request = proto::DeleteKeyRequest { purge: true, ..on!(DeleteKeyRequest, name) };
    keys.delete_key(request).await.unwrap();
    trail.step("keys.purge", name, &[]).await;
}

/// A resource that is created or deleted along with another has an event of its own, with the same actor.
async fn the_end(trail: &mut Trail) {
    let (implicit, _) = trail.server.key("acme", proto::Key::default()).await;
    trail
        .steps(&[("serviceAccounts.create", &implicit.service_account), ("keys.create", &implicit.name)])
        .await;

    let name = "projects/acme/serviceAccounts/ci";
    let key = proto::Key { service_account: name.into(), ..Default::default() };
    let (key, _) = trail.server.key("acme", key).await;
    trail.step("keys.create", &key.name, &[]).await;
    let request =
        proto::DeleteServiceAccountRequest { force: true, ..on!(DeleteServiceAccountRequest, name) };
    trail.server.accounts().delete_service_account(request).await.unwrap();
    trail.steps(&[("serviceAccounts.delete", name), ("keys.delete", &key.name)]).await;

    let name = "projects/acme/roles/editor";
    trail.server.role("editor", &[]).await;
    trail.step("roles.create", name, &[]).await;
    let (holder, _) =
        trail.server.key("acme", proto::Key { roles: vec!["editor".into()], ..Default::default() }).await;
    trail.steps(&[("serviceAccounts.create", &holder.service_account), ("keys.create", &holder.name)]).await;
    let request = proto::DeleteRoleRequest { force: true, ..on!(DeleteRoleRequest, name) };
    trail.server.roles().delete_role(request).await.unwrap();
    trail.steps(&[("roles.delete", name), ("keys.remove_role", &holder.name)]).await;
    trail.server.role("late", &[]).await;
    trail.step("roles.create", "projects/acme/roles/late", &[]).await;

    let acme = proto::GetProjectRequest { name: "projects/acme".into() };
    let acme = trail.server.projects().get_project(acme).await.unwrap().into_inner().project.unwrap();
    let request = proto::DeleteProjectRequest { force: true, ..on!(DeleteProjectRequest, "projects/acme") };
    trail.server.projects().delete_project(request).await.unwrap();
    trail
        .steps(&[
            ("projects.delete", "projects/acme"),
            ("keys.purge", &acme.system_key),
            ("keys.purge", &implicit.name),
            ("keys.purge", &key.name),
            ("keys.purge", &holder.name),
            ("serviceAccounts.delete", &implicit.service_account),
            ("serviceAccounts.delete", &holder.service_account),
            ("roles.delete", "projects/acme/roles/late"),
            ("serviceAccounts.delete", "projects/acme/serviceAccounts/system"),
        ])
        .await;
}

/// The actions of the methods that change something, such as `keys.create` for CreateKey.
fn actions_of_the_contract() -> BTreeSet<String> {
    const READS: [&str; 10] =
        ["Get", "List", "Count", "Lookup", "Explain", "Verify", "Batch", "Stream", "Watch", "Who"];
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let methods = set.file.iter().flat_map(|file| &file.service);
    let methods = methods.flat_map(|service| &service.method);
    let changes =
        methods.map(|method| method.name()).filter(|name| !READS.iter().any(|read| name.starts_with(read)));
    changes.map(action).collect()
}

fn action(method: &str) -> String {
    let noun = 1 + method[1..].find(char::is_uppercase).unwrap();
    let (verb, noun) = method.split_at(noun);
    let (first, rest) = noun.split_at(1);
    format!("{}{rest}s.{}", first.to_lowercase(), verb.to_lowercase())
}
