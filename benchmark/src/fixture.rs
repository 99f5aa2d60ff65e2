//! A server with keys in it.

use proto::VerifyResponse;

use crate::{Fallible, admin::Admin, database::Database, keys::Keys, population, server::Server};

pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) admin: Admin,
    /// The API key of a key that was created over the API, and its response.
    pub(crate) api_key: String,
    pub(crate) answer: VerifyResponse,
    /// The keys that were loaded.
    pub(crate) keys: Keys,
    pub(crate) database: Database,
}

impl Fixture {
    /// `stored` keys in a database, and a server on it that has none of them cached.
    pub(crate) async fn new(
        database: Database,
        stored: u64,
        settings: &[(&'static str, String)],
    ) -> Fallible<Self> {
        Self::holding(database, stored, settings, &[]).await
    }

    /// As [`Self::new`], with keys that hold these roles, which are created.
    pub(crate) async fn holding(
        database: Database,
        stored: u64,
        settings: &[(&'static str, String)],
        roles: &[&str],
    ) -> Fallible<Self> {
        let server = on(&database, settings)?;
        let admin = Admin::of(&server).await?;
        admin.create_project().await?;
        for role in roles {
            let permissions = vec!["documents.read".to_owned(), "documents.write".to_owned()];
            admin.create_role(role, permissions, vec!["GET /v1/**".to_owned()]).await?;
        }
        let api_key = admin.create_key(0, roles).await?;
        let answer = admin.verify(&api_key).await?;
        population::load(&database, &api_key, 0..stored).await?;
        Ok(Self { server, admin, keys: Keys::like(&api_key), api_key, answer, database })
    }

    pub(crate) async fn on_sqlite(stored: u64) -> Fallible<Self> {
        Self::new(Database::sqlite()?, stored, &[]).await
    }
}

/// One more server on `database`.
pub(crate) fn on(database: &Database, settings: &[(&'static str, String)]) -> Fallible<Server> {
    let mut all = vec![("KEYSTILE_DATABASE_URL", database.url.clone())];
    all.extend_from_slice(settings);
    Server::ours(&all)
}
