//! Child processes whose output is read while they run, and that never outlive the test.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    thread,
};

use tokio::{sync::watch, time::timeout};

use crate::PATIENCE;

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// How a process ended, and all of its output.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// What was read from a pipe so far; the sender is dropped once the pipe is closed.
type Output = watch::Receiver<String>;

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the process starts");
        let stdout = follow(child.stdout.take().expect("the stream is piped"));
        let stderr = follow(child.stderr.take().expect("the stream is piped"));
        Self { child, stdout, stderr }
    }

    /// Waits for a line with `text` on stderr, and returns the first such line.
    pub async fn wait_for_line(&self, text: &str) -> String {
        self.wait_for(&self.stderr, text, |all| {
            let mut lines = complete(all);
            lines.find(|line| line.contains(text)).map(str::to_owned)
        })
        .await
    }

    /// Waits for `text` on stdout, and returns all of it so far.
    pub async fn prints(&self, text: &str) -> String {
        self.wait_for(&self.stdout, text, |all| all.contains(text).then(|| all.to_owned())).await
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.borrow().clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("there is a kill");
        assert!(sent.success(), "no process {pid} to send {name} to");
    }

    /// SIGKILL: the process cannot react.
    pub async fn kill(mut self) -> Ended {
        self.child.kill().expect("the child can be waited for");
        self.ended().await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(mut self) -> Ended {
        let stdout = self.rest(&self.stdout).await;
        let stderr = self.rest(&self.stderr).await;
        // Both pipes are closed, so the end is near.
        let status = self.child.wait().expect("the child can be waited for");
        Ended { code: status.code(), signal: status.signal(), stdout, stderr }
    }

    async fn rest(&self, output: &Output) -> String {
        let mut output = output.clone();
        let closed = timeout(PATIENCE, async { while output.changed().await.is_ok() {} });
        if closed.await.is_err() {
            panic!("the process does not end; {}", self.said());
        }
        output.borrow().clone()
    }

    async fn wait_for<T>(&self, output: &Output, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut output = output.clone();
        let mut found = None;
        let waited = timeout(
            PATIENCE,
            output.wait_for(|all| {
                found = find(all);
                found.is_some()
            }),
        );
        let why = match waited.await {
            Ok(Ok(_)) => "",
            Ok(Err(_)) => "the process ended without",
            Err(_) => "the process does not write",
        };
        found.unwrap_or_else(|| panic!("{why} {what:?}; {}", self.said()))
    }

    fn said(&self) -> String {
        let (stdout, stderr) = (self.stdout.borrow(), self.stderr.borrow());
        format!("stdout:\n{}\nstderr:\n{}", *stdout, *stderr)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Checks the exit code.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Checks that `text` is on stderr.
    #[track_caller]
    pub fn with_stderr(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is missing in {self:#?}");
        self
    }
}

/// The lines that are complete.
fn complete(all: &str) -> impl Iterator<Item = &str> {
    all.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'))
}

fn follow(pipe: impl Read + Send + 'static) -> Output {
    let (sender, receiver) = watch::channel(String::new());
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            sender.send_modify(|all| all.push_str(&text));
            line.clear();
        }
    });
    receiver
}
