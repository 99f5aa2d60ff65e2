//! The traits of the contract's services, generated over the messages of `keystile-proto` and our own codec.

#![expect(clippy::allow_attributes, unreachable_pub, reason = "the generator writes them")]

tonic::include_proto!("keystile.v1");
