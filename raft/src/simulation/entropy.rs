//! The one source of randomness of a simulated run.
//!
//! Much in a node draws at random without asking us: the order in which tokio looks at the branches of
//! a `select!` and wakes who waits, the keys of hash maps, election times, jitter, new ids. All of it
//! comes from the system in the end, by glibc's `getrandom`, and whoever defines that symbol in a program
//! takes its place (std documents that it calls it so that this is possible). On a thread that was given
//! a seed it goes on from the seed; on every other thread it is as random as ever.
//!
//! The same is done to `clock_gettime`, which on such a thread stands still: what decides by the system's
//! clock instead of tokio's (h2 forgets streams that were reset a second ago) must not see how busy the
//! machine is.

#![allow(unsafe_code, reason = "a symbol of the C library is defined, with its signature")]

use std::cell::Cell;
use std::fs::File;
use std::io::Read;

use rustix::time::ClockId;

thread_local! {
    static STREAM: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What the clocks of a thread with a seed show, in seconds: some day in 2026, or since some start.
const STANDS_AT: i64 = 1_790_000_000;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

/// From here on this thread draws from the seed.
pub(super) fn begin(seed: u64) {
    STREAM.set(Some(seed));
}

/// Does something with the system's own randomness and clocks: what asks for more of it at one time than at
/// another must not take from the seed.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let stream = STREAM.take();
    let done = work();
    STREAM.set(stream);
    done
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// As `getrandom(2)`.
///
/// # Safety
/// `buffer` must be good for writing `length` bytes, as for the call it takes the place of.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    if length == 0 {
        return 0;
    }
    // SAFETY: as asked of the caller.
    let bytes = unsafe {
        buffer.write_bytes(0, length);
        std::slice::from_raw_parts_mut(buffer, length)
    };
    let filled = match STREAM.get() {
        Some(mut state) => {
            for chunk in bytes.chunks_mut(8) {
                chunk.copy_from_slice(&next(&mut state).to_le_bytes()[..chunk.len()]);
            }
            STREAM.set(Some(state));
            true
        }
        None => File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes)).is_ok(),
    };
    if filled { length as isize } else { -1 }
}

/// As `clock_gettime(2)`.
///
/// # Safety
/// `time` must be good for writing, as for the call it takes the place of.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: i32, time: *mut Timespec) -> i32 {
    let shown = if STREAM.get().is_some() {
        Timespec { seconds: STANDS_AT, nanos: 0 }
    } else {
        let clock = if clock == 0 { ClockId::Realtime } else { ClockId::Monotonic };
        let now = rustix::time::clock_gettime(clock);
        Timespec { seconds: now.tv_sec, nanos: now.tv_nsec }
    };
    // SAFETY: as asked of the caller.
    unsafe { time.write(shown) };
    0
}
