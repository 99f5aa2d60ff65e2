//! The credential of a stream: checked when it opens, and again when anything could have ended it.

use std::time::Duration;

use proto::{Code, Key};
use testkit::server::{Server, Talk};

use super::assert_unauthenticated;

use crate::calls::{
    HOUR, TICK, deletion, disabling, enabling, ends as end_after, revocation, rotation, span, verify,
};

/// A caller of its own, with a stream on which it has been answered.
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

    async fn goes_on(&mut self) {
        for _ in 0..3 {
            assert_eq!(self.talk.code("junk").await.unwrap(), Code::Malformed);
        }
    }

    /// The next message ends it, and nothing follows.
    async fn ends(mut self) -> Server {
        assert_unauthenticated(self.talk.ask(verify("junk")).await);
        assert!(self.talk.next().await.unwrap().is_none());
        assert_unauthenticated(self.server.talk_as(&self.api_key).await.map(|_| ()));
        self.server
    }

    /// It ends though nothing is asked.
    async fn ends_by_itself(mut self) {
        assert_unauthenticated::<()>(Err(self.talk.ends_by_itself().await));
        assert!(self.talk.next().await.unwrap().is_none());
    }

    async fn rotate(&self, grace: Duration) -> String {
        let request = proto::RotateKeyRequest { grace_period: Some(span(grace)), ..rotation(&self.key.name) };
        self.server.rotate(request).await.unwrap().api_key
    }
}

#[tokio::test]
async fn a_revoked_credential_ends_it() {
    let caller = Caller::start(Key::default()).await;
    caller.server.revoke(revocation(&caller.key.name)).await.unwrap();
    caller.ends().await;
}

#[tokio::test]
async fn a_disabled_credential_ends_it_for_good() {
    let caller = Caller::start(Key::default()).await;
    caller.server.disable(disabling(&caller.key.name)).await.unwrap();
    let (name, api_key) = (caller.key.name.clone(), caller.api_key.clone());
    let server = caller.ends().await;
    server.enable(enabling(&name)).await.unwrap();
    assert_eq!(server.talk_as(&api_key).await.unwrap().code("junk").await.unwrap(), Code::Malformed);
}

#[tokio::test]
async fn a_deleted_credential_ends_it() {
    let caller = Caller::start(Key::default()).await;
    caller.server.delete(deletion(&caller.key.name)).await.unwrap();
    caller.ends().await;
}

#[tokio::test]
async fn a_disabled_account_ends_it() {
    let caller = Caller::start(Key::default()).await;
    caller.server.disable_account(&caller.key.service_account).await;
    caller.ends().await;
}

#[tokio::test]
async fn a_removed_account_ends_it() {
    let caller = Caller::start(Key::default()).await;
    caller.server.remove_account(&caller.key.service_account).await;
    caller.ends().await;
}

#[tokio::test]
async fn an_expired_credential_ends_it() {
    let mut caller = Caller::start(Key { expiration: end_after(HOUR), ..Default::default() }).await;
    caller.server.clock.advance(HOUR - TICK);
    caller.goes_on().await;
    caller.server.clock.advance(TICK);
    caller.ends().await;
}

/// The new end counts, not the one when the stream was opened.
#[tokio::test]
async fn an_end_that_is_moved_counts() {
    let mut caller = Caller::start(Key { expiration: end_after(HOUR), ..Default::default() }).await;
    let move_to = |end: Duration| proto::UpdateKeyRequest {
        key: Some(Key { name: caller.key.name.clone(), expiration: end_after(end), ..Default::default() }),
        ..Default::default()
    };
    let (later, sooner) = (move_to(4 * HOUR), move_to(3 * HOUR));
    caller.server.update(later).await.unwrap();
    caller.server.clock.advance(2 * HOUR);
    caller.goes_on().await;
    caller.server.update(sooner).await.unwrap();
    caller.server.clock.advance(HOUR - TICK);
    caller.goes_on().await;
    caller.server.clock.advance(TICK);
    caller.ends().await;
}

#[tokio::test]
async fn a_rotation_without_grace_ends_it() {
    let caller = Caller::start(Key::default()).await;
    let new = caller.rotate(Duration::ZERO).await;
    let server = caller.ends().await;
    assert_eq!(server.talk_as(&new).await.unwrap().code("junk").await.unwrap(), Code::Malformed);
}

#[tokio::test]
async fn a_rotation_with_grace_ends_it_with_the_grace() {
    let mut caller = Caller::start(Key::default()).await;
    caller.rotate(HOUR).await;
    caller.goes_on().await;
    caller.server.clock.advance(HOUR - TICK);
    caller.goes_on().await;
    caller.server.clock.advance(TICK);
    caller.ends().await;
}

#[tokio::test]
async fn an_idle_stream_of_a_revoked_caller_ends() {
    let caller = Caller::start(Key::default()).await;
    caller.server.revoke(revocation(&caller.key.name)).await.unwrap();
    caller.ends_by_itself().await;
}

#[tokio::test]
async fn an_idle_stream_of_an_expired_caller_ends() {
    let caller = Caller::start(Key { expiration: end_after(HOUR), ..Default::default() }).await;
    caller.server.clock.advance(HOUR);
    caller.ends_by_itself().await;
}

#[tokio::test]
async fn what_concerns_others_does_not_end_it() {
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
    caller.goes_on().await;
}

/// Nor does a change of the credential that leaves it valid.
#[tokio::test]
async fn a_new_name_does_not_end_it() {
    let mut caller = Caller::start(Key::default()).await;
    let renamed = proto::UpdateKeyRequest {
        key: Some(Key { name: caller.key.name.clone(), display_name: "New".into(), ..Default::default() }),
        ..Default::default()
    };
    caller.server.update(renamed).await.unwrap();
    caller.goes_on().await;
}

/// As long as the log was not looked at again, every message takes a new proof; none goes round for ever.
#[tokio::test]
async fn it_goes_on_while_changes_may_have_been_missed() {
    let mut caller = Caller::start(Key::default()).await;
    for _ in 0..20 {
        caller.server.clock.advance(HOUR);
        assert_eq!(caller.talk.code("junk").await.unwrap(), Code::Malformed);
    }
}
