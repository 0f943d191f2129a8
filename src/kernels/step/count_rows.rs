//! Bounds the rows of other dispatches by a count that lies on the GPU. It writes the words of their
//! parameters that depend on the number of rows.

use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/step/count_rows.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "count_rows" in "step/count_rows",
    Parameters,
    [],
    [
        Slot::read("count").with_type("array<u32>"),
        Slot::read("table").with_type("array<u32>"),
        Slot::write("words").with_type("array<u32>"),
    ]
);

shader_struct! {
    /// `count` is one element. `table` is `[words, 6]`: see the function `row`. `words` are the
    /// parameters of the other dispatches.
    pub Parameters {
        /// Words to write.
        words: u32,
        /// The largest number of rows. A larger count counts as this.
        most: u32,
    }
}

/// Describes the words of some dispatches.
#[derive(Debug, Clone, Copy)]
pub struct CountRows {
    /// Words to write.
    pub words: usize,
    /// The largest number of rows.
    pub most: usize,
}

impl CountRows {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let n = |value: usize| to_u32("a size of a count of rows", wide(value));
        n(self.words.saturating_mul(6))?;
        let p = Parameters { words: n(self.words)?, most: n(self.most)? };
        let words = wide(self.words);
        Ok(Dispatch::over(&KERNEL, &p, words, 0).costing(7 * words, words, words))
    }

    /// The word of a row of the table on the CPU.
    pub fn reference(&self, count: u32, [_, all, first, each, per, weighs]: [u32; 6]) -> u32 {
        let most = u32::try_from(self.most).unwrap_or(u32::MAX);
        let rows = count.min(most);
        if weighs != 0 {
            return (f32::from_bits(all) * (most as f32 / rows.max(1) as f32)).to_bits();
        }
        (rows.saturating_sub(first).saturating_mul(each)).div_ceil(per).min(all)
    }
}

/// The row of the table for a word of a dispatch, whose parameters begin at `offset` bytes: the
/// word's index, its value without a count, the first row, elements of a row, rows of an element,
/// and 1 for a weight.
///
/// # Errors
/// A size does not fit in the shader's `u32`.
pub(crate) fn row(word: Counted, offset: u64, parameters: &[u8]) -> Result<[u32; 6]> {
    let n = |value: usize| to_u32("a size of a count of rows", wide(value));
    let (at, first, each, per, weighs) = match word {
        Counted::Rows { at, first, each } => (at, first, each, 1, 0),
        Counted::Blocks { at, rows } => (at, 0, 1, rows, 0),
        Counted::Weight { at } => (at, 0, 0, 1, 1),
    };
    let all = parameters.get(at..at + 4).map_or(0, bytemuck::pod_read_unaligned);
    Ok([to_u32("a word", offset / 4)? + n(at / 4)?, all, n(first)?, n(each)?, n(per)?, weighs])
}
