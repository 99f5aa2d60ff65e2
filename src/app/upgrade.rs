//! What a new version does once, at its first start on the data of an older one.

use crate::verbs::{Error, Service, Upgraded};

pub(super) async fn run(service: &Service) -> Result<(), Error> {
    let Upgraded { keys, unreadable } = service.upgrade_access().await?;
    if keys > 0 {
        tracing::warn!(
            keys,
            "keys of projects/system from before there were roles may still do everything: each has the role root now, for \
             all projects unless it lists some as customers; give each of them the roles and projects that it needs"
        );
    }
    if unreadable > 0 {
        tracing::error!(keys = unreadable, "keys of projects/system cannot be read, and so have no role");
    }
    Ok(())
}
