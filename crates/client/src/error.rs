//! Why there is no decision.

use std::{
    error::Error as StdError,
    fmt::{self, Display, Formatter},
    sync::Arc,
    time::Duration,
};

use proto::VerifyError;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

/// Why there is no decision. It says nothing about the API key: do not admit the request, and answer 503.
#[derive(Debug, Clone)]
pub struct Error(Arc<Failure>);

#[derive(Debug)]
struct Failure {
    kind: ErrorKind,
    reason: String,
    message: String,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    source: Option<Status>,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Keystile refused the caller's own credential: it is wrong, revoked, or may not verify.
    CredentialRefused,
    /// There was no answer within the deadline.
    DeadlineExceeded,
    /// Keystile cannot be reached, or cannot decide at the moment. A retry may help.
    Unavailable,
    /// Keystile refused the question. A retry will not help; [`Error::reason`] and [`Error::violations`] say why.
    Refused,
    /// A fault inside Keystile, or an answer that makes no sense.
    Fault,
}

/// A field of the question that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The field's name in the contract, such as `customer`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    /// An error of the kind [`ErrorKind::Unavailable`], for what answers in a client's place in a test.
    pub fn unavailable(message: &str) -> Self {
        Self::without_status(ErrorKind::Unavailable, message)
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The `google.rpc.ErrorInfo` reason that the server gave, such as `STORE_UNAVAILABLE`; the contract's
    /// `error_reason.proto` lists them.
    pub fn reason(&self) -> Option<&str> {
        Some(self.0.reason.as_str()).filter(|reason| !reason.is_empty())
    }

    /// The fields of the question that are wrong.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// When a retry may pass, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The question may pass if it is asked again. That is safe: a verification changes nothing.
    pub(crate) fn is_transient(&self) -> bool {
        self.kind() == ErrorKind::Unavailable
    }

    /// The node did not answer, or turned the call away: another node may answer.
    pub(crate) fn concerns_the_node(&self) -> bool {
        match self.kind() {
            ErrorKind::DeadlineExceeded => self.is_silence(),
            ErrorKind::Unavailable => {
                matches!(self.reason(), None | Some("OVERLOADED" | "STOPPING" | "TOO_MANY_CONNECTIONS"))
            }
            _ => false,
        }
    }

    /// No answer came, not even that the server took too long.
    pub(crate) fn is_silence(&self) -> bool {
        self.kind() == ErrorKind::DeadlineExceeded && self.reason().is_none()
    }

    /// A value that came with the request is not valid, such as the customer; not one that the service itself sets.
    pub(crate) fn concerns_the_request(&self) -> bool {
        let of_the_service = |it: &Violation| matches!(it.field.as_str(), "environment" | "min_revision");
        self.kind() == ErrorKind::Refused
            && self.reason() == Some("INVALID_ARGUMENT")
            && !self.violations().iter().any(of_the_service)
    }

    /// A question that is refused before it is sent, as the server would refuse it.
    pub(crate) fn invalid(field: &str, description: &str) -> Self {
        let violation = Violation { field: field.to_owned(), description: description.to_owned() };
        Self(Arc::new(Failure {
            kind: ErrorKind::Refused,
            reason: "INVALID_ARGUMENT".to_owned(),
            message: format!("{field} {description}").trim_start().to_owned(),
            violations: if field.is_empty() { Vec::new() } else { vec![violation] },
            retry_after: None,
            source: None,
        }))
    }

    pub(crate) fn deadline() -> Self {
        Self::without_status(ErrorKind::DeadlineExceeded, "no answer came within the deadline")
    }

    pub(crate) fn fault(message: &str) -> Self {
        Self::without_status(ErrorKind::Fault, message)
    }

    fn without_status(kind: ErrorKind, message: &str) -> Self {
        Self(Arc::new(Failure {
            kind,
            reason: String::new(),
            message: message.to_owned(),
            violations: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let violations = details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default();
        Self(Arc::new(Failure {
            kind: kind_of_status(&status),
            reason: details.error_info().map(|it| it.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            violations: violations
                .iter()
                .map(|it| Violation { field: it.field.clone(), description: it.description.clone() })
                .collect(),
            retry_after: details.retry_info().and_then(|it| it.retry_delay),
            source: Some(status),
        }))
    }
}

/// Of one question among several.
impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        Self(Arc::new(Failure {
            kind: kind_of_code(Code::from(error.status_code)),
            reason: error.reason,
            message: error.message,
            violations: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }
}

fn kind_of_status(status: &Status) -> ErrorKind {
    let mut source = status.source();
    // A status that came over the wire has no source: this one was made here, from what the connection said. Its code
    // depends on the features that tonic is compiled with.
    if source.is_some() {
        while let Some(error) = source {
            if error.is::<TimeoutExpired>() {
                return ErrorKind::DeadlineExceeded;
            }
            source = error.source();
        }
        return ErrorKind::Unavailable;
    }
    kind_of_code(status.code())
}

fn kind_of_code(code: Code) -> ErrorKind {
    match code {
        Code::Unauthenticated | Code::PermissionDenied => ErrorKind::CredentialRefused,
        Code::DeadlineExceeded => ErrorKind::DeadlineExceeded,
        Code::Unavailable | Code::Cancelled => ErrorKind::Unavailable,
        Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::ResourceExhausted
        | Code::NotFound
        | Code::Unimplemented => ErrorKind::Refused,
        _ => ErrorKind::Fault,
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            ErrorKind::CredentialRefused => "Keystile refused the caller's own credential",
            ErrorKind::DeadlineExceeded => "Keystile did not answer in time",
            ErrorKind::Unavailable => "Keystile is unavailable",
            ErrorKind::Refused => "Keystile refused the question",
            ErrorKind::Fault => "Keystile failed",
        })?;
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        if let Some(reason) = self.reason() {
            write!(f, " ({reason})")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|status| status as _)
    }
}
