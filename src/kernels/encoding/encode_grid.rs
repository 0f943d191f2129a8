//! The outputs of a [`Grid`]: an invocation a row and level, or half a level where it has eight
//! features.

use super::{EncodedPart, EncodedRows, n};
use crate::error::{Error, Result};
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::encoding::{EncodingRange, GRID, Grid};
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, wide};
use crate::wgsl::{Writer, shader_struct};

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

/// A grid's outputs of some rows.
#[derive(Debug, Clone)]
pub struct EncodeGrid {
    pub(crate) part: EncodedPart,
    /// Parameters of a model.
    pub(crate) parameters: usize,
}

impl EncodeGrid {
    /// A grid over all inputs, whose tables are all parameters.
    ///
    /// # Errors
    /// Those of [`Encoding::check`].
    pub fn new(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        let part = EncodedPart::whole(grid.into(), inputs, models, rows)?;
        let parameters = part.range.tables.len();
        Ok(Self { part, parameters })
    }

    /// The dispatch.
    ///
    /// # Errors
    /// A size that a shader cannot count.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let range = &self.part.range;
        let p = parameters(&self.part, self.parameters)?;
        let mut variant = variant(range)?;
        variant.generated += &fetch("grid_features", "parameters", range)?;
        let rows = self.part.all_rows();
        let work = rows * grid_of(range)?.work(range.inputs.len());
        Ok(Dispatch::over(&KERNEL, &p, rows * u64::from(p.chunks)).with(variant).costing(
            rows * wide(range.inputs.len()) + work / 2,
            rows * wide(range.outputs.len()),
            work,
        ))
    }

    /// The outputs of `x` on the CPU, `[rows, inputs]`, from one model's tables.
    pub fn reference<T: Real>(&self, tables: &[T], x: &[T]) -> Vec<T> {
        encoding::encode(&self.part.network(), tables, x)
    }
}

/// The grid of a part, if it is one.
pub(super) fn grid_of(range: &EncodingRange) -> Result<Grid> {
    match range.encoding {
        Encoding::Grid(grid) => Ok(grid),
        other => Err(Error::argument("the encoding", other.name(), "a grid")),
    }
}

/// What all kernels of a grid have in common, where a model has `all` parameters.
pub(super) fn parameters(part: &EncodedPart, all: usize) -> Result<Parameters> {
    let EncodedPart { range, rows } = part;
    let EncodedRows { models, rows, input_model, first_row, inputs, width } = *rows;
    let grid = grid_of(range)?;
    n(models.saturating_mul(rows).saturating_mul(width.max(inputs)))?;
    Ok(Parameters {
        models: n(models)?,
        rows: n(rows)?,
        input_model: n(input_model)?,
        input_offset: n(first_row * inputs + range.inputs.start)?,
        inputs: n(inputs)?,
        chunks: n(grid.outputs())? / grid.chunk(),
        width: n(width)?,
        first: n(range.outputs.start)?,
        parameters: n(all)?,
        tables: n(range.tables.start)?,
    })
}

/// What all kernels of a grid are made of: its numbers, its levels, and a point of the inputs.
pub(super) fn variant(range: &EncodingRange) -> Result<Variant> {
    let (grid, inputs) = (grid_of(range)?, range.inputs.len());
    let third = if inputs == 3 { "inputs[at + 2u]" } else { "0.0" };
    let mut w = Writer::default();
    w.push(&grid.constants(inputs));
    w.push(&grid.splice_levels(inputs));
    w.function("grid_point(at: u32) -> vec3<f32>", |w| {
        w.line(format_args!("return vec3<f32>(inputs[at], inputs[at + 1u], {third});"));
    });
    Ok(Variant { pieces: vec![&GRID], generated: w.finish(), ..Variant::default() })
}

/// WGSL: a function that loads a chunk of features from an element of a buffer on.
pub(super) fn fetch(function: &str, buffer: &str, range: &EncodingRange) -> Result<String> {
    let elements: Vec<_> =
        (0..grid_of(range)?.chunk()).map(|i| format!("{buffer}[at + {i}u]")).collect();
    let mut w = Writer::default();
    w.function(format_args!("{function}(at: u32) -> GridFeatures"), |w| {
        w.line(format_args!("return GridFeatures({});", elements.join(", ")));
    });
    Ok(w.finish())
}
