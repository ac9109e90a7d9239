//! Passphrases: from a terminal, where they are not shown, or from a file that only its owner can
//! read.

use crate::failure::Failure;
use anyhow::anyhow;
use std::path::Path;
use types::Secret;

/// Fewer characters than this are guessed.
const LENGTH_MIN: usize = 8;

/// Asks for a passphrase that exists.
pub(crate) fn passphrase(file: Option<&Path>, what: &str) -> Result<Secret, Failure> {
    match file {
        Some(file) => from_file(file),
        None => from_terminal(&format!("Passphrase of {what}: ")),
    }
}

/// Asks for a new passphrase; on a terminal twice, since it is not shown.
pub(crate) fn new_passphrase(file: Option<&Path>, what: &str) -> Result<Secret, Failure> {
    let secret = match file {
        Some(file) => from_file(file)?,
        None => {
            let first = from_terminal(&format!("New passphrase of {what}: "))?;
            let again = from_terminal("The same again: ")?;
            if first.expose() != again.expose() {
                return Err(Failure::usage(anyhow!(
                    "the two passphrases differ; nothing was done"
                )));
            }
            first
        }
    };
    let length = std::str::from_utf8(secret.expose()).map_or(0, |text| text.chars().count());
    if length < LENGTH_MIN {
        let hint = format!("use at least {LENGTH_MIN} characters of UTF-8, better a sentence");
        return Err(Failure::usage(anyhow!("the passphrase is too short; {hint}")));
    }
    Ok(secret)
}

fn from_file(file: &Path) -> Result<Secret, Failure> {
    let read = server::config::read_secret(file).map_err(Failure::usage)?;
    let line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let end = read.expose().iter().rposition(|byte| !line_end(byte)).map_or(0, |last| last + 1);
    Ok(Secret::new(read.expose()[..end].to_vec()))
}

fn from_terminal(prompt: &str) -> Result<Secret, Failure> {
    rpassword::prompt_password(prompt).map(|text| Secret::new(text.into_bytes())).map_err(|error| {
        let hint = "there is no terminal to ask on; name a file with --passphrase-file";
        Failure::usage(anyhow!("{hint} ({error})"))
    })
}
