//! What happened when: a history in at most a few hundred equal pieces of time.

use crate::{
    figures::{Count, percentile},
    history::{History, Leader, Type},
};
use serde::Deserialize;

/// The most pieces.
const PIECES_MAX: u64 = 300;
const SECOND_NS: u64 = 1_000_000_000;
/// Leader changes that are drawn.
const CHANGES_MAX: usize = 500;

/// A history, piece by piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// How long a piece is: a whole number of seconds.
    pub(super) piece_ns: u64,
    /// Them.
    pub(super) pieces: Vec<Piece>,
    /// When it ends.
    pub(super) end_ns: u64,
    /// Who led what, whenever that changed.
    pub(super) leaders: Vec<(u64, Leader)>,
    /// How many changes more there were.
    pub(super) leaders_left_out: usize,
}

/// A piece of time. An operation belongs to the one in which it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Operations.
    pub(super) count: Count,
    /// How long acknowledged ones took: half of them, 99 in 100, all. None if there was none.
    pub(super) latency_ns: Option<[u64; 3]>,
}

impl Timeline {
    /// Cuts a history into pieces.
    pub(super) fn of(history: &History) -> Timeline {
        let end_ns = history.events().last().map_or(0, |(_, event)| event.time);
        let seconds = (end_ns / SECOND_NS + 1).div_ceil(PIECES_MAX);
        let piece_ns = seconds.max(1) * SECOND_NS;
        let piece = |time: u64| usize::try_from(time / piece_ns).unwrap_or(usize::MAX);
        let mut pieces = vec![Piece::default(); piece(end_ns) + 1];
        let mut took: Vec<Vec<u64>> = vec![Vec::new(); pieces.len()];
        for operation in history.operations() {
            let begun = operation.invoke.time;
            let ended = operation.answer.map_or(begun, |answer| answer.time);
            let at = piece(ended);
            pieces[at].count.add(&operation);
            if operation.outcome() == Type::Ok {
                took[at].push(ended - begun);
            }
        }
        for (piece, mut took) in pieces.iter_mut().zip(took) {
            took.sort_unstable();
            let of = |hundredths| percentile(&took, hundredths);
            piece.latency_ns = of(50).zip(of(99)).zip(of(100)).map(|((a, b), c)| [a, b, c]);
        }
        let mut leaders = leaders(history);
        let leaders_left_out = leaders.len().saturating_sub(CHANGES_MAX);
        leaders.truncate(CHANGES_MAX);
        Timeline { piece_ns, pieces, end_ns, leaders, leaders_left_out }
    }
}

fn leaders(history: &History) -> Vec<(u64, Leader)> {
    let of_leaders = history.events().filter_map(|(_, event)| {
        let about = event.workload == "nemesis" && event.op == "leader";
        about.then(|| Some((event.time, Leader::deserialize(&event.value).ok()?)))?
    });
    of_leaders.collect()
}
