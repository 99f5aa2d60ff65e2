//! Every change of a key by its name, as a list over which tests iterate.

use proto::Key;
use testkit::server::Server;

use crate::calls::{Answer, deletion, disabling, enabling, purge, revocation, rotation, undeletion};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Update,
    Delete,
    Purge,
    Undelete,
    Rotate,
    Revoke,
    Disable,
    Enable,
}

impl Operation {
    pub(super) const ALL: [Self; 8] = [
        Self::Update,
        Self::Delete,
        Self::Purge,
        Self::Undelete,
        Self::Rotate,
        Self::Revoke,
        Self::Disable,
        Self::Enable,
    ];

    /// Runs it on the key `name`, with this `etag` unless that is empty.
    pub(super) async fn run(self, server: &Server, name: &str, etag: &str) -> Answer<Key> {
        let etag = etag.into();
        match self {
            Self::Update => {
                let key =
                    Key { name: name.into(), display_name: "Updated".into(), etag, ..Default::default() };
                let request = proto::UpdateKeyRequest { key: Some(key), ..Default::default() };
                server.update(request).await
            }
            Self::Delete => {
                let request = deletion(name);
                server.delete(proto::DeleteKeyRequest { etag, ..request }).await
            }
            Self::Purge => {
                let request = purge(name);
                server.delete(proto::DeleteKeyRequest { etag, ..request }).await
            }
            Self::Undelete => {
                let request = undeletion(name);
                server.undelete(proto::UndeleteKeyRequest { etag, ..request }).await
            }
            Self::Rotate => {
                let request = rotation(name);
                let rotated = server.rotate(proto::RotateKeyRequest { etag, ..request });
                rotated.await.map(|it| it.key.unwrap())
            }
            Self::Revoke => {
                let request = revocation(name);
                server.revoke(proto::RevokeKeyRequest { etag, ..request }).await
            }
            Self::Disable => {
                let request = disabling(name);
                server.disable(proto::DisableKeyRequest { etag, ..request }).await
            }
            Self::Enable => {
                let request = enabling(name);
                server.enable(proto::EnableKeyRequest { etag, ..request }).await
            }
        }
    }

    /// The field of its request that has the key's name.
    pub(super) fn name_field(self) -> &'static str {
        match self {
            Self::Update => "key.name",
            _ => "name",
        }
    }
}
