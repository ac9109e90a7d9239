//! Compiles the schema with protox, so that no protoc is needed.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

const PUBLIC: [&str; 4] = ["wallets.proto", "devices.proto", "recovery.proto", "errors.proto"];
const ADMIN: &str = "admin.proto";
const PEER: &str = "peer.proto";

/// Messages that carry a secret: `src/secret.rs` says how they are shown.
const SECRET: [&str; 3] =
    [".holdfast.v1.Session", ".holdfast.v1.CreateRequest", ".holdfast.admin.v1.UnlockRequest"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed=proto");

    // Reflection shows strangers the public services only.
    let public = protox::compile(PUBLIC, [&root])?;
    fs::write(out.join("public.bin"), public.encode_to_vec())?;

    let admin = protox::compile([ADMIN], [&root])?;
    fs::write(out.join("admin.bin"), admin.encode_to_vec())?;

    let all = protox::compile(PUBLIC.iter().chain([&ADMIN, &PEER]), [&root])?;
    tonic_prost_build::configure()
        // Shared buffers where bulk travels. Admin's fields own theirs: a passphrase must be wipeable.
        .bytes(".holdfast.v1")
        .bytes(".holdfast.peer.v1")
        .skip_debug(SECRET)
        .compile_fds(all)?;
    Ok(())
}
