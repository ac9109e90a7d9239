//! The shape of every stored value and command, written down a second time.

use store::keys::Key;

use super::independent::Shape::{self, *};

fn fields<const N: usize>(shapes: [Shape; N]) -> Shape {
    Fields(shapes.into())
}

fn option(shape: Shape) -> Shape {
    Option(Box::new(shape))
}

fn list(shape: Shape) -> Shape {
    Sequence(Box::new(shape))
}

fn position() -> Shape {
    fields([Number, Number, Number])
}

fn ring() -> Shape {
    fields([Number, Number])
}

fn membership() -> Shape {
    let member = fields([Bytes, Bytes, Number, option(Number)]);
    fields([Bytes, Number, Bytes, Number, Byte, Byte, Number, list(member)])
}

fn policy() -> Shape {
    Fields(vec![Number; 7])
}

fn node_state() -> Shape {
    Choice(vec![Fields(vec![]); 4])
}

fn role() -> Shape {
    Choice(vec![Fields(vec![]); 2])
}

/// The value of a row.
pub(super) fn of_row(key: &Key) -> Shape {
    match key {
        Key::Wallet(_) => {
            let frontier = fields([Number, list(Bytes)]);
            fields([Bytes, frontier, list(Number), Number, Number, ring(), Number, Number, Number])
        }
        Key::Membership(_) => membership(),
        Key::Link(..) => fields([Bytes, Bytes]),
        Key::DataKey(_) | Key::Body(..) | Key::Trail(..) | Key::AuditNode(..) => Bytes,
        Key::Entry(..) => fields([Number, Bytes, Number, Number, Array(32)]),
        Key::HeadHash(..) => fields([Bytes, option(Array(32))]),
        Key::Tombstone(..) => Number,
        Key::TombstoneOrder(..) => fields([Bytes, Number]),
        Key::Floor(_) => fields([membership(), list(fields([Bytes, Bytes])), Bytes]),
        Key::Journal(_) => fields([Bytes, Number, Number]),
        Key::JournalEnd => Number,
        Key::Restore => {
            let digest = fields([Number, Number, Number, Number]);
            fields([Array(32), Number, digest, Bytes, Number, Byte])
        }
        Key::Backup(_) => fields([Array(32), Number]),
        Key::Level | Key::NodeLevel(_) => Byte,
        Key::Applied => {
            let digest = fields([Number, Number, Number, Number]);
            fields([option(position()), option(fields([position(), Bytes])), digest])
        }
        Key::Standing => fields([Number, Number, Number, ring()]),
        Key::Policy => policy(),
        Key::Slots => list(fields([Byte, Number, Number])),
        Key::Locator(_) => list(Bytes),
        Key::AuditLeaf(_) => Bytes,
        Key::Receipt(..) => {
            let reply = Choice(vec![Fields(vec![]), Number, Number, fields([Number, Byte])]);
            fields([Array(32), reply])
        }
        Key::ReceiptOrder(_) => fields([Array(16), Bytes]),
        Key::Cluster => fields([Bytes, Number, list(Byte), Byte, Number, Number]),
        Key::Node(_) => fields([Number, Bytes, Bytes, role(), Bytes, Bytes, Bytes, node_state()]),
        Key::Placement(_) => fields([Number, list(Number), list(Number)]),
        Key::SlotMap(_) => list(fields([Number, Number])),
        Key::Epoch(_) => fields([Array(32), Choice(vec![Fields(vec![]); 3]), Number]),
    }
}

/// A command.
pub(super) fn command() -> Shape {
    let base = fields([Bytes, Bytes]);
    let link = fields([Number, Bytes, Bytes]);
    let record = fields([Bytes, Number, Bytes, Number, Bytes]);
    let leaf = || Array(32);
    let push = fields([
        Array(32),
        option(base),
        Bytes,
        list(Bytes),
        list(link),
        option(membership()),
        list(record),
        list(Bytes),
        option(Bytes),
        Number,
        leaf(),
    ]);
    let act = fields([Array(16), Bytes, Number, Number, leaf()]);
    Choice(vec![push, fields([act, system()])])
}

fn fact() -> Shape {
    fields([Number, list(fields([Bytes, Bytes])), membership(), Bytes])
}

fn system() -> Shape {
    let node = || fields([Bytes, Bytes, role(), Bytes, Bytes, Bytes]);
    Choice(vec![
        fields([Bytes, list(node()), Number, list(Byte), Byte, policy()]),
        node(),
        fields([Number, Bytes, Bytes]),
        fields([Number, node_state()]),
        fields([Number, Number, list(Number), list(Number)]),
        policy(),
        Byte,
        fields([Number, Array(32)]),
        Number,
        Array(32),
        fields([Array(32), Number, Bytes]),
        fields([Array(32), list(fact())]),
        fields([Array(32), Number, fields([Number, Number, Number, Number])]),
        fields([Array(32), Byte, Number]),
        fields([Number, Byte]),
        Byte,
    ])
}
