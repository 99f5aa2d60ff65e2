//! Calls of any RPC of the contract by its path, with any headers and body.

use std::net::SocketAddr;

use bytes::{Buf, BufMut};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};
use prost_types::FileDescriptorSet;
use proto::FILE_DESCRIPTOR_SET;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
    transport::Channel,
};

use crate::server::Server;

/// A method of the contract, with the listener that serves it.
#[derive(Debug, Clone)]
pub struct Rpc {
    pub service: String,
    pub path: String,
    pub listener: SocketAddr,
}

/// Every method of every service, read from the descriptors, so that a new one is included.
pub fn every_rpc(server: &Server) -> Vec<Rpc> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let mut every = Vec::new();
    for file in &set.file {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            every.extend(service.method.iter().map(|method| Rpc {
                path: format!("/{name}/{}", method.name()),
                service: name.clone(),
                listener: if service.name() == "VerifyService" { server.verify } else { server.admin },
            }));
        }
    }
    assert!(every.len() >= 28, "{every:?}");
    every
}

/// Calls `path` with these bytes as the message.
pub async fn call(
    channel: &Channel,
    path: &str,
    headers: MetadataMap,
    body: &[u8],
) -> Result<Vec<u8>, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(body.to_vec());
    *request.metadata_mut() = headers;
    let answer = client.unary(request, path.parse().unwrap(), Bytes).await;
    answer.map(|answer| answer.into_inner())
}

/// An encoded field of a message.
pub fn field(number: u32, value: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(value.len() + 10);
    encode_key(number, WireType::LengthDelimited, &mut field);
    encode_varint(value.len() as u64, &mut field);
    field.extend(value);
    field
}

/// Requests with lists of millions of empty entries, which are 4 MiB on the wire: the path, the request, and the
/// name of the list.
pub fn endless_lists() -> [(&'static str, Vec<u8>, &'static str); 3] {
    let entries = |number| field(number, &[]).repeat(1_900_000);
    [
        ("/keystile.v1.VerifyService/BatchVerify", entries(1), "requests"),
        ("/keystile.v1.ProjectService/CreateProject", field(1, &entries(4)), "project.environments"),
        ("/keystile.v1.KeyService/UpdateKey", field(2, &entries(1)), "update_mask.paths"),
    ]
}

/// Headers with this authorization.
pub fn authorization(value: &str) -> MetadataMap {
    let mut headers = MetadataMap::new();
    headers.insert("authorization", value.parse().unwrap());
    headers
}

/// A codec that passes bytes through.
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; from.remaining()];
        from.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}
