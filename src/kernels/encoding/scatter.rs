//! Adds the gradient of a [`Grid`]'s outputs to the table entries that produced them, in fixed
//! point: integers have the same sum in any order.
//!
//! Let p be the largest magnitude of that gradient. A corner's contribution c is rounded to v = c ·
//! 2ⁿ, with the largest n for which |p| · 2ⁿ < 2^bits. The lower `low` bits of v, with their sign,
//! are added to one integer and the rest to another, so that no sum over the step's rows overflows
//! (see [`Precision`]). Each contribution is off by at most half a quantum, p · 2^−bits.
//! [`super::dequantize`] converts the sums to f32.
//!
//! Many contributions meet in the few entries of a coarse level. On hardware, a workgroup therefore
//! adds up a block of rows in workgroup memory, for each level that fits there, and then adds the
//! block's sums to those of all blocks. They are the same integers, so the bits are the same.

use super::encode_grid::{self, corners, fetch, grid_of, variant, without_features};
use super::{EncodedPart, n};
use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot};
use crate::network::encoding::{GRID_DIMENSIONS, Grid};
use crate::numeric::wide;
use crate::wgsl::{Piece, QUANTA_DIRECT, QUANTA_WORKGROUP, Writer, shader_struct};
use std::mem::offset_of;
use std::ops::Range;

/// `shaders/encoding/scatter.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "scatter" in "encoding/scatter",
    Parameters,
    [FIXED_POINT_SCALE],
    [
        Slot::read("inputs"),
        Slot::read("delta"),
        Slot::read("max_abs_bits").with_type("array<u32>"),
        Slot::write("sums").with_type("array<atomic<i32>>"),
    ]
);

shader_struct! {
    /// `inputs` is `[sets, …, inputs]`, `delta` `[models, rows, width]` and `max_abs_bits`
    /// `[models]`. `sums` is `[models, tables, 2]`: the lower integer and the upper one.
    pub Parameters {
        /// The number of models.
        models: u32,
        /// Rows of a model.
        rows: u32,
        /// Elements from one model's inputs to the next's; 0 where all models share them.
        input_model: u32,
        /// The index of the first element that is encoded.
        input_offset: u32,
        /// Columns of the inputs.
        inputs: u32,
        /// The first chunk of features of this dispatch. A level has one chunk, or two where it has
        /// eight features.
        first_chunk: u32,
        /// Chunks of features of this dispatch.
        chunks: u32,
        /// Blocks of rows.
        blocks: u32,
        /// Rows of a block. Each has one workgroup for every chunk.
        block_rows: u32,
        /// Elements from row to row of the outputs' gradient.
        width: u32,
        /// The index of this grid's first output in the buffer.
        first: u32,
        /// Elements of a model's tables.
        tables: u32,
        /// Bits of a contribution.
        bits: u32,
        /// Bits of a contribution that are summed in the lower integer.
        low: u32,
        /// Bits of a contribution that are summed in a block's only integer.
        block_low: u32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The invocations of a workgroup that adds up a block in workgroup memory.
const BLOCK_WORKGROUP: u32 = 256;

/// The most workgroup memory for a block's sums, in bytes. With more, too few workgroups run at a
/// time.
const MAX_SHARED: u32 = 32 << 10;

/// The smallest number of rows of a block. A step of fewer rows has few contributions to add.
const SMALLEST_BLOCK: usize = 1024;

/// The largest number of rows of a block.
const LARGEST_BLOCK: usize = 4096;

/// The number of blocks from which on they grow: so many workgroups fill a GPU.
const WANTED_BLOCKS: usize = 512;

/// Describes the gradient of a grid's tables, summed over some rows.
#[derive(Debug, Clone)]
pub struct Scatter {
    /// The grid and its rows. Their width is the row stride of `delta`.
    pub(crate) part: EncodedPart,
    /// The index of this grid's first element of `delta`.
    pub(crate) first: usize,
}

impl Scatter {
    /// A grid that encodes all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`](crate::Encoding::check).
    pub fn new(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self { part: EncodedPart::whole(grid.into(), inputs, models, rows)?, first: 0 })
    }

    /// Describes the dispatches: one for the levels whose sums fit in workgroup memory, where that
    /// is faster, and one for the other levels.
    ///
    /// # Errors
    /// There are more rows than the sums can hold, or a size does not fit in the shader's `u32`.
    pub fn dispatches(&self, capabilities: &Capabilities) -> Result<Vec<Dispatch>> {
        let range = &self.part.range;
        let grid = grid_of(range)?;
        let coarse = self.coarse_levels(grid, capabilities);
        let of_level = grid.features_per_level / grid.chunk();
        let [coarse, all] = [coarse, grid.levels].map(|levels| levels.saturating_mul(of_level));
        let parts = [(0..coarse, true), (coarse..all, false)];
        let parts = parts.into_iter().filter(|(chunks, _)| !chunks.is_empty());
        parts.map(|(chunks, in_workgroup)| self.part(grid, chunks, in_workgroup)).collect()
    }

    /// The number of levels, from the coarsest on, that are summed in workgroup memory.
    fn coarse_levels(&self, grid: Grid, capabilities: &Capabilities) -> u32 {
        let rows = self.part.rows.rows;
        // On a CPU workgroup memory is slow, and an addition to memory is not.
        if capabilities.software
            || rows < SMALLEST_BLOCK
            || capabilities.max_workgroup() < BLOCK_WORKGROUP
        {
            return 0;
        }
        let room = capabilities.limits.max_compute_workgroup_storage_size.min(MAX_SHARED) / 4;
        let levels = grid.levels(self.part.range.inputs.len());
        let fits = levels.iter().take_while(|level| level.size <= room / grid.chunk());
        u32::try_from(fits.count()).unwrap_or(0)
    }

    /// The rows of a block that is summed in workgroup memory, for so many chunks: few enough that
    /// there are hundreds of workgroups, and enough that they have more contributions than sums.
    fn block_rows(&self, chunks: u32) -> usize {
        let rows = &self.part.rows;
        let all = rows.rows.saturating_mul(rows.models).saturating_mul(chunks as usize);
        let most = 1 << rows.rows.max(1).ilog2();
        let wanted = 1 << (all / WANTED_BLOCKS).max(1).ilog2();
        most.min(wanted.clamp(SMALLEST_BLOCK, LARGEST_BLOCK))
    }

    /// Describes the dispatch for some chunks.
    fn part(&self, grid: Grid, chunks: Range<u32>, in_workgroup: bool) -> Result<Dispatch> {
        let EncodedPart { range, rows } = &self.part;
        let inputs = range.inputs.len();
        let Precision { bits, low } = Precision::of(rows.rows, inputs)?;
        let of = encode_grid::parameters(&self.part, 0)?;
        n(rows.models.saturating_mul(range.tables.len()).saturating_mul(2))?;
        let count = chunks.end - chunks.start;
        let (workgroup, block_rows) = if in_workgroup {
            (BLOCK_WORKGROUP, self.block_rows(count))
        } else {
            (KERNEL.workgroup, KERNEL.workgroup as usize)
        };
        let blocks = rows.rows.div_ceil(block_rows);
        let p = Parameters {
            models: of.models,
            rows: of.rows,
            input_model: of.input_model,
            input_offset: of.input_offset,
            inputs: of.inputs,
            first_chunk: chunks.start,
            chunks: count,
            blocks: n(blocks)?,
            block_rows: n(block_rows)?,
            width: of.width,
            first: n(self.first)?,
            tables: n(range.tables.len())?,
            bits,
            low,
            block_low: Precision::of(block_rows, inputs)?.low,
            count: of.rows,
        };
        let last = chunks.end.div_ceil(grid.features_per_level / grid.chunk()) - 1;
        let level = grid.levels(inputs).into_iter().nth(last as usize);
        let sums = level.map_or(0, |level| level.size).saturating_mul(grid.chunk());
        let mut variant = variant(&self.part)?;
        variant.workgroup = Some(workgroup);
        fetch(&mut variant, grid, "delta_at", "delta", of.chunks_are_vectors(p.first, grid));
        let mut w = Writer::default();
        w.push(&grid.splice_parts());
        w.constant("WORKGROUP", workgroup);
        w.flag("IN_WORKGROUP", in_workgroup);
        let mut of_sums = 0;
        let quanta: &Piece = if in_workgroup {
            w.constant("BLOCK_SUMS", sums);
            of_sums = 2 * (u64::from(sums.div_ceil(workgroup)) + 1);
            &QUANTA_WORKGROUP
        } else {
            &QUANTA_DIRECT
        };
        variant.pieces.push(quanta);
        variant.generated += &w.finish();
        without_features(&mut variant);
        let share = |all: u64| all / u64::from(of.chunks.max(1)) * u64::from(count);
        let all = self.part.all_rows();
        let work = share(all.saturating_mul(grid.work(inputs)));
        let read = share(all.saturating_mul(wide(inputs + range.outputs.len())));
        let a_row = 1 + corners(range) * (1 + u64::from(grid.chunk()) + 1) + 1;
        let iterations = wide(block_rows / workgroup as usize) * a_row + 1 + of_sums;
        let groups = wide(blocks).saturating_mul(wide(rows.models)).saturating_mul(count.into());
        Ok(Dispatch::new(&KERNEL, &p, groups, iterations)
            .with(variant)
            .costing(read.saturating_add(work), work, work)
            .counting(self.part.counted(offset_of!(Parameters, count))))
    }
}

/// The fixed-point precision of a table's gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precision {
    /// Bits of a contribution, counted down from the largest gradient of an output.
    pub bits: u32,
    /// Bits of a contribution that are summed in the lower integer.
    pub low: u32,
}

impl Precision {
    /// The largest number of bits for which a sum over `rows` rows never overflows two 32-bit
    /// integers.
    ///
    /// # Errors
    /// So many rows leave a contribution fewer than 12 bits.
    pub fn of(rows: usize, inputs: usize) -> Result<Self> {
        let log = rows.checked_next_power_of_two().map_or(usize::BITS, usize::trailing_zeros);
        let contributions = log + u32::try_from(inputs.min(GRID_DIMENSIONS)).unwrap_or(4);
        // No more bits than an f32 has. The upper integer of most contributions is then 0 and not
        // added.
        let bits = 62_u32.saturating_sub(log + contributions).min(24);
        if contributions > 28 || bits < 12 {
            return Err(Error::argument(
                "the rows of a step in front of a grid",
                rows,
                format!("at most {}", 1_u64 << ((50 - inputs.min(GRID_DIMENSIONS)) / 2)),
            ));
        }
        Ok(Self { bits, low: 32 - contributions })
    }

    /// The exponent n for a largest magnitude that is given by its bits. A contribution counts in
    /// units of 2⁻ⁿ.
    pub const fn exponent(&self, max_bits: u32) -> i32 {
        self.bits as i32 + 126 - (max_bits >> 23) as i32
    }

    /// The lower and the upper integer of a contribution, on the CPU.
    pub fn quantize(&self, contribution: f64, max_bits: u32) -> [i64; 2] {
        let v = (contribution * 2_f64.powi(self.exponent(max_bits))).round_ties_even() as i64;
        let lower = v << (64 - self.low) >> (64 - self.low);
        [lower, (v - lower) >> self.low]
    }

    /// The gradient of one element on the CPU, from its sums.
    pub fn dequantize(&self, [lower, upper]: [i64; 2], max_bits: u32) -> f64 {
        let sum = (upper << self.low) + lower;
        sum as f64 * 2_f64.powi(-self.exponent(max_bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_all_rows_in_one_entry_does_not_overflow() {
        for inputs in 1..=4 {
            for rows in [1_usize, 2, 3, 1000, 1 << 14, 1 << 18, (1 << 20) + 1, 1 << 22] {
                let Precision { bits, low } = Precision::of(rows, inputs).unwrap();
                let (rows, corners) = (rows as f64, f64::from(1 << inputs));
                // The upper sum: every corner's quantum rounded up, and one more where the lower is
                // negative. The lower sum: at most half of its range per contribution, either way.
                let upper = rows * (2_f64.powi(bits as i32 - low as i32) + 2.0 * corners);
                assert!(upper < 2_f64.powi(31), "{rows} {inputs}: {upper}");
                assert!(rows * corners * 2_f64.powi(low as i32 - 1) <= 2_f64.powi(31));
                assert!(bits >= 12);
            }
            let most = 1 << ((50 - inputs) / 2);
            assert!(Precision::of(most, inputs).is_ok());
            let message = Precision::of(most + 1, inputs).unwrap_err().to_string();
            assert!(message.ends_with(&format!("at most {most}")), "{message}");
        }
    }
}
