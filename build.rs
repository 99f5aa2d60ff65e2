//! Compiles the contract in `proto/`; needs no installed protoc.

use std::{env, error::Error, fs, path::PathBuf};

use protox::prost::Message;

const FILES: [&str; 6] = [
    "keystile/v1/audit_service.proto",
    "keystile/v1/error_reason.proto",
    "keystile/v1/key_service.proto",
    "keystile/v1/project_service.proto",
    "keystile/v1/service_account_service.proto",
    "keystile/v1/verify_service.proto",
];

/// Messages that carry an API key: `grpc::proto` gives them a `Debug` that does not show it.
const SECRET: [&str; 6] = [
    ".keystile.v1.CreateKeyResponse",
    ".keystile.v1.CreateProjectResponse",
    ".keystile.v1.ExplainVerifyRequest",
    ".keystile.v1.LookupKeyRequest",
    ".keystile.v1.RotateKeyResponse",
    ".keystile.v1.VerifyRequest",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;

    // For reflection, in the compiler's own encoding: it keeps options that prost does not know.
    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("keystile.v1.binpb");
    fs::write(&descriptors, compiler.encode_file_descriptor_set())?;

    let files = protox::prost_reflect::prost_types::FileDescriptorSet::decode(
        compiler.encode_file_descriptor_set().as_slice(),
    )?;
    tonic_prost_build::configure().btree_map(".").skip_debug(SECRET).compile_fds(files)?;
    Ok(())
}
