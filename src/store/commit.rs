//! One change, whole or not at all, in its place in the one order of changes.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::{
    domain::audit::Head,
    ports::{
        StoreError,
        store::{Commit, CommitError, Existing},
    },
};

use super::{
    SqlStore, changes, error, expect,
    rows::{audit_events, change_head, requests},
    session::Attempts,
    wakeups,
};

pub(super) async fn commit(store: &SqlStore, commit: &Commit) -> Result<Vec<Head>, CommitError> {
    let mut attempts = Attempts::new();
    loop {
        match attempt(store, commit).await {
            Err(Stop::Database(error)) if attempts.again(&error) => {}
            other => return Ok(other?),
        }
    }
}

/// Why a change was not made.
pub(super) enum Stop {
    Refused(CommitError),
    Database(DbErr),
}

impl Stop {
    pub(super) fn exists(existing: Existing) -> Self {
        Self::Refused(CommitError::Exists(existing))
    }
}

impl From<DbErr> for Stop {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Stop> for CommitError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(error) => error,
            Stop::Database(error) => error::failed(error).into(),
        }
    }
}

/// Inserts a row; one that is there already is `existing`.
pub(super) async fn insert<A>(tx: &DatabaseTransaction, row: A, existing: Existing) -> Result<(), Stop>
where
    A: ActiveModelTrait,
{
    match <A::Entity as EntityTrait>::insert(row).exec_without_returning(tx).await {
        Err(error) if error::kind(&error) == error::Kind::Duplicate => Err(Stop::exists(existing)),
        other => Ok(other.map(drop)?),
    }
}

async fn attempt(store: &SqlStore, commit: &Commit) -> Result<Vec<Head>, Stop> {
    let writing = store.write().await?;
    match change(&writing.tx, commit).await {
        Ok(events) if !commit.validate_only => {
            // Whatever stops it here, whether it was made is not known.
            let unknown = |error| Stop::Refused(CommitError::OutcomeUnknown(error::tell(&error)));
            writing.commit().await.map_err(unknown)?;
            Ok(events)
        }
        outcome => {
            writing.undo().await;
            outcome
        }
    }
}

async fn change(tx: &DatabaseTransaction, commit: &Commit) -> Result<Vec<Head>, Stop> {
    let mut head = lock_head(tx).await?;
    // First of all, so that a request that is repeated while it runs is known for what it is.
    if let Some(request) = &commit.remember {
        let row = requests::Model::from(request).into_active_model();
        insert(tx, row, Existing::Request).await?;
    }
    for expected in &commit.expect {
        expect::check(tx, expected).await?;
    }
    let mut events = Vec::with_capacity(commit.steps.len());
    for step in &commit.steps {
        let event = head.next(&step.change);
        for write in &step.writes {
            changes::apply(tx, write, event.revision).await?;
        }
        head = event.head();
        audit_events::Entity::insert(audit_events::Model::from(event).into_active_model())
            .exec_without_returning(tx)
            .await?;
        events.push(head);
    }
    move_head(tx, head).await?;
    wakeups::announce(tx, head.revision).await?;
    Ok(events)
}

/// Changes wait for each other here, before they read or write anything else: none can overtake
/// another, nor stand in its way.
async fn lock_head(tx: &DatabaseTransaction) -> Result<Head, Stop> {
    let row = change_head::Entity::find_by_id(change_head::ONLY).lock_exclusive().one(tx).await?;
    let row = row.ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?;
    Ok(row.try_into()?)
}

async fn move_head(tx: &DatabaseTransaction, head: Head) -> Result<(), DbErr> {
    let row =
        change_head::ActiveModel { id: NotSet, revision: Set(head.revision), hash: Set(head.hash.into()) };
    change_head::Entity::update_many()
        .set(row)
        .filter(change_head::Column::Id.eq(change_head::ONLY))
        .exec(tx)
        .await
        .map(drop)
}
