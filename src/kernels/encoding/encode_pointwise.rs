//! The outputs of an [`Encoding`] without parameters: an invocation an output.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::{Activation, Encoding, Mlp, encoding::Place};
use crate::numeric::{Real, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/encoding/encode_pointwise.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_pointwise" in "encoding/encode_pointwise",
    Parameters,
    [],
    [Slot::read("inputs"), Slot::write("encoded")]
);

shader_struct! {
    /// `inputs` is `[sets, …, inputs]`, `encoded` `[models, rows, width]`; of both some columns.
    pub Parameters {
        /// Models.
        models: u32,
        /// Rows of a model.
        rows: u32,
        /// From model to model of the inputs; 0 shares them.
        input_model: u32,
        /// The first element that is encoded.
        input_offset: u32,
        /// Columns of the inputs.
        inputs: u32,
        /// Points of a row.
        points: u32,
        /// Outputs of a point.
        of_point: u32,
        /// Columns of the encoded rows.
        width: u32,
        /// The first column that is written.
        first: u32,
        /// The encoding's first number.
        x: f32,
        /// Its second.
        y: f32,
    }
}

/// The sizes of what is encoded.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// From model to model of the inputs; 0 shares them.
    pub input_model: usize,
    /// The first row of the inputs.
    pub first_row: usize,
    /// Columns of the inputs.
    pub inputs: usize,
    /// Columns of the encoded rows.
    pub width: usize,
}

pub(crate) fn n(value: usize) -> Result<u32> {
    to_u32("a size of an encoding", wide(value))
}

/// What both directions have in common.
pub(super) fn parameters(place: &Place, shape: Shape) -> Result<Parameters> {
    let Shape { models, rows, input_model, first_row, inputs, width } = shape;
    let dimensions = place.encoding.dimensions().unwrap_or(place.inputs.len());
    let [x, y] = place.encoding.numbers().map(to_f32);
    n(models.saturating_mul(rows).saturating_mul(width.max(inputs)))?;
    Ok(Parameters {
        models: n(models)?,
        rows: n(rows)?,
        input_model: n(input_model)?,
        input_offset: n(first_row * inputs + place.inputs.start)?,
        inputs: n(inputs)?,
        points: n(place.inputs.len() / dimensions.max(1))?,
        of_point: n(place.encoding.of_point())?,
        width: n(width)?,
        first: n(place.outputs.start)?,
        x,
        y,
    })
}

pub(super) fn variant(encoding: &Encoding) -> Variant {
    Variant { pieces: vec![encoding.wgsl()], generated: encoding.splice(), ..Variant::default() }
}

/// The dispatch of one part of a network's encoding.
///
/// # Errors
/// A size that a shader cannot count.
pub(crate) fn dispatch(place: &Place, shape: Shape) -> Result<Dispatch> {
    let p = parameters(place, shape)?;
    let rows = wide(shape.models) * wide(shape.rows);
    let outputs = rows * wide(place.outputs.len());
    let read = rows * wide(place.inputs.len());
    Ok(Dispatch::over(&KERNEL, &p, outputs)
        .with(variant(&place.encoding))
        .costing(read, outputs, outputs))
}

/// The dispatch of an encoding of all inputs.
///
/// # Errors
/// Those of [`Encoding::check`]; a grid, which has a kernel of its own; a size that a shader cannot
/// count.
pub fn of(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Dispatch> {
    let (place, shape) = whole(encoding, inputs, models, rows)?;
    dispatch(&place, shape)
}

pub(super) fn whole(
    encoding: Encoding,
    inputs: usize,
    models: usize,
    rows: usize,
) -> Result<(Place, Shape)> {
    encoding.check(inputs)?;
    let width = encoding.outputs(inputs);
    let tables = 0..encoding.parameters(inputs);
    let place = Place { encoding, inputs: 0..inputs, outputs: 0..width, tables };
    let shape = Shape { models, rows, input_model: rows * inputs, first_row: 0, inputs, width };
    Ok((place, shape))
}

/// A network of an encoding of all inputs, for the references.
pub(super) fn alone(encoding: Encoding, inputs: usize) -> Mlp {
    Mlp::new(inputs).encode(inputs, encoding).layer(1, Activation::Identity)
}

/// The same on the CPU: the outputs of `x`, `[…, inputs]`, all of which are encoded.
pub fn reference<T: Real>(encoding: &Encoding, inputs: usize, x: &[T]) -> Vec<T> {
    crate::network::encoding::encode(&alone(*encoding, inputs), &[], x)
}
