//! Write transactions, which take turns where the database has one writer.

use sea_orm::DbErr;

use super::{
    SqlStore, error,
    transaction::{Transaction, Uncommitted},
    turns::Turn,
};

/// How often a transaction is tried that the database breaks off in favour of another.
pub(super) struct Attempts {
    left: u32,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { left: 3 }
    }

    /// Whether to try again after `error`, which is known to have left nothing behind.
    pub(super) fn again(&mut self, error: &DbErr) -> bool {
        let again = self.left > 0 && error::kind(error) == error::Kind::Contended;
        self.left -= u32::from(again);
        again
    }
}

/// Fields are dropped in this order: the turn ends after the transaction.
pub(super) struct Writing {
    pub tx: Transaction,
    _turn: Turn,
}

impl SqlStore {
    /// Begins a transaction that is going to write. Every transaction that writes begins here.
    pub(super) async fn write(&self, turn: Turn) -> Result<Writing, DbErr> {
        Ok(Writing { tx: self.begin().await?, _turn: turn })
    }

    /// Begins a transaction without a turn, which must not write.
    pub(super) async fn begin(&self) -> Result<Transaction, DbErr> {
        Transaction::begin(&self.db, self.observer.clone(), self.options.vanished_after).await
    }
}

impl Writing {
    pub(super) async fn commit(self) -> Result<(), Uncommitted> {
        let Self { tx, _turn } = self;
        tx.commit().await
    }

    /// Undoes everything before the next writer's turn.
    pub(super) async fn undo(self) {
        let Self { tx, _turn } = self;
        tx.undo().await;
    }
}
