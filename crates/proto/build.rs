//! Generates messages and clients from the contract in `proto/`; needs no installed `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use protox::{prost::Message, prost_reflect::prost_types::FileDescriptorSet};

const PROTO: &str = "../../proto";
const PACKAGE: &str = "keystile/v1";

/// Messages that contain an API key: `lib.rs` implements a `Debug` for them that does not print it.
const SECRET: [&str; 6] = [
    ".keystile.v1.CreateKeyResponse",
    ".keystile.v1.CreateProjectResponse",
    ".keystile.v1.ExplainVerifyRequest",
    ".keystile.v1.LookupKeyRequest",
    ".keystile.v1.RotateKeyResponse",
    ".keystile.v1.VerifyRequest",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let mut files = Vec::new();
    for entry in fs::read_dir(PathBuf::from(PROTO).join(PACKAGE))? {
        files.push(format!("{PACKAGE}/{}", entry?.file_name().display()));
    }
    files.sort();
    let mut compiler = protox::Compiler::new([PROTO])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;

    // For reflection, in the compiler's own encoding: it keeps options that prost does not know.
    let descriptors = PathBuf::from(env::var("OUT_DIR")?).join("keystile.v1.binpb");
    fs::write(&descriptors, compiler.encode_file_descriptor_set())?;

    let files = FileDescriptorSet::decode(compiler.encode_file_descriptor_set().as_slice())?;
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_server(env::var_os("CARGO_FEATURE_SERVER").is_some())
        .btree_map(".")
        .skip_debug(SECRET)
        .compile_fds_with_config(files, config)?;
    Ok(())
}
