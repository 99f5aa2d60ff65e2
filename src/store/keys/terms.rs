//! What keys are found by: their tags and roles, the permissions that they have directly, and the words of their names.

use std::collections::BTreeSet;

use domain::{access::Grant, id::RoleId, key::Key, labels::Tag};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "key_terms")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub term: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: Uuid,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) fn of(key: &Key) -> BTreeSet<String> {
    let tags = key.tags.iter().map(of_tag);
    let words = key.display_name.words().map(|word| of_word(&word));
    let roles = key.roles.iter().map(of_role);
    let permissions = key.permissions.iter().map(of_permission);
    tags.chain(words).chain(roles).chain(permissions).collect()
}

pub(crate) fn of_tag(tag: &Tag) -> String {
    format!("t:{tag}")
}

pub(crate) fn of_role(role: &RoleId) -> String {
    format!("{ROLE}{role}")
}

/// One with a wildcard is a term of another kind, because it is not looked up, but compared.
pub(crate) fn of_permission(grant: &Grant) -> String {
    let kind = if grant.as_str().contains('*') { WILDCARD } else { "p:" };
    format!("{kind}{grant}")
}

pub(crate) const ROLE: &str = "r:";
pub(crate) const WILDCARD: &str = "w:";

pub(crate) fn of_word(word: &str) -> String {
    format!("n:{word}")
}
