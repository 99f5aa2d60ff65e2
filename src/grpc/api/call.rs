//! The caller of a request, and whether the request is a repeat or a trial.

use domain::Invalid;
use prost::Message;
use proto::{
    CreateKeyRequest, CreateProjectRequest, CreateRoleRequest, CreateServiceAccountRequest, DeleteKeyRequest,
    DeleteProjectRequest, DeleteRoleRequest, DeleteServiceAccountRequest, DisableKeyRequest,
    DisableServiceAccountRequest, EnableKeyRequest, EnableServiceAccountRequest, RevokeKeyRequest,
    RotateKeyRequest, UndeleteKeyRequest, UpdateKeyRequest, UpdateProjectRequest, UpdateRoleRequest,
    UpdateServiceAccountRequest,
};
use sha2::{Digest, Sha256};
use tonic::Request;

use crate::{
    grpc::transport::{current::session, peer::Peer, permissions::needed},
    verbs::{Call, Caller, Error, FieldFault, Repeatable},
};

/// A request that changes something; it may be sent again safely when it has a request id.
pub(in crate::grpc) trait Change: Message + Clone {
    fn request_id(&self) -> &str;

    /// Whether it is only to be tried.
    fn validate_only(&self) -> bool;

    /// The same, to be done.
    fn in_earnest(&self) -> Self;
}

macro_rules! changes {
    ($($request:ident)*) => {$(
        impl Change for $request {
            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn validate_only(&self) -> bool {
                self.validate_only
            }

            fn in_earnest(&self) -> Self {
                Self { validate_only: false, ..self.clone() }
            }
        }
    )*};
    (untried: $($request:ident)*) => {$(
        impl Change for $request {
            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn validate_only(&self) -> bool {
                false
            }

            fn in_earnest(&self) -> Self {
                self.clone()
            }
        }
    )*};
}
changes!(CreateKeyRequest UpdateKeyRequest DeleteKeyRequest RotateKeyRequest);
changes!(CreateProjectRequest UpdateProjectRequest DeleteProjectRequest);
changes!(CreateServiceAccountRequest UpdateServiceAccountRequest DeleteServiceAccountRequest);
changes!(CreateRoleRequest UpdateRoleRequest DeleteRoleRequest);
changes!(untried: UndeleteKeyRequest RevokeKeyRequest DisableKeyRequest EnableKeyRequest);
changes!(untried: DisableServiceAccountRequest EnableServiceAccountRequest);

pub(in crate::grpc) fn call<T: Change>(request: &Request<T>) -> Result<Call, Error> {
    let body = request.get_ref();
    Ok(Call { caller: caller(request), repeatable: repeatable(body)?, validate_only: body.validate_only() })
}

/// The caller, as it was proven last.
pub(in crate::grpc) fn caller<T>(request: &Request<T>) -> Caller {
    let session =
        session(request.extensions()).expect("every call but health and reflection is authenticated");
    Caller::of(session, address(request), needed(request.extensions()))
}

/// The address that the caller is connected from.
pub(super) fn address<T>(request: &Request<T>) -> String {
    let address = request.extensions().get::<Peer>().and_then(|peer| peer.address);
    address.map(|address| address.ip().to_canonical().to_string()).unwrap_or_default()
}

/// A trial has the fingerprint of what it tries, so that it gets the answer that a repeat would get.
fn repeatable(body: &impl Change) -> Result<Option<Repeatable>, Error> {
    let request_id = body.request_id();
    if request_id.is_empty() {
        return Ok(None);
    }
    if request_id.len() > 64 || !request_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = Invalid::new("must be at most 64 printable ASCII characters without spaces");
        return Err(Error::Invalid(vec![FieldFault::new("request_id", &why)]));
    }
    Ok(Some(Repeatable {
        request_id: request_id.to_owned(),
        fingerprint: Sha256::digest(body.in_earnest().encode_to_vec()).into(),
    }))
}
