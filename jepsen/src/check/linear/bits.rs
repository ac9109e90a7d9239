//! A set of small numbers.

/// Bit `n` of word `n / 64`. The last word is never zero, so that equal sets are equal words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, bit: usize) {
        if self.0.len() <= bit / 64 {
            self.0.resize(bit / 64 + 1, 0);
        }
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    pub(super) fn clear(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word &= !(1 << (bit % 64));
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn sets_with_the_same_numbers_are_equal_however_they_came_about() {
        let mut set = Bits::default();
        for bit in [0, 63, 64, 200] {
            assert!(!set.has(bit));
            set.set(bit);
            assert!(set.has(bit));
        }
        for bit in [200, 0, 64, 63] {
            set.clear(bit);
            assert!(!set.has(bit));
        }
        assert_eq!(set, Bits::default());
    }
}
