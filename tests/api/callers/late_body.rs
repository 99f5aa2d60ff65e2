//! A request whose body comes late: what its caller has lost since the headers, it does not use.

use bytes::Bytes;
use h2::{SendStream, client::ResponseFuture};
use prost::Message;
use proto::{CreateKeyRequest, CreateKeyResponse, Key, UpdateKeyRequest};
use testkit::{
    http2,
    rpc::every_rpc,
    server::{Server, inner},
    status::{metadata, reason},
};
use tokio::net::TcpStream;
use tonic::{Code, Status, codegen::http};

use crate::calls::{disabling, revocation, rotation, texts};

const CREATE_KEY: &str = "/keystile.v1.KeyService/CreateKey";
const CREATE_ROLE: &str = "/keystile.v1.RoleService/CreateRole";
const WHO_AM_I: &str = "/keystile.v1.CallerService/WhoAmI";

/// A connection of one caller. The runtime of each test has one thread, so that calls begin in the order of their headers.
struct Caller {
    client: h2::client::SendRequest<Bytes>,
    bearer: String,
}

/// A call whose headers the server has authorised, and which has no body yet.
struct Begun {
    body: SendStream<Bytes>,
    response: ResponseFuture,
}

impl Caller {
    async fn on(address: std::net::SocketAddr, api_key: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut caller = Self { client, bearer: format!("Bearer {api_key}") };
        // From now on the connection knows the session, so that calls are authorised without waiting.
        caller.who_am_i().await;
        caller
    }

    async fn send_headers(&mut self, path: &str) -> Begun {
        let request = http::Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", &self.bearer)
            .body(())
            .unwrap();
        let mut client = self.client.clone().ready().await.unwrap();
        let (response, body) = client.send_request(request, false).unwrap();
        Begun { body, response }
    }

    async fn begin(&mut self, path: &str) -> Begun {
        let begun = self.send_headers(path).await;
        // Answered after the other was authorised.
        self.who_am_i().await;
        begun
    }

    async fn who_am_i(&mut self) {
        self.send_headers(WHO_AM_I).await.end(&[]).await.unwrap();
    }
}

impl Begun {
    async fn end(mut self, body: &[u8]) -> Result<Vec<u8>, Status> {
        self.body.send_data(http2::message(body).into(), true).unwrap();
        self.answer().await
    }

    /// The request ends with trailers, which gRPC does not use, and HTTP/2 allows.
    async fn end_with_trailers(mut self, body: &[u8]) -> Result<Vec<u8>, Status> {
        self.body.send_data(http2::message(body).into(), false).unwrap();
        let trailers = [("x-end".parse().unwrap(), "1".parse().unwrap())].into_iter().collect();
        self.body.send_trailers(trailers).unwrap();
        self.answer().await
    }

    async fn answer(self) -> Result<Vec<u8>, Status> {
        let response = self.response.await.unwrap();
        if let Some(status) = Status::from_header_map(response.headers()) {
            return Err(status);
        }
        let mut body = response.into_body();
        let mut message = Vec::new();
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            message.extend(data);
        }
        let status = body.trailers().await.unwrap().and_then(|it| Status::from_header_map(&it));
        match status {
            Some(status) if status.code() != Code::Ok => Err(status),
            _ => Ok(message.split_off(http2::PREFIX)),
        }
    }
}

async fn server() -> (Server, Key, String) {
    let server = Server::start().await;
    server.project("acme").await;
    server.project("shop").await;
    let key = Key { roles: texts(&["root"]), customers: texts(&["*"]), ..Default::default() };
    let (key, api_key) = server.key("system", key).await;
    (server, key, api_key)
}

fn new_key(project: &str) -> Vec<u8> {
    let key = Key {
        environment: "production".into(),
        roles: texts(&[if project == "system" { "root" } else { "viewer" }]),
        customers: texts(&["*"]),
        ..Default::default()
    };
    let parent = format!("projects/{project}");
    CreateKeyRequest { parent, key: Some(key), ..Default::default() }.encode_to_vec()
}

fn new_role() -> Vec<u8> {
    let request = proto::CreateRoleRequest {
        parent: "projects/acme".into(),
        role_id: "late".into(),
        role: Some(proto::Role::default()),
        ..Default::default()
    };
    request.encode_to_vec()
}

/// The ways in which a caller is cut off.
const CUTS: [&str; 4] = ["rotated", "disabled", "revoked", "its account disabled"];

async fn cut(server: &Server, key: &Key, how: &str) {
    match how {
        "rotated" => drop(server.rotate(rotation(&key.name)).await.unwrap()),
        "disabled" => drop(server.disable(disabling(&key.name)).await.unwrap()),
        "revoked" => drop(server.revoke(revocation(&key.name)).await.unwrap()),
        _ => server.disable_account(&key.service_account).await,
    }
}

#[tokio::test]
async fn a_caller_that_was_cut_off_changes_nothing() {
    for how in CUTS {
        let (server, key, api_key) = server().await;
        let mut caller = Caller::on(server.admin, &api_key).await;
        let mut begun = Vec::new();
        for (path, body) in
            [(CREATE_KEY, new_key("system")), (CREATE_KEY, new_key("acme")), (CREATE_ROLE, new_role())]
        {
            begun.push((caller.begin(path).await, caller.begin(path).await, body));
        }
        cut(&server, &key, how).await;
        let head = server.head().await;
        for (call, with_trailers, body) in begun {
            for refused in [call.end(&body).await, with_trailers.end_with_trailers(&body).await] {
                assert_eq!(reason(&refused.unwrap_err(), Code::Unauthenticated), "UNAUTHENTICATED", "{how}");
            }
        }
        assert_eq!(server.head().await, head, "{how}");
    }
}

/// Verify is exempt: it changes nothing, and is answered at once.
#[tokio::test]
async fn every_rpc_checks_its_caller_when_the_request_is_complete() {
    let (server, key, api_key) = server().await;
    let mut begun = Vec::new();
    let (mut admin, mut verify) =
        (Caller::on(server.admin, &api_key).await, Caller::on(server.verify, &api_key).await);
    for rpc in every_rpc(&server) {
        if rpc.path != "/keystile.v1.VerifyService/Verify" {
            let caller = if rpc.listener == server.admin { &mut admin } else { &mut verify };
            begun.push((caller.begin(&rpc.path).await, rpc.path));
        }
    }
    server.revoke(revocation(&key.name)).await.unwrap();
    for (call, path) in begun {
        let refused = call.end(&[]).await;
        assert_eq!(reason(&refused.unwrap_err(), Code::Unauthenticated), "UNAUTHENTICATED", "{path}");
    }
}

#[tokio::test]
async fn what_was_taken_from_a_caller_is_not_used() {
    let (server, key, api_key) = server().await;
    let mut caller = Caller::on(server.admin, &api_key).await;
    let take = async |roles: &[&str], projects: &[&str]| {
        let key = Key {
            name: key.name.clone(),
            roles: texts(roles),
            customers: texts(projects),
            ..Default::default()
        };
        let update_mask = Some(prost_types::FieldMask { paths: texts(&["roles", "customers"]) });
        server.update(UpdateKeyRequest { key: Some(key), update_mask, ..Default::default() }).await.unwrap();
    };
    let (acme, shop) = (caller.begin(CREATE_KEY).await, caller.begin(CREATE_KEY).await);
    take(&["root"], &["shop"]).await;
    let refused = acme.end(&new_key("acme")).await.unwrap_err();
    assert_eq!(reason(&refused, Code::NotFound), "NOT_FOUND");
    // What it still has, it uses.
    let created = shop.end(&new_key("shop")).await.unwrap();
    assert!(!CreateKeyResponse::decode(&*created).unwrap().api_key.is_empty());

    let denied = caller.begin(CREATE_KEY).await;
    take(&["verifier"], &["shop"]).await;
    let denied = denied.end(&new_key("shop")).await.unwrap_err();
    assert_eq!(reason(&denied, Code::PermissionDenied), "PERMISSION_DENIED");
    assert_eq!(metadata(&denied, "permission").as_deref(), Some("keys.create"));
    let who = inner(server.caller_at(server.admin, &api_key).who_am_i(proto::WhoAmIRequest {}).await);
    assert_eq!(who.unwrap().permissions, ["keys.verify"]);
}
