//! Adds roles, what keys hold of them, and the policy of a project for its keys.
//!
//! Every project gets the built-in roles. Keys that exist hold nothing; at the next start, those of the system project get
//! the role `root`, with an audit event each.

use sea_orm_migration::prelude::*;

use crate::dialect::{Dialect, column, flag, index, number, owned_by, primary_key};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_access"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        roles(manager, &dialect).await?;
        role_removals(manager, &dialect).await?;
        for name in ["roles", "permissions"] {
            column(manager, "keys", name, dialect.optional_long_text(name)).await?;
        }
        column(manager, "projects", "key_policy", dialect.optional_long_text("key_policy")).await?;
        for role in &OF_EVERY_PROJECT {
            insert(manager, role, None).await?;
        }
        for role in &OF_THE_SYSTEM_PROJECT {
            insert(manager, role, Some("system")).await?;
        }
        Ok(())
    }
}

async fn roles(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("roles")
        .col(dialect.text("project_id", 63))
        .col(dialect.text("id", 63))
        .col(dialect.text("display_name", 200))
        .col(dialect.text("description", 500))
        .col(dialect.long_text("permissions"))
        .col(dialect.long_text("endpoints"))
        .col(flag("built_in"))
        .col(dialect.optional_text("created_by", 63))
        .col(number("create_time"))
        .col(number("update_time"))
        .col(number("revision"))
        .primary_key(&mut primary_key(&["project_id", "id"]))
        .foreign_key(&mut owned_by("roles_project", ("roles", "project_id"), "projects"))
        .take();
    manager.create_table(table).await?;
    index(manager, "roles", "roles_by_create_time", &["project_id", "create_time", "id"]).await?;
    index(manager, "roles", "roles_by_display_name", &["project_id", "display_name", "id"]).await
}

/// Deleted roles that are still to be removed from keys.
async fn role_removals(manager: &SchemaManager<'_>, dialect: &Dialect) -> Result<(), DbErr> {
    let table = dialect
        .table("role_removals")
        .col(dialect.text("project_id", 63))
        .col(dialect.text("role_id", 63))
        .col(dialect.text("actor_account", 63))
        .col(dialect.text("actor_key", 22))
        .col(dialect.long_text("peer"))
        .primary_key(&mut primary_key(&["project_id", "role_id"]))
        .foreign_key(&mut owned_by("role_removals_project", ("role_removals", "project_id"), "projects"))
        .take();
    manager.create_table(table).await
}

struct Role {
    id: &'static str,
    display_name: &'static str,
    description: &'static str,
    permissions: &'static str,
    endpoints: &'static str,
}

const OF_EVERY_PROJECT: [Role; 2] = [
    Role {
        id: "privileged",
        display_name: "Privileged",
        description: "Has every permission, and may call every endpoint.",
        permissions: r#"["*"]"#,
        endpoints: r#"["* /**"]"#,
    },
    Role {
        id: "viewer",
        display_name: "Viewer",
        description: "Reads everything.",
        permissions: r#"["*.read","chat.run"]"#,
        endpoints: r#"["GET /**","HEAD /**"]"#,
    },
];

const OF_THE_SYSTEM_PROJECT: [Role; 4] = [
    Role {
        id: "auditor",
        display_name: "Auditor",
        description: "Reads all resources and the audit trail, and explains decisions.",
        permissions: r#"["*.read","keys.explain"]"#,
        endpoints: "[]",
    },
    Role {
        id: "project-admin",
        display_name: "Project admin",
        description: "Manages the keys, roles and service accounts of its projects.",
        permissions: r#"["audit.read","keys.*","projects.read","projects.update","roles.*","service_accounts.*"]"#,
        endpoints: "[]",
    },
    Role {
        id: "root",
        display_name: "Root",
        description: "May do everything.",
        permissions: r#"["*"]"#,
        endpoints: r#"["* /**"]"#,
    },
    Role {
        id: "verifier",
        display_name: "Verifier",
        description: "Verifies API keys, and does nothing else.",
        permissions: r#"["keys.verify"]"#,
        endpoints: "[]",
    },
];

/// Gives the role to every project that does not have it, or to one only.
async fn insert(manager: &SchemaManager<'_>, role: &Role, only: Option<&str>) -> Result<(), DbErr> {
    let of_project = |column: &'static str| Expr::col(("projects", column));
    let present = Query::select()
        .expr(Expr::val(1))
        .from("roles")
        .and_where(Expr::col(("roles", "project_id")).equals(("projects", "id")))
        .and_where(Expr::col(("roles", "id")).eq(role.id))
        .take();
    let mut rows = Query::select();
    rows.expr(of_project("id"))
        .expr(Expr::val(role.id))
        .expr(Expr::val(role.display_name))
        .expr(Expr::val(role.description))
        .expr(Expr::val(role.permissions))
        .expr(Expr::val(role.endpoints))
        .expr(Expr::val(true))
        .expr(of_project("create_time"))
        .expr(of_project("create_time"))
        .expr(of_project("revision"))
        .from("projects")
        .and_where(Expr::exists(present).not());
    if let Some(project) = only {
        rows.and_where(of_project("id").eq(project));
    }
    let columns = [
        "project_id",
        "id",
        "display_name",
        "description",
        "permissions",
        "endpoints",
        "built_in",
        "create_time",
        "update_time",
        "revision",
    ];
    let insert =
        Query::insert().into_table("roles").columns(columns).select_from(rows).expect("as many").take();
    manager.execute(insert).await
}
