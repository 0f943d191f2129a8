//! The gradient of the inputs of a [`Grid`]: an invocation a row, its levels
//! one after the other.

use crate::error::Result;
pub use crate::kernels::encoding::encode_grid::Parameters;
use crate::kernels::encoding::encode_pointwise::{Shape, whole};
use crate::kernels::{
    Dispatch, Kernel, Slot,
    encoding::encode_grid::{fetch, grid_of, parameters, variant},
};
use crate::network::encoding::{Grid, Place};
use crate::numeric::wide;

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

/// The dispatch of one part of a network's encoding, where a model has `all` parameters: `delta` is
/// `[models, rows, width]`, `input_gradient` `[models, rows, inputs]`.
///
/// # Errors
/// A size that a shader cannot count.
pub(crate) fn dispatch(place: &Place, shape: Shape, all: usize) -> Result<Dispatch> {
    let p = parameters(place, shape, all)?;
    let mut variant = variant(place)?;
    variant.generated.push_str(&fetch("grid_features", "parameters", place)?);
    variant.generated.push_str(&fetch("delta_at", "delta", place)?);
    let rows = wide(shape.models) * wide(shape.rows);
    let inputs = rows * wide(place.inputs.len());
    let outputs = rows * wide(place.outputs.len());
    let work = rows * grid_of(place)?.work(place.inputs.len());
    Ok(Dispatch::over(&KERNEL, &p, rows).with(variant).costing(
        inputs + outputs + work / 2,
        inputs,
        work * wide(place.inputs.len()),
    ))
}

/// The dispatch of a grid over all inputs.
///
/// # Errors
/// Those of [`super::grid::of`].
pub fn of(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Dispatch> {
    let (place, shape) = whole(grid.into(), inputs, models, rows)?;
    dispatch(&place, shape, place.tables.len())
}

/// The same on the CPU: of `x`, `[rows, inputs]`, one model's tables, and the gradient `delta` of
/// all outputs; the tables' gradient, and that of `x`.
pub fn reference<T: crate::numeric::Real>(
    grid: Grid,
    inputs: usize,
    tables: &[T],
    x: &[T],
    delta: &[T],
) -> [Vec<T>; 2] {
    let mlp = super::encode_pointwise::alone(grid.into(), inputs);
    let mut gradient = vec![T::ZERO; grid.parameters(inputs)];
    let dx = crate::network::encoding::back_propagate(&mlp, tables, x, delta, &mut gradient, true);
    [gradient, dx]
}
