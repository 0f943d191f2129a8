//! Adds the gradients of a [`Grid`]'s outputs and of their tangents to the table entries that produced
//! them, in the fixed point of [`super::scatter`]. The largest magnitude that it reads is that of
//! [`super::grid_bound`].

use super::encode_grid::{self, corners, fetch, grid_of, step, variant, without_features};
use super::scatter::Precision;
use super::{EncodedPart, n};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::encoding::Grid;
use crate::numeric::wide;
use crate::wgsl::{ADD_TO_SUMS, shader_struct};
use std::mem::offset_of;

/// `shaders/encoding/scatter_tangent.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "scatter_tangent" in "encoding/scatter_tangent",
    Parameters,
    [FIXED_POINT_SCALE],
    [
        Slot::read("inputs"),
        Slot::read("tangents"),
        Slot::read("delta"),
        Slot::read("tangent_delta"),
        Slot::read("max_abs_bits").with_type("array<u32>"),
        Slot::write("sums").with_type("array<atomic<i32>>"),
    ]
);

shader_struct! {
    /// `inputs` is `[sets, …, inputs]`, `tangents` `[models, rows, inputs]`, `delta` and
    /// `tangent_delta` are `[models, rows, width]`, `max_abs_bits` is `[models]`. `sums` is
    /// `[models, tables, 2]`: the lower integer and the upper one.
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
        /// Chunks of features of a row: one for each level, or two where a level has eight features.
        chunks: u32,
        /// Elements from row to row of the outputs' gradients.
        width: u32,
        /// The index of this grid's first output in the buffers.
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
pub struct ScatterTangent {
    /// The grid and its rows. Their width is the row stride of `delta`.
    pub(crate) part: EncodedPart,
    /// The index of this grid's first element of `delta`.
    pub(crate) first: usize,
}

impl ScatterTangent {
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
        let (grid, inputs) = (grid_of(range)?, range.inputs.len());
        let Precision { bits, low } = Precision::of(rows.rows, inputs)?;
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
        let mut variant = variant(&self.part)?;
        step(&mut variant, inputs);
        let vectors = of.chunks_are_vectors(p.first, grid);
        fetch(&mut variant, grid, "delta_at", "delta", vectors);
        fetch(&mut variant, grid, "tangent_delta_at", "tangent_delta", vectors);
        without_features(&mut variant);
        variant.pieces.push(&ADD_TO_SUMS);
        let all = self.part.all_rows();
        let work = all.saturating_mul(grid.work(inputs));
        let read = all.saturating_mul(wide(2 * (inputs + range.outputs.len())));
        let iterations = corners(range) * (1 + u64::from(grid.chunk()) + 1) + 1;
        Ok(Dispatch::over(&KERNEL, &p, all.saturating_mul(p.chunks.into()), iterations)
            .with(variant)
            .costing(read.saturating_add(work), work, work.saturating_mul(2))
            .counting(self.part.counted(offset_of!(Parameters, count))))
    }
}
