//! The caller's own API key, which no output shows and whose memory is wiped.

use std::{
    env,
    fmt::{self, Debug, Formatter},
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::HeaderValue;
use zeroize::Zeroizing;

const SCHEME: &[u8] = b"Bearer ";

/// The API key of `projects/system` that a service calls Keystile with.
///
/// `Debug` does not show it, HPACK does not index it, and its memory is wiped once the last clone is dropped.
#[derive(Clone)]
pub struct Credential {
    authorization: HeaderValue,
}

impl Credential {
    /// Takes the API key itself; whitespace around it is ignored.
    pub fn new(api_key: impl Into<String>) -> Result<Self, CredentialError> {
        let api_key = Zeroizing::new(api_key.into());
        let text = api_key.trim();
        if text.is_empty() {
            return Err(CredentialError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::NotAnApiKey);
        }
        // Allocated once: a vector that grows leaves copies behind that are not wiped.
        let mut header = Zeroizing::new(Vec::with_capacity(SCHEME.len() + text.len()));
        header.extend_from_slice(SCHEME);
        header.extend_from_slice(text.as_bytes());
        // The header shares the memory of its owner, which wipes it.
        let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(header))
            .map_err(|_| CredentialError::NotAnApiKey)?;
        authorization.set_sensitive(true);
        Ok(Self { authorization })
    }

    /// Reads it from an environment variable.
    pub fn from_env(name: &str) -> Result<Self, CredentialError> {
        match env::var(name) {
            Ok(api_key) => Self::new(api_key),
            Err(env::VarError::NotPresent) => Err(CredentialError::NotSet(name.to_owned())),
            Err(env::VarError::NotUnicode(_)) => Err(CredentialError::NotAnApiKey),
        }
    }

    /// Reads it from a file, such as a mounted secret; a line end behind it is ignored.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, CredentialError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| CredentialError::Unreadable { path: path.to_owned(), source })?;
        Self::new(text)
    }

    /// The value of the header `authorization`.
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }
}

impl Debug for Credential {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The environment variable is not set.
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    /// The file could not be read.
    #[error("cannot read the credential from {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What reading it failed with.
        source: io::Error,
    },
    /// There is nothing but whitespace.
    #[error("the credential is empty")]
    Empty,
    /// There are characters in it that no API key has.
    #[error("the credential has characters that no API key has")]
    NotAnApiKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_sent_as_a_bearer_token_and_never_printed() {
        let credential = Credential::new(" keystile_live_SECRET\n").unwrap();
        assert_eq!(credential.authorization(), "Bearer keystile_live_SECRET");
        assert!(credential.authorization().is_sensitive());
        let shown = format!("{credential:?} {:?}", credential.authorization());
        assert!(!shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn an_invalid_api_key_is_refused_without_being_printed() {
        assert!(matches!(Credential::new(" \n"), Err(CredentialError::Empty)));
        for text in ["two SECRETs", "SECRET\r\nx-other: 1", "SECRETé"] {
            let error = Credential::new(text).unwrap_err();
            assert!(matches!(error, CredentialError::NotAnApiKey));
            assert!(!format!("{error} {error:?}").contains("SECRET"));
        }
    }

    #[test]
    fn a_missing_source_is_named_in_the_error() {
        let error = Credential::from_env("KEYSTILE_CLIENT_TEST_NOT_SET").unwrap_err();
        assert!(error.to_string().contains("KEYSTILE_CLIENT_TEST_NOT_SET"), "{error}");
        let error = Credential::from_file("/nowhere/credential").unwrap_err();
        assert!(error.to_string().contains("/nowhere/credential"), "{error}");
    }
}
