//! A key from its creation to its end.

use keystile::grpc::proto::{self, Code};
use tonic::Code as Grpc;

use crate::support::{server::Server, status::reason};

#[tokio::test]
async fn a_key_verifies_until_it_is_revoked() {
    let server = Server::start().await;
    server.project("acme").await;
    let (key, api_key) = server.key("acme", proto::Key::default()).await;
    assert_eq!(server.code(&api_key).await, Code::Valid);

    let revoke =
        proto::RevokeKeyRequest { name: key.name.clone(), reason: "leaked".into(), ..Default::default() };
    let revoked = server.keys().revoke_key(revoke.clone()).await.unwrap().into_inner().key.unwrap();
    assert_eq!(revoked.state(), proto::key::State::Revoked);
    assert_eq!(revoked.revoke_reason, "leaked");
    assert_eq!(server.code(&api_key).await, Code::Revoked);

    let again = server.keys().revoke_key(revoke).await.unwrap_err();
    assert_eq!(reason(&again, Grpc::FailedPrecondition), "STATE_FORBIDS");
}
