//! VerifyService on the wire.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        Invalid,
        decision::{Decision, Proof, Question},
        token::ApiKey,
    },
    ports::Credentials,
    service::{Error, Verifier, VerifyRequest},
};

use super::{
    convert::{account_name, duration, key_name, texts, time},
    faults::{Faults, not_yet},
    proto::{self, verify_service_server::VerifyService},
};

#[derive(Debug)]
pub(super) struct VerifyApi<C>(pub(super) Arc<Verifier<C>>);

#[tonic::async_trait]
impl<C: Credentials> VerifyService for VerifyApi<C> {
    async fn verify(
        &self,
        request: Request<proto::VerifyRequest>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        let mut request = request.into_inner();
        let api_key = ApiKey::new(std::mem::take(&mut request.api_key));
        let question = question(&request, "")?;
        let request = VerifyRequest {
            api_key,
            question,
            min_revision: request.min_revision,
        };
        Ok(Response::new(self.0.verify(&request).await?.into()))
    }
}

/// What `request` asks of the API key; `path` is where the request stands in a larger one.
pub(super) fn question(request: &proto::VerifyRequest, path: &str) -> Result<Question, Error> {
    let asked = [
        ("permission", !request.permission.is_empty()),
        ("endpoint", request.endpoint.is_some()),
        ("costs", !request.costs.is_empty()),
        ("credits", request.credits.is_some()),
        ("tags", !request.tags.is_empty()),
    ];
    not_yet(path, &asked)?;
    let mut faults = Faults::default();
    let environment = faults.read_optional(&format!("{path}environment"), &request.environment);
    let customer = faults.read_optional(&format!("{path}customer"), &request.customer);
    let client_ip = match request.client_ip.as_str() {
        "" => Some(None),
        text => {
            let address = text.parse::<IpAddr>();
            let address = address.map_err(|_| Invalid::new("must be an IPv4 or IPv6 address"));
            faults.take(&format!("{path}client_ip"), address).map(Some)
        }
    };
    if request.min_revision < 0 {
        let wrong = Err::<(), _>(Invalid::new("must not be negative"));
        faults.take(&format!("{path}min_revision"), wrong);
    }
    faults.finish((|| {
        Some(Question {
            environment: environment?,
            client_ip: client_ip?,
            customer: customer?,
        })
    })())
}

impl From<Decision> for proto::VerifyResponse {
    fn from(decision: Decision) -> Self {
        let mut response = decision.proof.map(proven).unwrap_or_default();
        response.set_code(decision.code.into());
        response.http_status = decision.code.http_status();
        response.message = decision.code.message().to_owned();
        response.revision = decision.revision.unwrap_or_default();
        response.decision_age = Some(duration(Duration::ZERO));
        response
    }
}

/// What may be told of a key whose API key was proven.
fn proven(proof: Proof) -> proto::VerifyResponse {
    let key = proof.candidate.key;
    proto::VerifyResponse {
        key: key_name(&key.project, key.id),
        service_account: account_name(&key.project, &key.service_account),
        display_name: key.display_name.to_string(),
        environment: key.environment.to_string(),
        customers: texts(&key.customers),
        metadata: key.metadata.entries().clone(),
        tags: texts(&key.tags),
        expire_time: key.expire_time.map(time),
        secret_version: proof.secret_version,
        secret_superseded: proof.secret_version < key.newest_secret(),
        ..Default::default()
    }
}
