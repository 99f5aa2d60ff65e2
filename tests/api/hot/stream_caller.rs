//! The credential of a stream: checked when the stream opens, and again after every change that may have ended it.

use std::time::Duration;

use proto::{Code, Key};
use testkit::server::{Server, Talk};

use super::assert_unauthenticated;

use crate::calls::{
    HOUR, TICK, deletion, disabling, enabling, ends as end_after, revocation, rotation, span, verify,
};

/// A caller with an open stream on which it has received a response.
struct Caller {
    server: Server,
    key: Key,
    api_key: String,
    talk: Talk,
}

impl Caller {
    async fn start(key: Key) -> Self {
        let server = Server::start().await;
        let (key, api_key) = server.key("system", key).await;
        let mut talk = server.talk_as(&api_key).await.unwrap();
        assert_eq!(talk.code("junk").await.unwrap(), Code::Malformed);
        Self { server, key, api_key, talk }
    }

    async fn is_answered(&mut self) {
        for _ in 0..3 {
            assert_eq!(self.talk.code("junk").await.unwrap(), Code::Malformed);
        }
    }

    /// Checks that the next message ends the stream.
    async fn ends(mut self) -> Server {
        assert_unauthenticated(self.talk.ask(verify("junk")).await);
        assert!(self.talk.next().await.unwrap().is_none());
        assert_unauthenticated(self.server.talk_as(&self.api_key).await.map(|_| ()));
        self.server
    }

    /// Checks that the stream ends while it is idle.
    async fn ended_while_idle(mut self) {
        assert_unauthenticated::<()>(Err(self.talk.ended_while_idle().await));
        assert!(self.talk.next().await.unwrap().is_none());
    }

    async fn rotate(&self, grace: Duration) -> String {
        let request = proto::RotateKeyRequest { grace_period: Some(span(grace)), ..rotation(&self.key.name) };
        self.server.rotate(request).await.unwrap().api_key
    }
}

#[tokio::test]
async fn a_revoked_credential_ends_a_stream() {
    let caller = Caller::start(Key::default()).await;
    caller.server.revoke(revocation(&caller.key.name)).await.unwrap();
    caller.ends().await;
}

#[tokio::test]
async fn a_disabled_credential_ends_a_stream_for_good() {
    let caller = Caller::start(Key::default()).await;
    caller.server.disable(disabling(&caller.key.name)).await.unwrap();
    let (name, api_key) = (caller.key.name.clone(), caller.api_key.clone());
    let server = caller.ends().await;
    server.enable(enabling(&name)).await.unwrap();
    assert_eq!(server.talk_as(&api_key).await.unwrap().code("junk").await.unwrap(), Code::Malformed);
}

#[tokio::test]
async fn a_deleted_credential_ends_a_stream() {
    let caller = Caller::start(Key::default()).await;
    caller.server.delete(deletion(&caller.key.name)).await.unwrap();
    caller.ends().await;
}

#[tokio::test]
async fn a_disabled_account_ends_a_stream() {
    let caller = Caller::start(Key::default()).await;
    caller.server.disable_account(&caller.key.service_account).await;
    caller.ends().await;
}

#[tokio::test]
async fn a_deleted_account_ends_a_stream() {
    let caller = Caller::start(Key::default()).await;
    caller.server.remove_account(&caller.key.service_account).await;
    caller.ends().await;
}

#[tokio::test]
async fn an_expired_credential_ends_a_stream() {
    let mut caller = Caller::start(Key { expiration: end_after(HOUR), ..Default::default() }).await;
    caller.server.clock.advance(HOUR - TICK);
    caller.is_answered().await;
    caller.server.clock.advance(TICK);
    caller.ends().await;
}

/// The current expiry counts, not the one when the stream was opened.
#[tokio::test]
async fn an_expiry_changed_during_a_stream_counts() {
    let mut caller = Caller::start(Key { expiration: end_after(HOUR), ..Default::default() }).await;
    let move_to = |end: Duration| proto::UpdateKeyRequest {
        key: Some(Key { name: caller.key.name.clone(), expiration: end_after(end), ..Default::default() }),
        ..Default::default()
    };
    let (later, sooner) = (move_to(4 * HOUR), move_to(3 * HOUR));
    caller.server.update(later).await.unwrap();
    caller.server.clock.advance(2 * HOUR);
    caller.is_answered().await;
    caller.server.update(sooner).await.unwrap();
    caller.server.clock.advance(HOUR - TICK);
    caller.is_answered().await;
    caller.server.clock.advance(TICK);
    caller.ends().await;
}

#[tokio::test]
async fn a_rotation_without_grace_ends_a_stream() {
    let caller = Caller::start(Key::default()).await;
    let new = caller.rotate(Duration::ZERO).await;
    let server = caller.ends().await;
    assert_eq!(server.talk_as(&new).await.unwrap().code("junk").await.unwrap(), Code::Malformed);
}

#[tokio::test]
async fn a_rotation_ends_a_stream_at_the_end_of_the_grace_period() {
    let mut caller = Caller::start(Key::default()).await;
    caller.rotate(HOUR).await;
    caller.is_answered().await;
    caller.server.clock.advance(HOUR - TICK);
    caller.is_answered().await;
    caller.server.clock.advance(TICK);
    caller.ends().await;
}

#[tokio::test]
async fn an_idle_stream_of_a_revoked_caller_ends() {
    let caller = Caller::start(Key::default()).await;
    caller.server.revoke(revocation(&caller.key.name)).await.unwrap();
    caller.ended_while_idle().await;
}

#[tokio::test]
async fn an_idle_stream_of_an_expired_caller_ends() {
    let caller = Caller::start(Key { expiration: end_after(HOUR), ..Default::default() }).await;
    caller.server.clock.advance(HOUR);
    caller.ended_while_idle().await;
}

#[tokio::test]
async fn changes_of_other_resources_do_not_end_a_stream() {
    let mut caller = Caller::start(Key::default()).await;
    let server = &caller.server;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", Key::default()).await;
    assert_eq!(caller.talk.code(&api_key).await.unwrap(), Code::Valid);
    server.revoke(revocation(&key.name)).await.unwrap();
    assert_eq!(caller.talk.code(&api_key).await.unwrap(), Code::Revoked);
    let (other, _) = server.key("system", Key::default()).await;
    server.disable_account(&other.service_account).await;
    server.clock.advance(1000 * HOUR);
    caller.is_answered().await;
}

/// A change of the caller's own key that leaves it valid does not end the stream.
#[tokio::test]
async fn a_new_display_name_does_not_end_a_stream() {
    let mut caller = Caller::start(Key::default()).await;
    let renamed = proto::UpdateKeyRequest {
        key: Some(Key { name: caller.key.name.clone(), display_name: "New".into(), ..Default::default() }),
        ..Default::default()
    };
    caller.server.update(renamed).await.unwrap();
    caller.is_answered().await;
}

/// Until the next poll of the log, every message needs a new proof of the caller, and none loops for ever.
#[tokio::test]
async fn a_stream_stays_open_while_changes_may_have_been_missed() {
    let mut caller = Caller::start(Key::default()).await;
    for _ in 0..20 {
        caller.server.clock.advance(HOUR);
        assert_eq!(caller.talk.code("junk").await.unwrap(), Code::Malformed);
    }
}
