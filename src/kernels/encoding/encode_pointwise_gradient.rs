//! The gradient of the inputs of an [`Encoding`] without parameters: an invocation a point.

use crate::error::Result;
pub use crate::kernels::encoding::encode_pointwise::Parameters;
use crate::kernels::{
    Dispatch, Kernel, Slot,
    encoding::encode_pointwise::{Shape, alone, parameters, variant, whole},
};
use crate::network::{Encoding, encoding::Place};
use crate::numeric::{Real, wide};

/// `shaders/encoding/encode_pointwise_gradient.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_pointwise_gradient" in "encoding/encode_pointwise_gradient",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("delta"),
        Slot::write("input_gradient"),
    ]
);

/// The dispatch of one part of a network's encoding: `delta` is `[models, rows, width]`,
/// `input_gradient` `[models, rows, inputs]`.
///
/// # Errors
/// A size that a shader cannot count.
pub(crate) fn dispatch(place: &Place, shape: Shape) -> Result<Dispatch> {
    let p = parameters(place, shape)?;
    let points = wide(shape.models) * wide(shape.rows) * u64::from(p.points);
    let rows = wide(shape.models) * wide(shape.rows);
    let (inputs, outputs) = (rows * wide(place.inputs.len()), rows * wide(place.outputs.len()));
    Ok(Dispatch::over(&KERNEL, &p, points).with(variant(&place.encoding)).costing(
        inputs + outputs,
        inputs,
        3 * outputs,
    ))
}

/// The dispatch of an encoding of all inputs.
///
/// # Errors
/// Those of [`super::encode::of`].
pub fn of(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Dispatch> {
    let (place, shape) = whole(encoding, inputs, models, rows)?;
    dispatch(&place, shape)
}

/// The same on the CPU: of `x`, `[…, inputs]`, under the gradient `delta` of all outputs.
pub fn reference<T: Real>(encoding: &Encoding, inputs: usize, x: &[T], delta: &[T]) -> Vec<T> {
    crate::network::encoding::back_propagate(
        &alone(*encoding, inputs),
        &[],
        x,
        delta,
        &mut [],
        true,
    )
}
