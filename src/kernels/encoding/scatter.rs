//! Adds the gradient of a [`Grid`]'s outputs to the table entries that produced them, in fixed
//! point: integers have the same sum in any order.
//!
//! Let p be the largest magnitude of that gradient. A corner's contribution c is rounded to v = c ·
//! 2ⁿ, with the largest n for which |p| · 2ⁿ < 2^bits. The lower `low` bits of v, with their sign,
//! are added to one integer and the rest to another, so that no sum over the step's rows overflows
//! (see [`Precision`]). Each contribution is off by at most half a quantum, p · 2^−bits.
//! [`super::dequantize`] converts the sums to f32.

use super::encode_grid::{self, corners, fetch, grid_of, variant};
use super::{EncodedPart, n};
use crate::error::{Error, Result};
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::encoding::Grid;
use crate::numeric::wide;
use crate::wgsl::{Writer, shader_struct};
use std::mem::offset_of;

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
        /// Chunks of features of a row: one for each level, or two where a level has eight
        /// features.
        chunks: u32,
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
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

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

    /// Describes the dispatch.
    ///
    /// # Errors
    /// There are more rows than the sums can hold, or a size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let EncodedPart { range, rows } = &self.part;
        let Precision { bits, low } = Precision::of(rows.rows, range.inputs.len())?;
        let of = encode_grid::parameters(&self.part, 0)?;
        n(rows.models.saturating_mul(range.tables.len()).saturating_mul(2))?;
        let p = Parameters {
            models: of.models,
            rows: of.rows,
            input_model: of.input_model,
            input_offset: of.input_offset,
            inputs: of.inputs,
            chunks: of.chunks,
            width: of.width,
            first: n(self.first)?,
            tables: n(range.tables.len())?,
            bits,
            low,
            count: of.rows,
        };
        let mut variant = variant(range)?;
        variant.generated += &fetch("delta_at", "delta", range)?;
        // The grid's functions call `grid_features`; a scatter never uses its result.
        let mut w = Writer::default();
        w.function("grid_features(at: u32) -> GridFeatures", |w| w.line("return GridFeatures();"));
        variant.generated += &w.finish();
        let rows = self.part.all_rows();
        let grid = grid_of(range)?;
        let work = rows.saturating_mul(grid.work(range.inputs.len()));
        let read = rows.saturating_mul(wide(range.inputs.len() + range.outputs.len()));
        let iterations = corners(range) * (1 + u64::from(grid.chunk()) + 1) + 1;
        let invocations = rows.saturating_mul(of.chunks.into());
        Ok(Dispatch::over(&KERNEL, &p, invocations, iterations)
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
        let contributions = log + u32::try_from(inputs.min(3)).unwrap_or(3);
        // No more bits than an f32 has. The upper integer of most contributions is then 0 and not
        // added.
        let bits = 62_u32.saturating_sub(log + contributions).min(24);
        if contributions > 28 || bits < 12 {
            return Err(Error::argument(
                "the rows of a step in front of a grid",
                rows,
                format!("at most {}", 1_u64 << ((50 - inputs.min(3)) / 2)),
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
        for inputs in [2, 3] {
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
