//! The pepper file that is generated for the embedded database.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::pepper::{Pepper, PepperError, parse_peppers};
use super::private_file::{self, PrivateFileError, create_private_dir};

/// The peppers of a file, which is created with one new pepper when it does not exist. `random` fills a slice from the
/// operating system's random source.
pub fn load_or_generate(
    path: &Path,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<Pepper>, PepperFileError> {
    // Only a missing file may lead to a new pepper, because that makes every existing API key invalid.
    if !path.try_exists().map_err(|source| unreadable(path, source))? {
        generate(path, random)?;
    }
    load(path)
}

/// Why the peppers of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PepperFileError {
    /// The file cannot be read or created, or others may open it.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// Its text is wrong.
    #[error("{path} {source}", path = .path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PepperError,
    },
}

pub(super) fn load(path: &Path) -> Result<Vec<Pepper>, PepperFileError> {
    let text = private_file::read(path)?;
    parse_peppers(&text).map_err(|source| PepperFileError::Text { path: path.to_owned(), source })
}

fn generate(path: &Path, random: &mut dyn FnMut(&mut [u8])) -> Result<(), PrivateFileError> {
    if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_private_dir(directory)?;
    }
    let mut secret = Zeroizing::new([0; 32]);
    random(&mut *secret);
    // A name that no crash of an earlier start has left behind.
    let mut suffix = [0; 8];
    random(&mut suffix);
    let draft = path.with_added_extension(format!("{:016x}", u64::from_be_bytes(suffix)));
    let encoded = Zeroizing::new(STANDARD.encode(*secret));
    // If another process was first, its file stays, and this pepper is discarded unused.
    private_file::create(path, &draft, &Zeroizing::new(format!("1:{}\n", *encoded)))?;
    Ok(())
}

fn unreadable(path: &Path, source: std::io::Error) -> PrivateFileError {
    PrivateFileError::Io { path: path.to_owned(), action: "opened", source }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("metadata").permissions().mode() & 0o777
    }

    /// Fills with 1, then 2, and so on.
    fn counting() -> impl FnMut(&mut [u8]) {
        let mut count = 0;
        move |slice| {
            count += 1;
            slice.fill(count);
        }
    }

    #[test]
    fn a_private_file_is_created_once() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("new/data/peppers");
        let made = load_or_generate(&path, &mut counting()).expect("peppers");
        assert_eq!(made, [Pepper { version: 1, secret: Zeroizing::new(vec![1; 32]) }]);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&root.path().join("new/data")), 0o700);
        assert_eq!(
            fs::read_dir(root.path().join("new/data")).expect("entries").count(),
            1,
            "the draft is gone"
        );

        let again = load_or_generate(&path, &mut |_| panic!("no new pepper")).expect("peppers");
        assert_eq!(again, made);
    }

    #[test]
    fn processes_that_start_together_agree() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("peppers");
        let start =
            |seed: u8| load_or_generate(&path, &mut |slice: &mut [u8]| slice.fill(seed)).expect("peppers");
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=16).map(|seed| scope.spawn(move || start(seed))).collect();
            threads.into_iter().map(|thread| thread.join().expect("joined")).collect::<Vec<_>>()
        });
        assert!(all.iter().all(|peppers| *peppers == all[0]));
        assert_eq!(fs::read_dir(root.path()).expect("entries").count(), 1);
    }

    #[test]
    fn an_unusable_file_is_refused_and_not_changed() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("peppers");
        fs::write(&path, "1:hush").expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("mode");
        let fault =
            load_or_generate(&path, &mut |_| panic!("no new pepper")).expect_err("exposed").to_string();
        assert_eq!(
            fault,
            format!("{0} may be opened by others (mode 644): run `chmod 600 {0}`", path.display())
        );

        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("mode");
        let fault =
            load_or_generate(&path, &mut |_| panic!("no new pepper")).expect_err("malformed").to_string();
        assert!(fault.contains("peppers entry 1 ") && !fault.contains("hush"), "{fault}");
        assert_eq!(fs::read_to_string(&path).expect("text"), "1:hush");
    }

    #[test]
    fn an_inaccessible_path_creates_no_pepper() {
        let root = tempfile::tempdir().expect("a directory");
        fs::write(root.path().join("file"), "").expect("written");
        let path = root.path().join("file/peppers");
        let fault =
            load_or_generate(&path, &mut |_| panic!("no new pepper")).expect_err("a fault").to_string();
        assert!(fault.starts_with(&format!("{} cannot be opened: ", path.display())), "{fault}");
    }
}
