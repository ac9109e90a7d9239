//! `holdfast wallet`: a wallet on this device.

mod access;
mod create;
mod devices;
mod export;
mod import;
mod list;
mod records;
mod recover;
mod session;
mod sync;

use crate::{failure::Failure, output::Output};
pub(crate) use access::ProfileArgs;
use clap::Subcommand;
pub(crate) use list::travels;

/// Arguments of `holdfast wallet`.
#[derive(Debug, clap::Args)]
pub(crate) struct WalletArgs {
    #[command(flatten)]
    profile: ProfileArgs,
    #[command(subcommand)]
    command: WalletCommand,
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Make a new wallet, with this as its first device.
    Create(create::CreateArgs),
    /// Store a file as it is, under a name. `push` sends it.
    Put(records::PutArgs),
    /// Write a stored file to standard output.
    Get(records::GetArgs),
    /// Show what is stored: type, issuer, validity, whether it is portable.
    List,
    /// Delete a record. `push` tells the other devices.
    Delete(records::NameArgs),
    /// End the conflicts of a record: keep its value, or take one that was set aside.
    Settle(records::SettleArgs),
    /// Send what was changed here.
    Push,
    /// Get what other devices changed, and verify it.
    Pull,
    /// Follow what other devices change, until Ctrl-C.
    Watch,
    /// Show who is and was a member of the wallet.
    Devices,
    /// Put a device out and change the wallet key.
    Revoke(devices::RevokeArgs),
    /// Get a wallet back with its recovery code, with this as a new device.
    Recover(recover::RecoverArgs),
    /// Open a session for other tools, such as curl.
    Session(session::SessionArgs),
    /// Store credentials, each read and checked; any other file is kept as it is.
    Import(import::ImportArgs),
    /// Write the stored files back, byte for byte.
    Export(export::ExportArgs),
}

pub(crate) async fn run(args: WalletArgs, output: &Output) -> Result<(), Failure> {
    let profile = args.profile;
    match args.command {
        WalletCommand::Create(args) => create::run(&profile, args, output).await,
        WalletCommand::Put(args) => records::put(&mut profile.open()?, &args, output),
        WalletCommand::Get(args) => records::get(&profile.open()?, &args, output),
        WalletCommand::List => list::run(&profile.open()?, output),
        WalletCommand::Delete(args) => records::delete(&mut profile.open()?, &args, output),
        WalletCommand::Settle(args) => records::settle(&mut profile.open()?, &args, output),
        WalletCommand::Push => sync::push(&mut profile.open()?, output).await,
        WalletCommand::Pull => sync::pull(&mut profile.open()?, output).await,
        WalletCommand::Watch => sync::watch(&mut profile.open()?, output).await,
        WalletCommand::Devices => devices::list(&profile.open()?, output),
        WalletCommand::Revoke(args) => devices::revoke(&profile, args, output).await,
        WalletCommand::Recover(args) => recover::run(&profile, args, output).await,
        WalletCommand::Session(args) => session::run(&profile, args, output).await,
        WalletCommand::Import(args) => import::run(&mut profile.open()?, &args, output),
        WalletCommand::Export(args) => export::run(&profile.open()?, &args, output),
    }
}
