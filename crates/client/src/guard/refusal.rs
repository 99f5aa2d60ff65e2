//! The response to a request that is not admitted, over HTTP and over gRPC.

use std::time::Duration;

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{decision::Denial, error::Error};

/// An answer in place of the guarded service's.
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
}

/// The delay of a retry after a failure of unknown length.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

impl Refusal {
    pub(super) fn no_api_key() -> Self {
        Self::unauthenticated("an API key is required", "Bearer")
    }

    pub(super) fn several_api_keys() -> Self {
        Self::unauthenticated("the request has more than one API key", r#"Bearer error="invalid_request""#)
    }

    pub(super) fn denied(denial: &Denial) -> Self {
        let status = denial.http_status;
        Self {
            status,
            message: denial.message.clone(),
            challenge: (status == StatusCode::UNAUTHORIZED).then_some(r#"Bearer error="invalid_token""#),
            retry_after: denial.retry_after,
        }
    }

    /// Why stays between us and the operator.
    pub(super) fn undecided(error: &Error) -> Self {
        if error.concerns_the_request() {
            return Self {
                status: StatusCode::BAD_REQUEST,
                message: "the API key cannot be verified: a value of the request is not valid".to_owned(),
                challenge: None,
                retry_after: None,
            };
        }
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: "API keys cannot be verified at the moment".to_owned(),
            challenge: None,
            retry_after: Some(error.retry_after().unwrap_or(AFTER_A_FAILURE)),
        }
    }

    fn unauthenticated(message: &str, challenge: &'static str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            message: message.to_owned(),
            challenge: Some(challenge),
            retry_after: None,
        }
    }

    pub(super) fn into_response<B: Default>(self, grpc: bool) -> Response<B> {
        if grpc { self.into_grpc() } else { self.into_http() }
    }

    fn into_http<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response
    }

    /// A response of headers only: a body without messages has nothing to put trailers behind.
    fn into_grpc<B: Default>(self) -> Response<B> {
        let code = match self.status {
            StatusCode::BAD_REQUEST => Code::InvalidArgument,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::PermissionDenied,
        };
        let status = match self.retry_after {
            Some(wait) => {
                Status::with_error_details(code, self.message, ErrorDetails::with_retry_info(Some(wait)))
            }
            None => Status::new(code, self.message),
        };
        status.into_http()
    }
}

/// A whole number of seconds that is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Whether a request speaks gRPC; gRPC-Web is HTTP to us, as it is to proxies.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = content_type.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up() {
        let rounded = [0, 1, 999, 1_000, 1_001].map(|millis| whole_seconds(Duration::from_millis(millis)));
        assert_eq!(rounded, [0, 1, 1, 1, 2]);
    }

    #[test]
    fn only_grpc_content_types_count_as_grpc() {
        for (content_type, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web+proto", false),
            ("application/json", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(is_grpc(&headers), grpc, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
