//! Generates the traits of the services that the server implements, over the messages of `keystile-proto`.

use std::{error::Error, fs};

use tonic_prost_build::Config;

const PROTO: &str = "proto";
const PACKAGE: &str = "keystile/v1";

/// Messages that the server writes from encoded parts, where `keystile-proto` has a struct with all fields.
const ENCODED: [(&str, &str); 3] = [
    (".keystile.v1.VerifyResponse", "crate::grpc::api::verify::EncodedDecision"),
    (".keystile.v1.BatchVerifyResponse", "crate::grpc::api::verify::EncodedBatch"),
    (".keystile.v1.StreamVerifyResponse", "crate::grpc::api::verify::EncodedItem"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let mut files = Vec::new();
    for entry in fs::read_dir(format!("{PROTO}/{PACKAGE}"))? {
        files.push(format!("{PACKAGE}/{}", entry?.file_name().display()));
    }
    files.sort();
    let contract = protox::compile(files, [PROTO])?;

    let mut config = Config::new();
    config.enable_type_names();
    let mut services = tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::grpc::wire::codec::Codec")
        .extern_path(".keystile.v1", "::proto");
    for (message, encoded) in ENCODED {
        services = services.extern_path(message, encoded);
    }
    services.compile_fds_with_config(contract, config)?;
    Ok(())
}
