//! `wallet session`: a token for other tools, and proofs made with the key that it is bound to.

use super::{ProfileArgs, records::write_private};
use crate::{failure::Failure, output::Output};
use clap::Subcommand;
use client::ExportedSession;
use serde_json::json;
use std::{fs, path::PathBuf};

/// The file in the profile with token and ephemeral key.
const FILE: &str = "session.json";

/// Arguments of `holdfast wallet session`.
#[derive(Debug, clap::Args)]
pub(super) struct SessionArgs {
    #[command(subcommand)]
    command: Option<SessionCommand>,
}

#[derive(Debug, Subcommand)]
enum SessionCommand {
    /// Print a proof (RFC 9449) for one request: the value of its `dpop` header.
    Proof {
        /// The HTTP method; `POST` on gRPC.
        method: String,
        /// The URL, or the method path on gRPC.
        url: String,
    },
}

pub(super) async fn run(
    profile: &ProfileArgs,
    args: SessionArgs,
    output: &Output,
) -> Result<(), Failure> {
    let file = profile.dir()?.join(FILE);
    match args.command {
        None => open(profile, file, output).await,
        Some(SessionCommand::Proof { method, url }) => {
            let bytes = server::config::read_secret(&file).map_err(|error| {
                Failure::usage(error).context("there is no session; `wallet session` opens one")
            })?;
            let proof = ExportedSession::from_file(bytes.expose())?.proof(&method, &url)?;
            output.result(&proof, &json!({ "dpop": proof }));
            Ok(())
        }
    }
}

async fn open(profile: &ProfileArgs, file: PathBuf, output: &Output) -> Result<(), Failure> {
    let session = profile.open()?.session().await?;
    // Replaced whole: a reader sees the old session or the new one.
    let fresh = file.with_extension("json.new");
    if fresh.exists() {
        fs::remove_file(&fresh)?;
    }
    write_private(&fresh, session.to_file().expose())?;
    fs::rename(&fresh, &file)?;
    output.result(
        &session.token,
        &json!({
            "token": session.token, "wallet": session.wallet.to_string(),
            "expires": session.expires_s, "file": file,
        }),
    );
    Ok(())
}
