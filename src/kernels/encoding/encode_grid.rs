//! The outputs of a [`Grid`]: an invocation a row and level, or half a level where it has eight
//! features.

use crate::error::{Error, Result};
use crate::kernels::{
    Dispatch, Kernel, Slot, Variant,
    encoding::encode_pointwise::{Shape, n},
};
use crate::network::{
    Encoding,
    encoding::{GRID, Grid, Place},
};
use crate::numeric::wide;
use crate::wgsl::shader_struct;

/// `shaders/encoding/encode_grid.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_grid" in "encoding/encode_grid",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("parameters"),
        Slot::write("encoded"),
    ]
);

shader_struct! {
    /// `inputs` is `[sets, …, inputs]`, `parameters` `[models, parameters]`, `encoded` `[models,
    /// rows, width]`.
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
        /// Chunks of features of a row: levels, or twice as many.
        chunks: u32,
        /// Columns of the encoded rows, or from row to row of their gradient.
        width: u32,
        /// The first of this grid's columns, from the beginning of the buffer.
        first: u32,
        /// Parameters of a model.
        parameters: u32,
        /// The first of this grid's among them.
        tables: u32,
    }
}

/// The grid of a part, if it is one.
pub(super) fn grid_of(place: &Place) -> Result<Grid> {
    match place.encoding {
        Encoding::Grid(grid) => Ok(grid),
        other => Err(Error::argument("the encoding", other.name(), "a grid")),
    }
}

/// What all kernels of a grid have in common.
pub(super) fn parameters(place: &Place, shape: Shape, all: usize) -> Result<Parameters> {
    let Shape { models, rows, input_model, first_row, inputs, width } = shape;
    let grid = grid_of(place)?;
    n(models.saturating_mul(rows).saturating_mul(width.max(inputs)))?;
    Ok(Parameters {
        models: n(models)?,
        rows: n(rows)?,
        input_model: n(input_model)?,
        input_offset: n(first_row * inputs + place.inputs.start)?,
        inputs: n(inputs)?,
        chunks: n(grid.outputs())? / grid.chunk(),
        width: n(width)?,
        first: n(place.outputs.start)?,
        parameters: n(all)?,
        tables: n(place.tables.start)?,
    })
}

/// What all kernels of a grid are made of: its numbers, its levels, and a point of the inputs.
pub(super) fn variant(place: &Place) -> Result<Variant> {
    let (grid, inputs) = (grid_of(place)?, place.inputs.len());
    let third = if inputs == 3 { "inputs[at + 2u]" } else { "0.0" };
    let point = format!(
        "fn grid_point(at: u32) -> vec3<f32> {{ \
         return vec3<f32>(inputs[at], inputs[at + 1u], {third}); }}\n"
    );
    Ok(Variant {
        pieces: vec![&GRID],
        generated: [grid.constants(inputs), grid.splice_levels(inputs), point].concat(),
        ..Variant::default()
    })
}

/// The dispatch of one part of a network's encoding, where a model has `all` parameters.
///
/// # Errors
/// A size that a shader cannot count.
pub(crate) fn dispatch(place: &Place, shape: Shape, all: usize) -> Result<Dispatch> {
    let p = parameters(place, shape, all)?;
    let mut variant = variant(place)?;
    variant.generated.push_str(&fetch("grid_features", "parameters", place)?);
    let rows = wide(shape.models) * wide(shape.rows);
    let outputs = rows * wide(place.outputs.len());
    let inputs = rows * wide(place.inputs.len());
    let work = rows * grid_of(place)?.work(place.inputs.len());
    Ok(Dispatch::over(&KERNEL, &p, rows * u64::from(p.chunks)).with(variant).costing(
        inputs + work / 2,
        outputs,
        work,
    ))
}

/// WGSL: a chunk of features that begins at an element of a buffer.
pub(super) fn fetch(function: &str, buffer: &str, place: &Place) -> Result<String> {
    let words: Vec<_> =
        (0..grid_of(place)?.chunk()).map(|i| format!("{buffer}[at + {i}u]")).collect();
    let words = words.join(", ");
    Ok(format!("fn {function}(at: u32) -> GridFeatures {{ return GridFeatures({words}); }}\n"))
}

/// The dispatch of a grid over all inputs.
///
/// # Errors
/// Those of [`Encoding::check`]; a size that a shader cannot count.
pub fn of(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Dispatch> {
    let (place, shape) = super::encode_pointwise::whole(grid.into(), inputs, models, rows)?;
    dispatch(&place, shape, place.tables.len())
}

/// The same on the CPU: of `x`, `[rows, inputs]`, and one model's tables.
pub fn reference<T: crate::numeric::Real>(
    grid: Grid,
    inputs: usize,
    tables: &[T],
    x: &[T],
) -> Vec<T> {
    let mlp = super::encode_pointwise::alone(grid.into(), inputs);
    crate::network::encoding::encode(&mlp, tables, x)
}
