//! The tangents of the outputs of a [`Grid`], from those of its inputs. One invocation computes one
//! level of one row, or half a level where it has eight features.

pub use super::encode_grid::Parameters;
use super::encode_grid::{EncodeGrid, corners, fetch, grid_of, parameters, step, store, variant};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::encoding::{self, Grid};
use crate::numeric::{Real, wide};
use std::mem::offset_of;

/// `shaders/encoding/encode_grid_tangent.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_grid_tangent" in "encoding/encode_grid_tangent",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("tangents"),
        Slot::read("parameters"),
        Slot::write("encoded"),
    ]
);

/// Describes the tangents of a grid's outputs for some rows: `tangents` is `[models, rows, inputs]`.
#[derive(Debug, Clone)]
pub struct EncodeGridTangent(pub(crate) EncodeGrid);

impl EncodeGridTangent {
    /// A grid that encodes all inputs. Its tables are all parameters of a model.
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
        let mut variant = variant(part)?;
        step(&mut variant, range.inputs.len());
        fetch(&mut variant, grid, "grid_features", "parameters", p.features_are_vectors(grid));
        store(&mut variant, grid, p.chunks_are_vectors(p.first, grid));
        let rows = part.all_rows();
        let work = rows.saturating_mul(grid.work(range.inputs.len()));
        let iterations = corners(range) + 1 + u64::from(grid.chunk()) + 1;
        Ok(Dispatch::over(&KERNEL, &p, rows.saturating_mul(p.chunks.into()), iterations)
            .with(variant)
            .costing(
                rows.saturating_mul(wide(2 * range.inputs.len())).saturating_add(work / 2),
                rows.saturating_mul(wide(range.outputs.len())),
                work.saturating_mul(2),
            )
            .counting(part.counted(offset_of!(Parameters, count))))
    }

    /// The tangents of the outputs at `x` `[rows, inputs]` on the CPU, from one model's tables and the
    /// tangent `v` of `x`.
    pub fn reference<T: Real>(&self, tables: &[T], x: &[T], v: &[T]) -> Vec<T> {
        encoding::tangent(&self.0.part.network(), tables, x, v)
    }
}
