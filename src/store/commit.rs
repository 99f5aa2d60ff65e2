//! One change, whole or not at all, in its place in the one order of changes.

use domain::audit::Head;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::ports::{
    StoreError,
    store::{Commit, CommitError, Existing},
};

use super::{
    SqlStore, changes, error, events, expect,
    rows::{audit_events, change_head, requests},
    session::Attempts,
    transaction::{Transaction, Uncommitted},
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
pub(super) async fn insert<A>(tx: &Transaction, row: A, existing: Existing) -> Result<(), Stop>
where
    A: ActiveModelTrait,
{
    match <A::Entity as EntityTrait>::insert(row).exec_without_returning(tx).await {
        Err(error) if error::kind(&error) == error::Kind::Duplicate => Err(Stop::exists(existing)),
        other => Ok(other.map(drop)?),
    }
}

async fn attempt(store: &SqlStore, commit: &Commit) -> Result<Vec<Head>, Stop> {
    let writing = store.write(store.turns.change().await?).await?;
    let events = match change(&writing.tx, commit).await {
        Ok(events) => events,
        Err(stop) => {
            writing.undo().await;
            return Err(stop);
        }
    };
    if commit.validate_only {
        writing.undo().await;
        return Ok(events);
    }
    let committed = writing.commit().await;
    // Without a step it only remembers a request.
    let Some(last) = events.last().copied() else {
        return committed.map(|()| events).map_err(|error| Stop::Database(error.into()));
    };
    if let Err(error) = committed {
        is_made_all_the_same(store, last, error).await?;
    }
    Ok(events)
}

/// What became of the change `made`, which the database did not confirm.
async fn is_made_all_the_same(store: &SqlStore, made: Head, error: Uncommitted) -> Result<(), Stop> {
    let unknown = |error: &DbErr| Stop::Refused(CommitError::OutcomeUnknown(error::tell(error)));
    match error {
        Uncommitted::Unknown(error) => Err(unknown(&error)),
        // It is over, so reading once settles it.
        Uncommitted::Undone(error) => match is_there(store, made).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Stop::Database(error)),
            Err(_) => Err(unknown(&error)),
        },
    }
}

/// In a transaction, as those are not waited for without end.
async fn is_there(store: &SqlStore, made: Head) -> Result<bool, DbErr> {
    let tx = store.begin().await?;
    let found = events::contains(&tx, made).await;
    tx.undo().await;
    found
}

async fn change(tx: &Transaction, commit: &Commit) -> Result<Vec<Head>, Stop> {
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
    if !events.is_empty() {
        move_head(tx, head).await?;
        wakeups::announce(tx, head.revision).await?;
    }
    Ok(events)
}

/// Changes wait for each other here, before they read or write anything else: none can overtake
/// another, nor stand in its way.
async fn lock_head(tx: &Transaction) -> Result<Head, Stop> {
    let row = change_head::Entity::find_by_id(change_head::ONLY).lock_exclusive().one(tx).await?;
    let row = row.ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?;
    Ok(row.try_into()?)
}

async fn move_head(tx: &Transaction, head: Head) -> Result<(), DbErr> {
    let row =
        change_head::ActiveModel { id: NotSet, revision: Set(head.revision), hash: Set(head.hash.into()) };
    change_head::Entity::update_many()
        .set(row)
        .filter(change_head::Column::Id.eq(change_head::ONLY))
        .exec(tx)
        .await
        .map(drop)
}
