//! Generates the traits of the services that the server implements, over the messages of `keystile-proto`, and the table of
//! the permissions that their methods need.

use std::{env, error::Error, fmt::Write, fs, path::PathBuf};

use protox::prost_reflect::DescriptorPool;
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
    let mut compiler = protox::Compiler::new([PROTO])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    let table = PathBuf::from(env::var("OUT_DIR")?).join("required_permissions.rs");
    fs::write(table, required_permissions(&compiler.descriptor_pool())?)?;
    let contract = compiler.file_descriptor_set();

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

/// The methods of the contract by path, of every package in it, each with the permission that its option names. A method
/// without the option is an error: it must not be open to everybody because somebody forgot it.
fn required_permissions(contract: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let option = contract
        .get_extension_by_name("keystile.v1.required_permission")
        .ok_or("options.proto does not define keystile.v1.required_permission")?;
    let mut methods = Vec::new();
    for service in contract.services() {
        for method in service.methods() {
            let options = method.options();
            if !options.has_extension(&option) {
                let missing = "has no option (keystile.v1.required_permission): set the permission that a caller needs, or \
                               \"\" if every authenticated caller may call it";
                return Err(format!("{} {missing}", method.full_name()).into());
            }
            let value = options.get_extension(&option);
            let permission = value.as_str().ok_or("the option is not a text")?.to_owned();
            methods.push((format!("/{}/{}", service.full_name(), method.name()), permission));
        }
    }
    methods.sort();
    let mut table = String::new();
    writeln!(table, "/// Every method of the contract by path, sorted, with its required permission.")?;
    writeln!(table, "static REQUIRED: [(&str, &str); {}] = {methods:#?};", methods.len())?;
    Ok(table)
}
