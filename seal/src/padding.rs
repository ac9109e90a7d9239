//! Padding: `len u32 ‖ data ‖ zeros`, to one of the nine lengths of `types::padding`.

use types::Secret;
use types::limits::RECORD_DATA_MAX;
use types::padding::padded_size;

use crate::error::SealError;

const LENGTH_LEN: usize = 4;

/// # Errors
/// [`SealError::TooLong`] if the data does not fit the largest length.
pub(crate) fn pad(data: &[u8]) -> Result<Secret, SealError> {
    let too_long = || SealError::TooLong { found: data.len(), max: RECORD_DATA_MAX };
    let size = padded_size(data.len()).ok_or_else(too_long)?;
    let length = u32::try_from(data.len()).map_err(|_| too_long())?;
    // The full length at once: growing would leave unwiped copies behind.
    let mut padded = Vec::with_capacity(size);
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(data);
    padded.resize(size, 0);
    Ok(Secret::new(padded))
}

/// # Errors
/// [`SealError::DoesNotOpen`] unless this is what [`pad`] makes of some data: the smallest length
/// that fits, and zeros to its end.
pub(crate) fn unpad(padded: &Secret) -> Result<Secret, SealError> {
    let (length, rest) =
        padded.expose().split_first_chunk::<LENGTH_LEN>().ok_or(SealError::DoesNotOpen)?;
    let length =
        usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError::DoesNotOpen)?;
    let (data, zeros) = rest.split_at_checked(length).ok_or(SealError::DoesNotOpen)?;
    if padded_size(length) != Some(padded.len()) || zeros.iter().any(|byte| *byte != 0) {
        return Err(SealError::DoesNotOpen);
    }
    Ok(Secret::new(data.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_padded_comes_back() {
        for length in [0, 1, 1020, 1021, 2044, 2045, RECORD_DATA_MAX] {
            let padded = pad(&vec![7; length]).unwrap();
            assert!(padded.len().is_power_of_two());
            assert_eq!(unpad(&padded).unwrap().expose(), vec![7; length]);
        }
        let error = pad(&vec![7; RECORD_DATA_MAX + 1]).map(drop);
        assert_eq!(error, Err(SealError::TooLong { found: 262_141, max: 262_140 }));
    }

    #[test]
    fn other_paddings_of_the_same_data_are_refused() {
        let refused = |bytes: Vec<u8>| {
            assert_eq!(unpad(&Secret::new(bytes)).map(drop), Err(SealError::DoesNotOpen));
        };
        let mut set = pad(b"data").unwrap().expose().to_vec();
        set[1023] = 1;
        refused(set);
        let mut long = pad(b"data").unwrap().expose().to_vec();
        long.resize(2048, 0);
        refused(long);
        let mut beyond = pad(b"data").unwrap().expose().to_vec();
        beyond[..4].copy_from_slice(&u32::MAX.to_be_bytes());
        refused(beyond);
        refused(vec![]);
    }
}
