//! What the contributions of [`super::scatter_tangent`] cannot exceed: |dy| + r |dẏ| of each feature of
//! each row, where r bounds the derivative of a corner's weight along the tangent of the inputs.

pub use super::encode_grid::Parameters;
use super::encode_grid::{EncodeGrid, fetch, grid_of, parameters, step, without_features};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::encoding::Grid;
use crate::numeric::wide;
use std::mem::offset_of;

/// `shaders/encoding/grid_bound.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "grid_bound" in "encoding/grid_bound",
    Parameters,
    [],
    [
        Slot::read("tangents"),
        Slot::read("delta"),
        Slot::read("tangent_delta"),
        Slot::write("bounds"),
    ]
);

/// Describes the bounds of a grid's contributions for some rows: `tangents` is `[models, rows, inputs]`,
/// `delta` and `tangent_delta` are `[models, rows, width]`, `bounds` is `[models, rows, outputs]`.
#[derive(Debug, Clone)]
pub struct GridBound(pub(crate) EncodeGrid);

impl GridBound {
    /// A grid that encodes all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`](crate::Encoding::check).
    pub fn new(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self(EncodeGrid::new(grid, inputs, models, rows)?))
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let EncodeGrid { part, parameters: all } = &self.0;
        let range = &part.range;
        let (grid, p) = (grid_of(range)?, parameters(part, *all)?);
        // A bound reads no point.
        let inputs = range.inputs.len();
        let generated = grid.constants(inputs) + &grid.splice_levels(inputs);
        let pieces = vec![Grid::piece(inputs)];
        let mut variant = Variant { pieces, generated, ..Variant::default() };
        without_features(&mut variant);
        step(&mut variant, inputs);
        let vectors = p.chunks_are_vectors(p.first, grid);
        fetch(&mut variant, grid, "delta_at", "delta", vectors);
        fetch(&mut variant, grid, "tangent_delta_at", "tangent_delta", vectors);
        let rows = part.all_rows();
        let outputs = rows.saturating_mul(wide(range.outputs.len()));
        let iterations = u64::from(grid.chunk()) + 1;
        Ok(Dispatch::over(&KERNEL, &p, rows.saturating_mul(p.chunks.into()), iterations)
            .with(variant)
            .costing(outputs.saturating_mul(2), outputs, outputs.saturating_mul(4))
            .counting(part.counted(offset_of!(Parameters, count))))
    }
}
