//! Every method of the services here, from their descriptors.

use std::{collections::HashMap, sync::LazyLock};

use prost::Message;
use prost_types::FileDescriptorSet;
use proto::FILE_DESCRIPTOR_SET;

/// The service of the verify listener; the admin listener has all others of the contract.
pub(in crate::grpc) const VERIFY_SERVICE: &str = "keystile.v1.VerifyService";

/// The service that both listeners have.
const CALLER_SERVICE: &str = "keystile.v1.CallerService";

/// The services that need no credential: health and reflection.
const PUBLIC: [&str; 2] = ["/grpc.health.v1.", "/grpc.reflection."];

pub(in crate::grpc) fn is_public(path: &str) -> bool {
    PUBLIC.iter().any(|package| path.starts_with(package))
}

/// The services of each listener, without health and reflection.
pub(in crate::grpc) static VERIFY_SERVICES: LazyLock<Vec<String>> =
    LazyLock::new(|| services().filter(|name| name == VERIFY_SERVICE || name == CALLER_SERVICE).collect());
pub(in crate::grpc) static ADMIN_SERVICES: LazyLock<Vec<String>> =
    LazyLock::new(|| services().filter(|name| name != VERIFY_SERVICE).collect());

/// Those that only the admin listener has: without the database they can do nothing.
pub(in crate::grpc) static ADMIN_ONLY_SERVICES: LazyLock<Vec<String>> =
    LazyLock::new(|| ADMIN_SERVICES.iter().filter(|name| *name != CALLER_SERVICE).cloned().collect());

/// How a method answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::grpc) enum Kind {
    /// Briefly, and so often that the answer is passed on as it is.
    Verification,
    /// With one resource, or with the outcome of a change.
    Change,
    /// With as much as fits: a page, or a batch.
    List,
    Stream,
    /// Health and reflection, which need no credential.
    Public,
}

impl Kind {
    pub(in crate::grpc) fn of(path: &str) -> Self {
        // Nearly all calls are verifications.
        if path == VERIFY {
            return Self::Verification;
        }
        let known = BY_PATH.get(path).copied();
        known.unwrap_or_else(|| if is_public(path) { Self::Public } else { Self::Change })
    }
}

pub(super) const VERIFY: &str = "/keystile.v1.VerifyService/Verify";

/// The only method whose request is a stream.
pub(super) const STREAM_VERIFY: &str = "/keystile.v1.VerifyService/StreamVerify";

static BY_PATH: LazyLock<HashMap<String, Kind>> =
    LazyLock::new(|| methods().map(|method| (format!("/{}", method.name), method.kind)).collect());

#[derive(Debug)]
pub(in crate::grpc) struct Method {
    /// `package.Service/Method`
    pub(in crate::grpc) name: String,
    pub(in crate::grpc) kind: Kind,
    /// Answers with a stream, as reflection does too.
    pub(in crate::grpc) streams: bool,
}

pub(in crate::grpc) fn methods() -> impl Iterator<Item = Method> {
    let ours_and_standard = [
        FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    ours_and_standard.into_iter().flat_map(|descriptors| decode(descriptors).file).flat_map(|file| {
        let package = file.package().to_owned();
        file.service.into_iter().flat_map(move |service| {
            let service_name = format!("{package}.{}", service.name());
            service.method.into_iter().map(move |method| {
                let path = format!("/{service_name}/{}", method.name());
                let streams = method.server_streaming();
                let kind = match method.name() {
                    _ if is_public(&path) => Kind::Public,
                    _ if streams => Kind::Stream,
                    _ if path == VERIFY => Kind::Verification,
                    "BatchVerify" => Kind::List,
                    name if name.starts_with("List") => Kind::List,
                    _ => Kind::Change,
                };
                Method { name: path[1..].to_owned(), kind, streams }
            })
        })
    })
}

fn services() -> impl Iterator<Item = String> {
    decode(FILE_DESCRIPTOR_SET).file.into_iter().flat_map(|file| {
        let package = file.package().to_owned();
        file.service.into_iter().map(move |service| format!("{package}.{}", service.name()))
    })
}

fn decode(descriptors: &[u8]) -> FileDescriptorSet {
    FileDescriptorSet::decode(descriptors).expect("generated descriptors decode")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listener_has_its_services() {
        assert_eq!(*VERIFY_SERVICES, [CALLER_SERVICE, VERIFY_SERVICE]);
        assert!(ADMIN_SERVICES.iter().any(|name| name == CALLER_SERVICE));
        assert!(ADMIN_SERVICES.iter().any(|name| name == "keystile.v1.KeyService"));
    }

    /// The caller of any other is checked when its request has ended.
    #[test]
    fn one_method_takes_a_stream() {
        let files = decode(FILE_DESCRIPTOR_SET).file;
        let ours = files.iter().flat_map(|file| {
            let methods = |it: &'_ prost_types::ServiceDescriptorProto| it.clone().method;
            file.service.iter().flat_map(methods)
        });
        let streams: Vec<_> =
            ours.filter(|it| it.client_streaming()).map(|it| it.name().to_owned()).collect();
        assert_eq!(streams, ["StreamVerify"]);
        assert_eq!(Kind::of(STREAM_VERIFY), Kind::Stream);
    }

    #[test]
    fn the_kinds_of_methods_match_the_descriptors() {
        for (path, kind) in [
            (VERIFY, Kind::Verification),
            ("/keystile.v1.VerifyService/BatchVerify", Kind::List),
            ("/keystile.v1.VerifyService/StreamVerify", Kind::Stream),
            ("/keystile.v1.AuditService/WatchAuditEvents", Kind::Stream),
            ("/keystile.v1.AuditService/ListAuditEvents", Kind::List),
            ("/keystile.v1.KeyService/CreateKey", Kind::Change),
            ("/keystile.v1.CallerService/WhoAmI", Kind::Change),
            ("/grpc.health.v1.Health/Watch", Kind::Public),
            ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Kind::Public),
            ("/grpc.health.v1.Health/Unknown", Kind::Public),
            ("/unknown.Service/Unknown", Kind::Change),
        ] {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }
}
