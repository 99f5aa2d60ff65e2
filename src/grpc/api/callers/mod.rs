//! CallerService on the wire. The session knows everything that it answers, so it needs no verb.

use domain::{access::Projects, id::ProjectId, name::ProjectName};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    grpc::{
        api::services::caller_service_server::CallerService,
        transport::current::session,
        wire::{
            convert::{account_name, key_name, role_name, texts, time},
            status::unauthenticated,
        },
    },
    verbs::{Proof, Session},
};

use super::call::address;

#[derive(Debug)]
pub(in crate::grpc) struct CallerApi;

#[tonic::async_trait]
impl CallerService for CallerApi {
    async fn who_am_i(
        &self,
        request: Request<proto::WhoAmIRequest>,
    ) -> Result<Response<proto::WhoAmIResponse>, Status> {
        let session = session(request.extensions()).ok_or_else(unauthenticated)?;
        Ok(Response::new(describe(session, address(&request))))
    }
}

fn describe(session: &Session, address: String) -> proto::WhoAmIResponse {
    let system = ProjectId::system();
    let Proof { key, secret_version, .. } = session.proof();
    let projects = match session.projects() {
        Projects::All => vec![Projects::All.to_string()],
        Projects::These(these) => these.iter().map(|id| ProjectName(id.clone()).to_string()).collect(),
    };
    proto::WhoAmIResponse {
        key: key_name(&system, session.key()),
        service_account: account_name(&system, session.service_account()),
        display_name: display_name(key.encoded.full()),
        roles: session.access().roles().iter().map(|role| role_name(&system, role)).collect(),
        permissions: texts(session.access().permissions()),
        projects,
        expire_time: session.end().map(time),
        address,
        secret_superseded: key.credential.supersedes(*secret_version),
    }
}

/// Nothing else in memory has the display name of a key.
fn display_name(encoded: &[u8]) -> String {
    let answer = proto::VerifyResponse::decode(encoded);
    answer.map(|answer| answer.display_name).unwrap_or_default()
}
