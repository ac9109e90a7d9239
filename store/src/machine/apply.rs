//! One command on top of a view.
//!
//! Two ways to stop early, kept apart by type: a [`Halt::Rejected`] becomes the reply, a
//! [`Halt::Fault`] the end of the node. All checks of a command come before its first write.

use types::rejection::Rejection;

use super::view::View;
use super::{audit, bootstrap, cluster, level, placement, push, receipts, restore};
use crate::act::Act;
use crate::audit::AuditKind;
use crate::command::{Command, Reply, SystemCommand, SystemReply};
use crate::fault::Fault;
use crate::keys::Key;
use crate::policy::Policy;
use crate::rows::StandingRow;

/// Why a command was not carried out.
pub(super) enum Halt {
    Rejected(Rejection),
    Fault(Fault),
}

impl From<Rejection> for Halt {
    fn from(rejection: Rejection) -> Self {
        Halt::Rejected(rejection)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Fault(fault)
    }
}

/// A lawful no to a command that is wrong in itself: `code` is stable, `message` is for people.
pub(super) fn refused(code: &str, message: impl Into<String>) -> Halt {
    Halt::Rejected(Rejection::Refused { code: code.into(), message: message.into() })
}

/// Applies one command.
pub(super) fn run(view: &mut View<'_>, command: &Command) -> Result<Reply, Fault> {
    let outcome = match command {
        Command::Push(push) => push::apply(view, push),
        Command::System(act, command) => system(view, act, command).map(Reply::System),
    };
    match outcome {
        Ok(reply) => Ok(reply),
        Err(Halt::Rejected(rejection)) => Ok(Reply::Rejected(rejection)),
        Err(Halt::Fault(fault)) => Err(fault),
    }
}

fn system(view: &mut View<'_>, act: &Act, command: &SystemCommand) -> Result<SystemReply, Halt> {
    // The steps of a restore replace the very rows that receipts and audit leaves are; its end, which
    // is an act like any other, is what is recorded of it.
    match command {
        SystemCommand::BeginRestore { backup } => return restore::begin(view, *backup),
        SystemCommand::RestoreRows { backup, first, rows } => {
            return restore::take(view, *backup, *first, rows);
        }
        SystemCommand::RestoreFacts { backup, facts } => {
            return restore::raise(view, *backup, facts);
        }
        SystemCommand::FinishRestore { .. } => {}
        _ => restore::check_open(view)?,
    }
    let mut standing = standing(view)?;
    let content = command.content();
    if let Some(earlier) = receipts::earlier(view, &standing, act, content)? {
        return Ok(earlier);
    }
    let time_ms = advance(&mut standing, act.time_ms);
    let reply = match command {
        SystemCommand::Bootstrap(bootstrap) => bootstrap::begin(view, bootstrap),
        SystemCommand::SetPolicy(policy) => cluster::set_policy(view, policy),
        SystemCommand::RegisterNode(node) => cluster::register(view, node),
        SystemCommand::UpdateNode { node, peer, endpoint } => {
            cluster::update(view, *node, peer, endpoint)
        }
        SystemCommand::SetNodeState { node, state } => cluster::set_state(view, *node, *state),
        SystemCommand::AllowSingleDc(allow) => cluster::allow_single_dc(view, *allow),
        SystemCommand::AddEpoch { epoch, commitment } => {
            cluster::add_epoch(view, *epoch, *commitment, time_ms)
        }
        SystemCommand::DestroyEpoch { epoch } => cluster::destroy_epoch(view, *epoch, time_ms),
        SystemCommand::SetPlacement(placing) => placement::set(view, placing),
        SystemCommand::FinishRestore { backup, rows, digest } => {
            restore::finish(view, *backup, *rows, *digest)
        }
        SystemCommand::NoteBackup { backup, verified, time_ms } => {
            restore::note(view, *backup, *verified, *time_ms)
        }
        SystemCommand::AnnounceLevel { node, level } => level::announce(view, *node, *level),
        SystemCommand::BeginLevel { level } => level::begin(view, *level),
        // Done above.
        SystemCommand::BeginRestore { .. }
        | SystemCommand::RestoreRows { .. }
        | SystemCommand::RestoreFacts { .. } => Ok(SystemReply::Done),
    }?;
    receipts::keep(view, &mut standing, act, content, &reply)?;
    audit::record(view, &mut standing, AuditKind::Act, &act.leaf)?;
    view.put(&Key::Standing, &standing);
    Ok(reply)
}

/// The group's clock and counters.
pub(super) fn standing(view: &mut View<'_>) -> Result<StandingRow, Fault> {
    Ok(view.get(&Key::Standing)?.unwrap_or_default())
}

/// The limits in force.
pub(super) fn policy(view: &mut View<'_>) -> Result<Policy, Fault> {
    Ok(view.get(&Key::Policy)?.unwrap_or_default())
}

/// Moves the group's clock to `stamp_ms` if that is later, and returns where it stands.
pub(super) fn advance(standing: &mut StandingRow, stamp_ms: u64) -> u64 {
    standing.time_ms = standing.time_ms.max(stamp_ms);
    standing.time_ms
}
