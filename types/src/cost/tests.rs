//! Bounds of Argon2id's parameters.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::strict;

fn front(memory_kib: u32, passes: u32, lanes: u32) -> Vec<u8> {
    Writer::default().bytes([3; 16]).u32(memory_kib).u32(passes).u32(lanes).finish()
}

#[test]
fn parameters_outside_the_bounds_are_refused() {
    for (memory_kib, passes, lanes, ok) in [
        (65_536, 3, 4, true),
        (1 << 20, 16, 4, true),
        (65_535, 3, 4, false),
        ((1 << 20) + 1, 3, 4, false),
        (65_536, 2, 4, false),
        (65_536, 17, 4, false),
        (65_536, 3, 3, false),
        (65_536, 3, 5, false),
        (0, 0, 0, false),
        (u32::MAX, u32::MAX, u32::MAX, false),
    ] {
        let bytes = front(memory_kib, passes, lanes);
        assert_eq!(PassphraseFront::split(&bytes).is_ok(), ok, "{memory_kib} {passes} {lanes}");
        if lanes == Argon2Cost::LANES {
            assert_eq!(Argon2Cost::new(memory_kib, passes).is_some(), ok, "{memory_kib} {passes}");
        }
    }
}

#[test]
fn the_front_is_strict() {
    let parse = |bytes: &[u8]| match PassphraseFront::split(bytes)? {
        (front, []) => Ok(front),
        (_, _) => {
            Err(FormatError::new("passphrase parameters", 28, crate::layout::Problem::Trailing))
        }
    };
    strict(&front(65_536, 3, 4), parse, PassphraseFront::encode);
    let mut longer = front(65_536, 3, 4);
    longer.extend(b"envelope");
    assert_eq!(PassphraseFront::split(&longer).unwrap().1, b"envelope");
}
