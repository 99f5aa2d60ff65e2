//! The lock that keeps a second server off a SQLite database.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::ports::StoreError;

use super::Location;

/// Held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Claim {
    _file: Option<File>,
}

#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("another server uses the database in {directory}", directory = .directory.display())]
    InUse { directory: PathBuf },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Claim {
    /// Claims a SQLite database for one server; others take any number.
    pub fn take(location: &Location) -> Result<Self, ClaimError> {
        let Location::Sqlite(database) = location else {
            return Ok(Self { _file: None });
        };
        // Behind a link the database is the same.
        let database = database.canonicalize().unwrap_or_else(|_| database.clone());
        let lock = lock_file(&database);
        // A file of its own: to close the database file would end the locks that SQLite holds on it.
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let file = opened.map_err(|why| cannot_write(&lock, &why))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => {
                let directory = database.parent().unwrap_or(Path::new(".")).to_owned();
                Err(ClaimError::InUse { directory })
            }
            Err(TryLockError::Error(why)) => Err(cannot_write(&lock, &why).into()),
        }
    }
}

fn lock_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}

/// The error for a file that cannot be written: permanent until an operator fixes it, or temporary.
pub(super) fn cannot_write(file: &Path, why: &io::Error) -> StoreError {
    let text = format!("{} cannot be written: {why}", file.display());
    match why.kind() {
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory => StoreError::Broken(text),
        _ => StoreError::Unavailable(text),
    }
}
