//! The lengths that padded content may have, so that ciphertexts tell little of what they hold.
//!
//! ```text
//! padded = len u32 ‖ data ‖ zeros, to the smallest of 1, 2, 4, …, 256 KiB that fits
//! ```

use crate::limits::RECORD_MAX;

/// The smallest padded length, in bytes.
pub const PADDED_MIN: usize = 1024;

/// The padded length of `len` bytes of data; `None` if they do not fit the largest.
pub fn padded_size(len: usize) -> Option<usize> {
    let needed = len.checked_add(4)?;
    let size = needed.max(PADDED_MIN).checked_next_power_of_two()?;
    (size <= RECORD_MAX).then_some(size)
}

/// Whether padded content may have this length.
pub const fn is_padded_size(len: usize) -> bool {
    len.is_power_of_two() && len >= PADDED_MIN && len <= RECORD_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_padded_to_the_smallest_size_that_fits() {
        for (data, padded) in [
            (0, Some(1024)),
            (1020, Some(1024)),
            (1021, Some(2048)),
            (2044, Some(2048)),
            (2045, Some(4096)),
            (131_068, Some(131_072)),
            (262_140, Some(262_144)),
            (262_141, None),
            (usize::MAX, None),
        ] {
            assert_eq!(padded_size(data), padded, "{data} bytes");
        }
    }

    #[test]
    fn nine_lengths_are_padded_lengths() {
        let lengths: Vec<_> = (0..=RECORD_MAX + 1).filter(|len| is_padded_size(*len)).collect();
        assert_eq!(lengths, (0..9).map(|power| 1024 << power).collect::<Vec<_>>());
    }
}
