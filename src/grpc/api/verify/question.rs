//! What a verification asks, read from the wire.

use std::{net::IpAddr, time::Duration};

use domain::{Invalid, access::Endpoint, decision::Question, token::ApiKey};
use tonic::metadata::MetadataMap;

use super::{encoded::View, expressions};
use crate::{
    grpc::{
        transport::limits::timeout,
        wire::faults::{Faults, both, not_yet},
    },
    verbs::{Error, VerifyRequest},
};

pub(super) fn read(
    mut request: proto::VerifyRequest,
    patience: Duration,
) -> Result<(VerifyRequest, View), Error> {
    let api_key = ApiKey::new(std::mem::take(&mut request.api_key));
    let (min_revision, view) = (request.min_revision, view(request.view));
    let (question, view) = both(question(request), view)?;
    Ok((VerifyRequest { api_key, question, min_revision, patience }, view))
}

pub(in crate::grpc) fn view(view: i32) -> Result<View, Error> {
    match proto::View::try_from(view) {
        Ok(proto::View::Basic) => Ok(View::Basic),
        Ok(proto::View::Full | proto::View::Unspecified) => Ok(View::Full),
        Err(_) => {
            let mut faults = Faults::default();
            faults.wrong("view", || Invalid::new("must be VIEW_FULL or VIEW_BASIC"));
            faults.finish(None)
        }
    }
}

/// What `request` asks of the API key.
pub(in crate::grpc) fn question(request: proto::VerifyRequest) -> Result<Question, Error> {
    let asked = [
        ("costs", !request.costs.is_empty()),
        ("credits", request.credits.is_some()),
        ("tags", !request.tags.is_empty()),
    ];
    not_yet("", &asked)?;
    let plain = request.environment.is_empty()
        && request.permission.is_empty()
        && request.endpoint.is_none()
        && request.customer.is_empty()
        && request.client_ip.is_empty()
        && request.min_revision >= 0;
    if plain { Ok(Question::default()) } else { read_question(request) }
}

fn read_question(request: proto::VerifyRequest) -> Result<Question, Error> {
    let mut faults = Faults::default();
    let environment = faults.read_optional("environment", &request.environment);
    let customer = faults.read_optional("customer", &request.customer);
    let client_ip = match request.client_ip.as_str() {
        "" => Some(None),
        text => {
            let address = text.parse::<IpAddr>();
            let address = address.map_err(|_| Invalid::new("must be an IPv4 or IPv6 address"));
            faults.take("client_ip", address).map(Some)
        }
    };
    faults.not_negative("min_revision", request.min_revision);
    let permission = match request.permission.as_str() {
        "" => Some(None),
        text => faults.expression("permission", expressions::read(text)).map(Some),
    };
    if let Some(endpoint) = &request.endpoint {
        faults.take("endpoint.method", Endpoint::check_method(&endpoint.method));
    }
    let endpoint = request.endpoint.map(|it| Endpoint::new(it.method, it.path));
    let (Some(environment), Some(client_ip), Some(customer), Some(permission)) =
        (environment, client_ip, customer, permission)
    else {
        return faults.finish(None);
    };
    faults.finish(Some(Question { environment, client_ip, customer, permission, endpoint }))
}

/// How long a call may wait for a revision: a little less than its own deadline, to answer within it.
pub(super) fn patience(metadata: &MetadataMap) -> Duration {
    const DEFAULT: Duration = Duration::from_secs(2);
    const LONGEST: Duration = Duration::from_secs(20);
    let deadline = metadata.get("grpc-timeout").and_then(|value| timeout(value.to_str().ok()?));
    deadline.map_or(DEFAULT, |deadline| (deadline * 4 / 5).min(LONGEST))
}
