//! Receipts of acts: a retry gets the same answer and has no second effect.

use types::rejection::Rejection;

use super::apply::{Halt, policy, refused};
use super::view::View;
use crate::act::Act;
use crate::command::SystemReply;
use crate::fault::Fault;
use crate::keys::Key;
use crate::rows::{ReceiptRow, StandingRow};

/// What the act answered when it was first applied, if that is remembered.
///
/// An act whose receipt may have been given up is `TooOld`: see [`crate::act`].
pub(super) fn earlier(
    view: &mut View<'_>,
    standing: &StandingRow,
    act: &Act,
    content: [u8; 32],
) -> Result<Option<SystemReply>, Halt> {
    match view.get::<ReceiptRow>(&Key::Receipt(act.caller, act.request))? {
        Some(receipt) if receipt.content == content => Ok(Some(receipt.reply)),
        Some(_) => Err(Rejection::RequestReused.into()),
        None if act.after < standing.receipts.first => Err(Rejection::TooOld.into()),
        None if act.after > standing.receipts.next => Err(refused(
            "malformed",
            "the act says that it was made after acts that never were; read their number anew",
        )),
        None => Ok(None),
    }
}

/// Remembers an act, and gives up the oldest beyond the policy.
pub(super) fn keep(
    view: &mut View<'_>,
    standing: &mut StandingRow,
    act: &Act,
    content: [u8; 32],
    reply: &SystemReply,
) -> Result<(), Fault> {
    let limit = policy(view)?.receipts;
    let number = standing.receipts.push();
    view.put_new(&Key::ReceiptOrder(number), &(act.caller, act.request));
    view.put_new(
        &Key::Receipt(act.caller, act.request),
        &ReceiptRow { content, reply: reply.clone() },
    );
    for oldest in standing.receipts.trim(limit.into()) {
        let (caller, request) = view.expect(&Key::ReceiptOrder(oldest))?;
        view.delete(&Key::ReceiptOrder(oldest));
        view.delete(&Key::Receipt(caller, request));
    }
    Ok(())
}
