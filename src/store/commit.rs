//! One change, whole or not at all, in its place in the one order of changes.

use async_trait::async_trait;
use domain::audit::Head;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};

use crate::ports::{
    Commits, StoreError,
    commits::{Commit, CommitError, Remembered, RequestDigest},
};

use super::{
    SqlStore, error, expect,
    log::{self, head, row as audit_events},
    requests,
    table::{self, ChangeError, InChange},
    transaction::{Transaction, Uncommitted},
    wakeups, writes,
    writing::Attempts,
};

#[async_trait]
impl Commits for SqlStore {
    async fn commit(&self, commit: Commit) -> Result<Vec<Head>, CommitError> {
        let mut attempts = Attempts::new();
        loop {
            match attempt(self, &commit).await {
                Err(ChangeError::Database(error)) if attempts.again(&error) => {}
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn remembered(&self, id: &RequestDigest) -> Result<Option<Remembered>, StoreError> {
        let read = self.admin.begin().await?;
        let answer = read.within(requests::find(&read, id)).await;
        read.done(answer)
    }
}

async fn attempt(store: &SqlStore, commit: &Commit) -> Result<Vec<Head>, ChangeError> {
    let writing = store.write(store.turns.change().await?).await?;
    let events = match change(&writing.tx, commit).await {
        Ok(events) => events,
        Err(error) => {
            writing.undo().await;
            return Err(error);
        }
    };
    if commit.validate_only {
        writing.undo().await;
        return Ok(events);
    }
    let committed = writing.commit().await;
    // Without a step it only remembers a request.
    let Some(last) = events.last().copied() else {
        return committed.map(|()| events).map_err(|error| ChangeError::Database(error.into()));
    };
    if let Err(error) = committed {
        is_made_all_the_same(store, last, error).await?;
    }
    Ok(events)
}

/// What became of the change `made`, which the database did not confirm.
async fn is_made_all_the_same(store: &SqlStore, made: Head, error: Uncommitted) -> Result<(), ChangeError> {
    let unknown = |error: &DbErr| ChangeError::from(CommitError::OutcomeUnknown(error::describe(error)));
    match error {
        Uncommitted::Unknown(error) => Err(unknown(&error)),
        // It is over, so reading once settles it.
        Uncommitted::Undone(error) => match is_there(store, made).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ChangeError::Database(error)),
            Err(_) => Err(unknown(&error)),
        },
    }
}

/// In a transaction, as those are not waited for without end.
async fn is_there(store: &SqlStore, made: Head) -> Result<bool, DbErr> {
    let tx = store.begin().await?;
    let found = log::contains(&tx, made).await;
    tx.undo().await;
    found
}

async fn change(tx: &Transaction, commit: &Commit) -> Result<Vec<Head>, ChangeError> {
    let mut head = lock_head(tx).await?;
    if commit.condition.as_ref().is_some_and(|condition| !condition.holds()) {
        return Err(CommitError::Conflict.into());
    }
    // First of all, so that a request that is repeated while it runs is known for what it is.
    if let Some(request) = &commit.remember {
        let row = requests::row::Model::from(request).into_active_model();
        table::insert_or(tx, row, CommitError::Repeated).await?;
    }
    for expected in &commit.expect {
        expect::check(tx, expected).await?;
    }
    let mut events = Vec::with_capacity(commit.steps.len());
    for step in &commit.steps {
        let event = head.next(&step.change);
        let in_change = InChange { revision: event.revision, time: event.time };
        for write in &step.writes {
            writes::apply(tx, write, in_change).await?;
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
/// another or conflict with it.
async fn lock_head(tx: &Transaction) -> Result<Head, ChangeError> {
    let row = head::Entity::find_by_id(head::ONLY).lock_exclusive().one(tx).await?;
    let row = row.ok_or_else(|| StoreError::Broken("the head of the change log is missing".into()))?;
    Ok(row.try_into()?)
}

async fn move_head(tx: &Transaction, head: Head) -> Result<(), DbErr> {
    let row = head::ActiveModel { id: NotSet, revision: Set(head.revision), hash: Set(head.hash.into()) };
    head::Entity::update_many().set(row).filter(head::Column::Id.eq(head::ONLY)).exec(tx).await.map(drop)
}
