//! Compiles the contract in `proto/`; needs no installed protoc.

use std::{env, error::Error, fs, path::PathBuf};

use protox::{prost::Message, prost_reflect::prost_types::FileDescriptorSet};

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

    let files = FileDescriptorSet::decode(compiler.encode_file_descriptor_set().as_slice())?;
    serve_answers(files.clone())?;
    generate(tonic_prost_build::configure().btree_map(".").skip_debug(SECRET), files)
}

/// The server of `VerifyService` once more, with answers that are put together from encoded parts in the
/// place of the message that is built and encoded anew for every call.
fn serve_answers(mut files: FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    const SHARED: [&str; 8] = [
        "BatchVerifyRequest",
        "Code",
        "Cost",
        "Endpoint",
        "LimitState",
        "StreamVerifyRequest",
        "VerifyError",
        "VerifyRequest",
    ];
    let folder = PathBuf::from(env::var("OUT_DIR")?).join("answers");
    fs::create_dir_all(&folder)?;
    files.file.retain(|file| !file.name().starts_with("keystile/") || file.name() == VERIFY);
    let mut config = tonic_prost_build::configure()
        .build_client(false)
        .out_dir(folder)
        .extern_path(".keystile.v1.VerifyResponse", "crate::grpc::verify::Answer");
    for name in SHARED {
        config = config.extern_path(format!(".keystile.v1.{name}"), format!("crate::grpc::proto::{name}"));
    }
    generate(config, files)
}

/// With our own codec, which asks each message for its name.
fn generate(builder: tonic_prost_build::Builder, files: FileDescriptorSet) -> Result<(), Box<dyn Error>> {
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    builder.codec_path("crate::grpc::codec::Codec").compile_fds_with_config(files, config)?;
    Ok(())
}

const VERIFY: &str = "keystile/v1/verify_service.proto";
