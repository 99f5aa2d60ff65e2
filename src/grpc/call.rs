//! Who calls, and how the request is to be taken.

use std::sync::Arc;

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Request;

use super::connection::Peer;
use crate::{
    domain::{Invalid, audit::Actor},
    service::{Call, Error, FieldFault, Repeatable, Session},
};

/// A plain change.
pub(super) fn call<T>(request: &Request<T>) -> Call {
    let session = request
        .extensions()
        .get::<Arc<Session>>()
        .expect("every call but health and reflection is authenticated");
    Call {
        actor: Actor::Caller { service_account: session.service_account().clone(), key: session.key() },
        peer: peer(request),
        repeatable: None,
        validate_only: false,
    }
}

fn peer<T>(request: &Request<T>) -> String {
    let address = request.extensions().get::<Peer>().and_then(|peer| peer.address);
    address.map(|address| address.ip().to_canonical().to_string()).unwrap_or_default()
}

/// A change that can be tried without making it.
pub(super) fn trial<T>(request: &Request<T>, validate_only: bool) -> Call {
    Call { validate_only, ..call(request) }
}

/// A change that may be sent again safely when `request_id` is set.
pub(super) fn repeatable<T: Message>(
    request: &Request<T>,
    request_id: &str,
    validate_only: bool,
) -> Result<Call, Error> {
    if request_id.len() > 64 || !request_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = Invalid::new("must be at most 64 printable ASCII characters without spaces");
        return Err(Error::Invalid(vec![FieldFault::new("request_id", &why)]));
    }
    let remember = !request_id.is_empty() && !validate_only;
    let repeatable = remember.then(|| Repeatable {
        request_id: request_id.to_owned(),
        fingerprint: Sha256::digest(request.get_ref().encode_to_vec()).into(),
    });
    Ok(Call { repeatable, ..trial(request, validate_only) })
}
