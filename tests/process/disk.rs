//! Disks that fail while the test wants it: a small one that is really full, and one whose I/O fails.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::home::Home;

/// A directory for a database, and a way to make it fail for a while.
#[derive(Debug)]
pub(crate) enum Disk {
    /// A file system of its own, of a few MiB.
    Small(Mount),
    Faulty(FaultyIo),
}

impl Disk {
    /// A disk that can be full: a small file system, or a simulated one where mounting is not permitted.
    pub(crate) fn small() -> Self {
        match Mount::new() {
            Ok(mount) => Self::Small(mount),
            Err(why) => {
                println!("cannot mount a file system, so a full one is simulated: {why}");
                Self::Faulty(FaultyIo::new('f'))
            }
        }
    }

    /// A disk on which the operations of `letter` fail; see `faulty_io.c`.
    pub(crate) fn faulty(letter: char) -> Self {
        Self::Faulty(FaultyIo::new(letter))
    }

    /// The embedded database on this disk.
    pub(crate) fn home(&self) -> Home {
        match self {
            Self::Small(mount) => {
                let data = mount.path().join("data");
                Home::embedded().with("KEYSTILE_DATA_DIR", data.to_str().unwrap())
            }
            Self::Faulty(faulty) => Home::embedded()
                .with("LD_PRELOAD", faulty.library.to_str().unwrap())
                .with("FAULTY_IO", faulty.order.to_str().unwrap()),
        }
    }

    pub(crate) fn fail(&self) {
        match self {
            Self::Small(mount) => fill(&mount.path().join("filler")),
            Self::Faulty(faulty) => fs::write(&faulty.order, faulty.letter.to_string()).unwrap(),
        }
    }

    pub(crate) fn heal(&self) {
        match self {
            Self::Small(mount) => fs::remove_file(mount.path().join("filler")).unwrap(),
            Self::Faulty(faulty) => fs::remove_file(&faulty.order).unwrap(),
        }
    }
}

fn fill(filler: &Path) {
    let mut filler = File::create(filler).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
}

/// A file system in memory; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mount(TempDir);

impl Mount {
    fn new() -> Result<Self, String> {
        let directory = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m,mode=700", "keystile-test"])
            .arg(directory.path())
            .output()
            .map_err(|why| why.to_string())?;
        if !mounted.status.success() {
            return Err(String::from_utf8_lossy(&mounted.stderr).into_owned());
        }
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, because a process of a failed test may still use it for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// A library that is preloaded into a process, to intercept its I/O.
#[derive(Debug)]
pub(crate) struct FaultyIo {
    _directory: TempDir,
    library: PathBuf,
    order: PathBuf,
    letter: char,
}

impl FaultyIo {
    fn new(letter: char) -> Self {
        let directory = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/faulty_io.c");
        let library = directory.path().join("faulty_io.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .expect("a C compiler is installed");
        assert!(compiled.status.success(), "{compiled:?}");
        Self { order: directory.path().join("order"), library, letter, _directory: directory }
    }
}
