//! The format level of the cluster: which formats every node can read.
//!
//! Whether a level may begin is decided here, from what nodes have announced, and by nobody else: a
//! leader that knows less than all can only be refused.

use types::ids::NodeId;
use types::node::{NodeInfo, NodeState};

use super::apply::{Halt, refused};
use super::cluster::{in_service, known};
use super::view::View;
use crate::command::SystemReply;
use crate::formats::FIRST_LEVEL;
use crate::keys::Key;
use crate::rows::LevelRow;

/// Notes which level a node's program knows.
pub(super) fn announce(view: &mut View<'_>, id: NodeId, level: u8) -> Result<SystemReply, Halt> {
    known(view)?;
    let node = in_service(view, id)?;
    let present = of(view, &Key::Level)?;
    if level < present {
        let message = format!(
            "node {} runs a program that knows format level {level}, and the cluster is at {present}: start a newer one",
            node.name
        );
        return Err(refused("level", message));
    }
    view.put(&Key::NodeLevel(id), &LevelRow { level });
    Ok(SystemReply::Done)
}

/// Begins the next level, if everyone knows it.
pub(super) fn begin(view: &mut View<'_>, level: u8) -> Result<SystemReply, Halt> {
    let cluster = known(view)?;
    let present = of(view, &Key::Level)?;
    if level <= present {
        return Ok(SystemReply::Done);
    }
    if level - present != 1 {
        let message =
            format!("level {level} does not follow {present}: levels begin one after the other");
        return Err(refused("level", message));
    }
    for id in (1..=cluster.nodes).map(NodeId) {
        let node: NodeInfo = view.expect(&Key::Node(id))?;
        let knows = of(view, &Key::NodeLevel(id))?;
        if node.state != NodeState::Removed && knows < level {
            let message = format!("node {} knows format level {knows} only", node.name);
            return Err(refused("level", message));
        }
    }
    view.put(&Key::Level, &LevelRow { level });
    Ok(SystemReply::Done)
}

/// What was not said is the first level.
fn of(view: &mut View<'_>, key: &Key) -> Result<u8, Halt> {
    Ok(view.get::<LevelRow>(key)?.map_or(FIRST_LEVEL, |row| row.level))
}
