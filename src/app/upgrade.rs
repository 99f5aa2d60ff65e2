//! What a new version does once, at its first start on the data of an older one.

use crate::verbs::{Error, Service, Upgraded};

pub(super) async fn run(service: &Service) -> Result<(), Error> {
    let Upgraded { keys, unreadable } = service.give_root_to_old_keys().await?;
    if keys > 0 {
        tracing::warn!(
            keys,
            "keys of projects/system from before there were roles may still do everything: each has the role root for all \
             projects now; give each of them the roles and projects that it needs"
        );
    }
    if unreadable > 0 {
        tracing::error!(keys = unreadable, "keys of projects/system cannot be read, and so have no role");
    }
    Ok(())
}
