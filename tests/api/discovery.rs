//! Health and reflection: on both listeners, without a credential.

use std::{collections::BTreeSet, net::SocketAddr};

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use proto::FILE_DESCRIPTOR_SET;
use testkit::{
    rpc::{authorization, call, every_rpc},
    server::{Server, channel},
    status::{metadata, reason},
};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

const VERIFY: [&str; 3] = ["grpc.health.v1.Health", BOTH, "keystile.v1.VerifyService"];
/// The service that both listeners have.
const BOTH: &str = "keystile.v1.CallerService";
const ADMIN: [&str; 7] = [
    "grpc.health.v1.Health",
    "keystile.v1.AuditService",
    BOTH,
    "keystile.v1.KeyService",
    "keystile.v1.ProjectService",
    "keystile.v1.RoleService",
    "keystile.v1.ServiceAccountService",
];

/// Both versions of reflection, which differ only in their name.
macro_rules! reflection {
    ($version:ident) => {
        mod $version {
            use std::net::SocketAddr;

            use prost::Message;
            use prost_types::FileDescriptorProto;
            use testkit::{
                server::{Server, channel},
                status::reason,
            };
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };

            async fn ask(listener: SocketAddr, request: MessageRequest) -> MessageResponse {
                let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
                let mut client = ServerReflectionClient::new(channel(listener));
                let answers = client.server_reflection_info(tokio_stream::once(request)).await;
                let mut answers = answers.unwrap().into_inner();
                let answer = answers.message().await.unwrap().unwrap();
                answer.message_response.unwrap()
            }

            async fn services(listener: SocketAddr) -> Vec<String> {
                let all = MessageRequest::ListServices(String::new());
                let MessageResponse::ListServicesResponse(list) = ask(listener, all).await else {
                    panic!("the response lists no services");
                };
                let mut names: Vec<_> = list.service.into_iter().map(|it| it.name).collect();
                names.sort();
                names
            }

            async fn file(listener: SocketAddr, request: MessageRequest) -> FileDescriptorProto {
                let what = format!("{request:?}");
                match ask(listener, request).await {
                    MessageResponse::FileDescriptorResponse(file) => {
                        let file = &file.file_descriptor_proto[0];
                        FileDescriptorProto::decode(file.as_slice()).unwrap()
                    }
                    other => panic!("{what}: {other:?}"),
                }
            }

            #[tokio::test]
            async fn each_listener_names_its_services() {
                let server = Server::start().await;
                assert_eq!(services(server.verify).await, super::VERIFY);
                assert_eq!(services(server.admin).await, super::ADMIN);
            }

            #[tokio::test]
            async fn a_client_can_fetch_all_descriptors() {
                let server = Server::start().await;
                for listener in [server.verify, server.admin] {
                    for name in services(listener).await {
                        let symbol = MessageRequest::FileContainingSymbol(name.clone());
                        let described = file(listener, symbol).await;
                        super::assert_describes(&described, &name);
                        let mut wanted = described.dependency;
                        while let Some(name) = wanted.pop() {
                            let needed = MessageRequest::FileByFilename(name);
                            wanted.extend(file(listener, needed).await.dependency);
                        }
                    }
                }
            }

            #[tokio::test]
            async fn the_details_of_errors_are_described() {
                let server = Server::start().await;
                for listener in [server.verify, server.admin] {
                    for name in ["ErrorInfo", "BadRequest", "RetryInfo"] {
                        let symbol = MessageRequest::FileContainingSymbol(format!("google.rpc.{name}"));
                        let described = file(listener, symbol).await;
                        assert!(described.message_type.iter().any(|it| it.name() == name));
                        for needed in described.dependency {
                            file(listener, MessageRequest::FileByFilename(needed)).await;
                        }
                    }
                }
            }

            #[tokio::test]
            async fn an_unknown_symbol_is_an_error_within_the_stream() {
                let server = Server::start().await;
                for unknown in [
                    MessageRequest::FileContainingSymbol("keystile.v1.Nothing".into()),
                    MessageRequest::FileByFilename("nothing.proto".into()),
                ] {
                    let mut client = ServerReflectionClient::new(channel(server.admin));
                    let request =
                        ServerReflectionRequest { host: String::new(), message_request: Some(unknown) };
                    let answers = client.server_reflection_info(tokio_stream::once(request)).await;
                    let refused = match answers {
                        Ok(answers) => answers.into_inner().message().await.unwrap_err(),
                        Err(refused) => refused,
                    };
                    assert_eq!(reason(&refused, tonic::Code::NotFound), "NOT_FOUND");
                    assert!(!services(server.admin).await.is_empty(), "the listener still answers");
                }
            }
        }
    };
}

reflection!(v1);
reflection!(v1alpha);

/// Checks that the file has this service of ours with all its methods.
fn assert_describes(file: &FileDescriptorProto, name: &str) {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let short = name.rsplit('.').next();
    let described = file.service.iter().find(|it| Some(it.name()) == short).unwrap();
    let files = set.file.iter().filter(|it| name.starts_with(it.package()));
    let ours = files.flat_map(|it| &it.service).find(|it| Some(it.name()) == short);
    if name.starts_with("keystile.") {
        assert_eq!(Some(described), ours, "{name}");
    }
}

async fn health(listener: SocketAddr, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest { service: service.into() };
    let answer = HealthClient::new(channel(listener)).check(request).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test]
async fn a_node_that_serves_is_healthy() {
    let server = Server::start().await;
    for (listener, services) in [(server.verify, &VERIFY[1..]), (server.admin, &ADMIN[1..])] {
        for service in services.iter().copied().chain([""]) {
            assert_eq!(health(listener, service).await, Ok(ServingStatus::Serving), "{service}");
        }
        let unknown = health(listener, "keystile.v1.Nothing").await;
        assert_eq!(unknown, Err(Code::NotFound));
    }
}

#[tokio::test]
async fn a_watch_of_health_reports_the_stop() {
    let server = Server::start().await;
    let mut client = HealthClient::new(channel(server.verify));
    let watch = client.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watch = watch.into_inner();
    let now = watch.message().await.unwrap().unwrap();
    assert_eq!(now.status(), ServingStatus::Serving);
    let (_, next) = tokio::join!(server.stop(), async {
        let next = watch.message().await;
        drop((watch, client));
        next
    });
    assert_eq!(next.unwrap().unwrap().status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn health_and_reflection_ignore_credentials() {
    let server = Server::start().await;
    for listener in [server.verify, server.admin] {
        for value in ["Bearer garbage", "Basic x", ""] {
            let path = "/grpc.health.v1.Health/Check";
            let answer = call(&channel(listener), path, authorization(value), &[]).await;
            assert!(answer.is_ok(), "{value}");
        }
    }
}

#[tokio::test]
async fn each_listener_serves_only_its_own_services() {
    let server = Server::start().await;
    let root = format!("Bearer {}", server.root);
    let mut seen = BTreeSet::new();
    for rpc in every_rpc(&server) {
        seen.insert(rpc.service.clone());
        if rpc.service == BOTH {
            continue;
        }
        let other = if rpc.listener == server.admin { server.verify } else { server.admin };
        let refused = call(&channel(other), &rpc.path, authorization(&root), &[]).await.unwrap_err();
        assert_eq!(reason(&refused, Code::Unimplemented), "UNSUPPORTED", "{}", rpc.path);
        let listener = if rpc.listener == server.admin { "admin" } else { "verify" };
        assert_eq!(metadata(&refused, "listener").as_deref(), Some(listener), "{}", rpc.path);
        assert!(refused.message().contains(&format!("the {listener} listener")), "{refused:?}");
    }
    let named: BTreeSet<_> = ADMIN[1..].iter().chain(&VERIFY[1..]).map(|it| (*it).to_owned()).collect();
    assert_eq!(seen, named, "a service of the contract is on no listener");
}

#[tokio::test]
async fn an_unknown_service_is_refused_with_a_reason() {
    let server = Server::start().await;
    let root = format!("Bearer {}", server.root);
    let mut compressed = authorization(&root);
    compressed.insert("grpc-encoding", "brotli".parse().unwrap());
    let long = format!("/keystile.v1.VerifyService/{}", "Nothing".repeat(1000));
    for (path, headers) in [
        ("/keystile.v1.VerifyService/Nothing", authorization(&root)),
        ("/keystile.v1.Nothing/Verify", authorization(&root)),
        ("/Nothing", authorization(&root)),
        (&*long, authorization(&root)),
        ("/grpc.health.v1.Health/Nothing", authorization(&root)),
        ("/keystile.v1.VerifyService/Verify", compressed),
    ] {
        let refused = call(&channel(server.verify), path, headers, &[]).await.unwrap_err();
        assert_eq!(reason(&refused, Code::Unimplemented), "UNSUPPORTED", "{path}");
        assert!((1..500).contains(&refused.message().len()), "{path}");
        assert_eq!(metadata(&refused, "listener"), None, "{path}");
    }
    let unknown = HealthCheckRequest { service: "nothing".into() };
    let refused = HealthClient::new(channel(server.verify)).check(unknown).await.unwrap_err();
    assert_eq!(reason(&refused, Code::NotFound), "NOT_FOUND");
    assert_eq!(metadata(&refused, "resource"), None, "the error names no resource");
}
