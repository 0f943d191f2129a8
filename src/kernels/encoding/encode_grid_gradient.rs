//! The gradient of the inputs of a [`Grid`]. One invocation handles one row, level after level.

pub use super::encode_grid::Parameters;
use super::encode_grid::{EncodeGrid, corners, fetch, grid_of, parameters, variant};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::encoding;
use crate::network::encoding::Grid;
use crate::numeric::{Real, wide};
use std::mem::offset_of;

/// `shaders/encoding/encode_grid_gradient.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_grid_gradient" in "encoding/encode_grid_gradient",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("parameters"),
        Slot::read("delta"),
        Slot::write("input_gradient"),
    ]
);

/// Describes the vjp of a grid with respect to its inputs: `delta` is `[models, rows, width]` and
/// `input_gradient` `[models, rows, inputs]`.
#[derive(Debug, Clone)]
pub struct EncodeGridGradient {
    pub(crate) encode: EncodeGrid,
    /// Whether the gradient is added to what another encoding of the same inputs has left.
    pub(crate) adds: bool,
}

impl EncodeGridGradient {
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
        let p = parameters(part, *all)?;
        let grid = grid_of(range)?;
        let mut variant = variant(part)?;
        fetch(&mut variant, grid, "grid_features", "parameters", p.features_are_vectors(grid));
        fetch(&mut variant, grid, "delta_at", "delta", p.chunks_are_vectors(p.first, grid));
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
                inputs.saturating_add(outputs).saturating_add(work / 2),
                inputs,
                work.saturating_mul(wide(range.inputs.len())),
            )
            .counting(part.counted(offset_of!(Parameters, count))))
    }

    /// The gradients of the tables and of `x` on the CPU. `x` is `[rows, inputs]`, `tables` belong
    /// to one model, and `delta` is the gradient of all outputs.
    pub fn reference<T: Real>(&self, tables: &[T], x: &[T], delta: &[T]) -> [Vec<T>; 2] {
        let mut gradient = vec![T::ZERO; tables.len()];
        let network = self.encode.part.network();
        let dx = encoding::back_propagate(&network, tables, x, delta, &mut gradient);
        [gradient, dx]
    }
}
