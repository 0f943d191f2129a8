//! The rows of each training step.
//!
//! Every epoch has a seeded pseudo-random permutation of the rows. It is computed per element: no
//! table is stored, and a shader samples the rows that the CPU samples. The permutation is a
//! Feistel network over the smallest even number of bits that holds the rows. It walks along its
//! cycle until it lands on a row (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
//! 2002).

use crate::error::{Error, Result};

/// The number of rows of a step, and their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Batch {
    /// All rows.
    #[default]
    Full,
    /// `size` rows, sampled without replacement until every row has been used, in an order that
    /// `seed` and the epoch determine. Where `size` does not divide the number of rows, a batch
    /// takes its last rows from the next epoch. All batches are therefore full, and each row is
    /// used once per epoch. All models of a population sample the same rows.
    Shuffled {
        /// Rows per step, from 1 to the number of rows.
        size: usize,
        /// The seed of the permutations.
        seed: u32,
    },
    /// `size` rows in the data's own order, epoch after epoch, for data that are already shuffled.
    /// A batch that reaches the end of an epoch continues as [`Batch::Shuffled`] does.
    Sequential {
        /// Rows per step, from 1 to the number of rows.
        size: usize,
    },
}

impl Batch {
    /// The number of rows of one step, on data of `rows` rows.
    ///
    /// # Errors
    /// [`Error::Argument`] where a mini-batch has no rows, or more rows than the data.
    pub fn size(self, rows: usize) -> Result<usize> {
        match self {
            Self::Full => Ok(rows),
            Self::Shuffled { size, .. } | Self::Sequential { size } => {
                if size == 0 || size > rows {
                    let allowed = format!("from 1 to the data's {rows}");
                    return Err(Error::argument("the rows of a mini-batch", size, allowed));
                }
                Ok(size)
            }
        }
    }

    /// The permutations' seed; `None` where the rows stay in order.
    pub(crate) const fn seed(self) -> Option<u32> {
        match self {
            Self::Full | Self::Sequential { .. } => None,
            Self::Shuffled { seed, .. } => Some(seed),
        }
    }
}

/// A well-mixed 32-bit hash. Its constants are those of Wellons' `lowbias32`, which were found by
/// search.
const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The key of an epoch's permutation.
pub(crate) const fn epoch_key(seed: u32, epoch: u32) -> u32 {
    mix(seed ^ mix(epoch ^ 0x9e37_79b9))
}

/// Half the bits of the Feistel network that covers `rows` rows; 0 without a seed, where the rows
/// stay in order.
pub(crate) const fn half_bits(rows: u32, seed: Option<u32>) -> u32 {
    if seed.is_none() {
        return 0;
    }
    let bits = u32::BITS - rows.saturating_sub(1).leading_zeros();
    if bits < 2 { 1 } else { bits.div_ceil(2) }
}

/// The row at `position` of an epoch. Both are below `rows`.
pub(crate) fn shuffled(position: u32, rows: u32, key: u32) -> u32 {
    let half = half_bits(rows, Some(key));
    let mask = (1_u32 << half) - 1;
    let mut x = position;
    loop {
        let (mut left, mut right) = (x >> half, x & mask);
        for round in 0..4_u32 {
            let next =
                left ^ (mix(right ^ key.wrapping_add(round.wrapping_mul(0x9e37_79b9))) & mask);
            left = right;
            right = next;
        }
        x = (left << half) | right;
        // The network permutes all 2^(2·half) numbers, so the walk returns to the rows.
        if x < rows {
            return x;
        }
    }
}

/// The epoch and the position of the next mini-batch, as in the trainer's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    pub epoch: u32,
    pub position: u32,
}

impl Cursor {
    /// The row of element `index` of the batch.
    pub fn row(self, index: u32, rows: u32, seed: Option<u32>) -> u32 {
        let (epoch, position) = self.at(index, rows);
        seed.map_or(position, |seed| shuffled(position, rows, epoch_key(seed, epoch)))
    }

    /// The epoch and position after `count` elements. `count` is at most `rows`.
    const fn at(self, count: u32, rows: u32) -> (u32, u32) {
        // Avoids the sum, which may overflow.
        if count < rows - self.position {
            (self.epoch, self.position + count)
        } else {
            (self.epoch.wrapping_add(1), count - (rows - self.position))
        }
    }

    /// Moves on by a batch of `size` rows.
    pub const fn advance(&mut self, size: u32, rows: u32) {
        (self.epoch, self.position) = self.at(size, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_is_a_permutation() {
        for rows in [1_u32, 2, 3, 4, 5, 15, 16, 17, 31, 64, 65, 257, 1000] {
            for epoch in 0..5 {
                let key = epoch_key(7, epoch);
                let mut seen = vec![false; rows as usize];
                for position in 0..rows {
                    let row = shuffled(position, rows, key) as usize;
                    assert!(!std::mem::replace(&mut seen[row], true), "{row} twice of {rows}");
                }
            }
        }
        assert!(shuffled(u32::MAX - 1, u32::MAX, 1) < u32::MAX);
    }

    #[test]
    fn batches_that_straddle_epochs_use_each_row_once_an_epoch() {
        let (rows, size) = (10, 4);
        let mut cursor = Cursor::default();
        let mut sampled = Vec::new();
        for _ in 0..5 {
            sampled.extend((0..size).map(|i| cursor.row(i, rows, Some(3))));
            cursor.advance(size, rows);
        }
        assert_eq!((cursor.epoch, cursor.position), (2, 0));
        for epoch in sampled.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(sampled[..10], sampled[10..], "the order changes with the epoch");
    }

    /// A row's position in an epoch should be uniform: chi-squared over 16 × 16 cells with 225
    /// degrees of freedom stays below its 99.99 % point.
    #[test]
    fn positions_are_uniform() {
        let (rows, epochs) = (16_u32, 16_000);
        let mut counts = vec![0.0_f64; 256];
        for epoch in 0..epochs {
            for position in 0..rows {
                counts[(position * 16 + shuffled(position, rows, epoch_key(1, epoch))) as usize] +=
                    1.0;
            }
        }
        let expected = f64::from(epochs) / 16.0;
        let chi: f64 = counts.iter().map(|c| (c - expected).powi(2) / expected).sum();
        assert!(chi <= 312.0, "{chi}");
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert_eq!(Batch::Full.size(5), Ok(5));
        assert_eq!(Batch::Shuffled { size: 5, seed: 0 }.size(5), Ok(5));
        for size in [0, 6] {
            for batch in [Batch::Shuffled { size, seed: 0 }, Batch::Sequential { size }] {
                let error = batch.size(5).unwrap_err();
                assert!(error.to_string().contains("from 1 to the data's 5"), "{error}");
            }
        }
    }
}
