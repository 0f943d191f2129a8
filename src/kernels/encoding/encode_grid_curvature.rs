//! The gradient of the inputs of a [`Grid`], from those of its outputs and of their tangents. One
//! invocation handles one row, level after level.

pub use super::encode_grid::Parameters;
use super::encode_grid::{EncodeGrid, corners, fetch, grid_of, parameters, step, variant};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::encoding::{self, Grid};
use crate::numeric::{Real, wide};
use std::mem::offset_of;

/// `shaders/encoding/encode_grid_curvature.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_grid_curvature" in "encoding/encode_grid_curvature",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("tangents"),
        Slot::read("parameters"),
        Slot::read("delta"),
        Slot::read("tangent_delta"),
        Slot::write("input_gradient"),
    ]
);

/// Describes the vjp of a grid and of its tangents with respect to its inputs: `delta` and
/// `tangent_delta` are `[models, rows, width]`, `tangents` and `input_gradient`
/// `[models, rows, inputs]`.
#[derive(Debug, Clone)]
pub struct EncodeGridCurvature {
    pub(crate) encode: EncodeGrid,
    /// Whether the gradient is added to what another encoding of the same inputs has left.
    pub(crate) adds: bool,
}

impl EncodeGridCurvature {
    /// A grid that encodes all inputs. Its tables are all parameters of a model.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`](crate::Encoding::check).
    pub fn new(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self { encode: EncodeGrid::new(grid, inputs, models, rows)?, adds: false })
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let EncodeGrid { part, parameters: all } = &self.encode;
        let range = &part.range;
        let (grid, p) = (grid_of(range)?, parameters(part, *all)?);
        let mut variant = variant(part)?;
        step(&mut variant, range.inputs.len());
        let vectors = p.chunks_are_vectors(p.first, grid);
        fetch(&mut variant, grid, "grid_features", "parameters", p.features_are_vectors(grid));
        fetch(&mut variant, grid, "delta_at", "delta", vectors);
        fetch(&mut variant, grid, "tangent_delta_at", "tangent_delta", vectors);
        variant.overrides.push(("ADDS", f64::from(u8::from(self.adds))));
        let rows = part.all_rows();
        let inputs = rows.saturating_mul(wide(range.inputs.len()));
        let outputs = rows.saturating_mul(wide(range.outputs.len()));
        let work = rows.saturating_mul(grid.work(range.inputs.len()));
        let iterations =
            u64::from(p.chunks) * (1 + corners(range) + 1) + 1 + wide(range.inputs.len()) + 1;
        Ok(Dispatch::over(&KERNEL, &p, rows, iterations)
            .with(variant)
            .costing(
                inputs.saturating_add(outputs).saturating_mul(2).saturating_add(work / 2),
                inputs,
                work.saturating_mul(4 * wide(range.inputs.len())),
            )
            .counting(part.counted(offset_of!(Parameters, count))))
    }

    /// The gradients of the tables and of `x` on the CPU, whose tangent is `v`, from the gradients of
    /// all outputs and of their tangents. `tables` belong to one model.
    pub fn reference<T: Real>(
        &self,
        tables: &[T],
        at: [&[T]; 2],
        deltas: [&[T]; 2],
    ) -> [Vec<T>; 2] {
        let mut gradient = vec![T::ZERO; tables.len()];
        let network = self.encode.part.network();
        let dx = encoding::back_propagate_tangent(&network, tables, at, deltas, &mut gradient);
        [gradient, dx]
    }
}
