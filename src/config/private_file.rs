//! Files that only their owner may open, or a group chosen by root.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The system refused.
    #[error("{path} cannot be {action}: {source}", path = .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Its mode lets others in.
    #[error("{path} may be opened by others (mode {mode:03o}): run `chmod 600 {path}`", path = .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Creates a directory that only its owner may enter, parents included; an existing one stays as it is.
pub fn create_private_dir(path: &Path) -> Result<(), PrivateFileError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|source| io_error(path, "created", source))
}

/// Reads a file, after refusing one that others may open.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, PrivateFileError> {
    let mut file = File::open(path).map_err(|source| io_error(path, "opened", source))?;
    // The mode of the open file: its name may lead to another file by now.
    check_mode(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(|source| io_error(path, "read", source))?;
    Ok(text)
}

/// Refuses a file that others may open.
pub(super) fn check(path: &Path) -> Result<(), PrivateFileError> {
    let file = File::open(path).map_err(|source| io_error(path, "opened", source))?;
    check_mode(path, &file)
}

/// Creates a file whole or not at all, on disk before this returns. `false` when it exists already; then it is untouched.
/// `draft` is a free name in the same directory.
pub(super) fn create(path: &Path, draft: &Path, text: &str) -> Result<bool, PrivateFileError> {
    let written = write(draft, text).map_err(|source| io_error(draft, "written", source));
    // A link, unlike a rename, never replaces what another process put there meanwhile.
    let linked = written.and_then(|()| match std::fs::hard_link(draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(io_error(path, "created", source)),
    });
    let removed = std::fs::remove_file(draft).map_err(|source| io_error(draft, "removed", source));
    let created = linked?;
    removed?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| io_error(directory, "synced", source))?;
    Ok(created)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn check_mode(path: &Path, file: &File) -> Result<(), PrivateFileError> {
    let metadata = file.metadata().map_err(|source| io_error(path, "read", source))?;
    let mode = metadata.permissions().mode() & 0o777;
    if is_private(mode, metadata.uid()) {
        Ok(())
    } else {
        Err(PrivateFileError::Exposed { path: path.to_owned(), mode })
    }
}

/// A file of root may be readable by its group: that is the only way for a Kubernetes secret to reach a process that does not run
/// as root.
fn is_private(mode: u32, owner: u32) -> bool {
    let for_others = if owner == 0 { 0o037 } else { 0o077 };
    mode & for_others == 0
}

fn io_error(path: &Path, action: &'static str, source: io::Error) -> PrivateFileError {
    PrivateFileError::Io { path: path.to_owned(), action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_of_root_may_be_readable_by_its_group() {
        for owner in [0, 1000] {
            assert!(is_private(0o600, owner) && is_private(0o400, owner));
            for mode in [0o644, 0o604, 0o660, 0o620, 0o650, 0o441] {
                assert!(!is_private(mode, owner), "{mode:o} of {owner}");
            }
        }
        assert!(is_private(0o440, 0) && is_private(0o640, 0));
        assert!(!is_private(0o440, 1000) && !is_private(0o640, 1000));
    }
}
