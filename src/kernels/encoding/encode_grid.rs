//! The outputs of a [`Grid`]. One invocation computes one level of one row, or half a level where
//! it has eight features.

use super::{EncodedPart, EncodedRows, n};
use crate::error::{Error, Result};
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::encoding::{EncodingRange, GRID_DIMENSIONS, Grid};
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, wide};
use crate::wgsl::{GRID_TANGENT, Writer, shader_struct};
use std::mem::offset_of;

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
    /// `inputs` is `[sets, …, inputs]`, `parameters` `[models, parameters]` and `encoded`
    /// `[models, rows, width]`.
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
        /// Chunks of features of a row: one for each level, or two where a level has eight
        /// features.
        chunks: u32,
        /// Columns of the encoded rows, or the row stride of their gradient.
        width: u32,
        /// The index of this grid's first output in the buffer.
        first: u32,
        /// Parameters of a model.
        parameters: u32,
        /// The index of this grid's first table element among a model's parameters.
        tables: u32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

impl Parameters {
    /// Whether every chunk of a table's features begins at a multiple of its width.
    pub(super) const fn features_are_vectors(&self, grid: Grid) -> bool {
        let width = grid.chunk();
        width > 1
            && self.tables.is_multiple_of(width)
            && (self.models == 1 || self.parameters.is_multiple_of(width))
    }

    /// Whether every chunk of the rows, or of their gradient, begins at a multiple of its width.
    /// The first one begins at element `first`.
    pub(super) const fn chunks_are_vectors(&self, first: u32, grid: Grid) -> bool {
        let width = grid.chunk();
        width > 1 && first.is_multiple_of(width) && self.width.is_multiple_of(width)
    }
}

/// Describes the outputs of a grid for some rows.
#[derive(Debug, Clone)]
pub struct EncodeGrid {
    pub(crate) part: EncodedPart,
    /// Parameters of a model.
    pub(crate) parameters: usize,
}

impl EncodeGrid {
    /// A grid that encodes all inputs. Its tables are all parameters of a model.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`].
    pub fn new(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        let part = EncodedPart::whole(grid.into(), inputs, models, rows)?;
        let parameters = part.range.tables.len();
        Ok(Self { part, parameters })
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let range = &self.part.range;
        let grid = grid_of(range)?;
        let p = parameters(&self.part, self.parameters)?;
        let mut variant = variant(&self.part)?;
        fetch(&mut variant, grid, "grid_features", "parameters", p.features_are_vectors(grid));
        store(&mut variant, grid, p.chunks_are_vectors(p.first, grid));
        let rows = self.part.all_rows();
        let work = rows.saturating_mul(grid.work(range.inputs.len()));
        // The corners of a cell, and the features of a chunk.
        let iterations = corners(range) + 1 + u64::from(grid.chunk()) + 1;
        Ok(Dispatch::over(&KERNEL, &p, rows.saturating_mul(p.chunks.into()), iterations)
            .with(variant)
            .costing(
                rows.saturating_mul(wide(range.inputs.len())).saturating_add(work / 2),
                rows.saturating_mul(wide(range.outputs.len())),
                work,
            )
            .counting(self.part.counted(offset_of!(Parameters, count))))
    }

    /// The outputs `[rows, outputs]` of `x` `[rows, inputs]` on the CPU, from one model's tables.
    pub fn reference<T: Real>(&self, tables: &[T], x: &[T]) -> Vec<T> {
        encoding::encode(&self.part.network(), tables, x)
    }
}

/// The grid of an encoding range.
///
/// # Errors
/// The encoding is not a grid.
pub(super) fn grid_of(range: &EncodingRange) -> Result<Grid> {
    match range.encoding {
        Encoding::Grid(grid) => Ok(grid),
        other => Err(Error::argument("the encoding", other.name(), "a grid")),
    }
}

/// The number of corners of a cell.
pub(super) fn corners(range: &EncodingRange) -> u64 {
    1 << range.inputs.len().min(GRID_DIMENSIONS)
}

/// The parameters that all grid kernels share, where a model has `all` parameters.
pub(super) fn parameters(part: &EncodedPart, all: usize) -> Result<Parameters> {
    let EncodedPart { range, rows } = part;
    let EncodedRows { models, rows, input_model, first_row, inputs, width, first } = *rows;
    let grid = grid_of(range)?;
    n(models.saturating_mul(rows).saturating_mul(width.max(inputs)))?;
    Ok(Parameters {
        models: n(models)?,
        rows: n(rows)?,
        input_model: n(input_model)?,
        input_offset: n(first_row.saturating_mul(inputs).saturating_add(range.inputs.start))?,
        inputs: n(inputs)?,
        chunks: n(grid.outputs())? / grid.chunk(),
        width: n(width)?,
        first: n(first.saturating_add(range.outputs.start))?,
        parameters: n(all)?,
        tables: n(range.tables.start)?,
        count: n(rows)?,
    })
}

/// The variant that all grid kernels share: the grid's constants, its levels, and the loading of a
/// point, as one vector where the points lie so.
pub(super) fn variant(part: &EncodedPart) -> Result<Variant> {
    let (range, rows) = (&part.range, &part.rows);
    let (grid, inputs) = (grid_of(range)?, range.inputs.len());
    let even = |size: usize| size.is_multiple_of(2);
    let pairs = inputs == 2
        && even(rows.inputs)
        && even(range.inputs.start)
        && (rows.models == 1 || even(rows.input_model));
    let part = |d| if d < inputs { format!("inputs[at + {d}u]") } else { "0.0".to_owned() };
    let parts: Vec<_> = (0..inputs.max(3)).map(part).collect();
    let mut w = Writer::default();
    w.push(&grid.constants(inputs));
    w.push(&grid.splice_levels(inputs));
    w.push(&grid.splice_encoded());
    w.function("grid_point(at: u32) -> GridPoint", |w| match pairs {
        true => w.line("return GridPoint(inputs[at / 2u], 0.0);"),
        false => w.line(format_args!("return GridPoint({});", parts.join(", "))),
    });
    let kinds = if pairs { vec![("inputs", "array<vec2<f32>>".into())] } else { Vec::new() };
    let pieces = vec![Grid::piece(inputs)];
    Ok(Variant { pieces, generated: w.finish(), kinds, ..Variant::default() })
}

/// The type of a buffer of chunks of `width` features, each of which is one vector.
const fn chunks(width: u32) -> &'static str {
    if width == 4 { "array<vec4<f32>>" } else { "array<vec2<f32>>" }
}

/// Adds a WGSL function that loads a chunk of features from `buffer`, starting at an element: as
/// one vector where every chunk begins at a multiple of its width.
pub(super) fn fetch(
    variant: &mut Variant,
    grid: Grid,
    function: &str,
    buffer: &'static str,
    vectors: bool,
) {
    let width = grid.chunk();
    let elements: Vec<_> = (0..width).map(|i| format!("{buffer}[at + {i}u]")).collect();
    let mut w = Writer::default();
    w.function(format_args!("{function}(at: u32) -> GridFeatures"), |w| {
        if vectors {
            w.line(format_args!("return {buffer}[at / {width}u];"));
        } else {
            w.line(format_args!("return GridFeatures({});", elements.join(", ")));
        }
    });
    variant.generated += &w.finish();
    if vectors {
        variant.kinds.push((buffer, chunks(width).into()));
    }
}

/// Adds the function that the grid's own call for features, where their results are never used.
pub(super) fn without_features(variant: &mut Variant) {
    let mut w = Writer::default();
    w.function("grid_features(at: u32) -> GridFeatures", |w| w.line("return GridFeatures();"));
    variant.generated += &w.finish();
}

/// Adds the WGSL functions of a grid's tangents, and the loading of a step of its inputs.
pub(super) fn step(variant: &mut Variant, inputs: usize) {
    let part = |d| if d < inputs { format!("tangents[at + {d}u]") } else { "0.0".to_owned() };
    let parts: Vec<_> = (0..inputs.max(3)).map(part).collect();
    let mut w = Writer::default();
    w.function("grid_step(at: u32) -> GridPoint", |w| {
        w.line(format_args!("return GridPoint({});", parts.join(", ")));
    });
    variant.pieces.push(&GRID_TANGENT);
    variant.generated += &w.finish();
}

/// Adds the WGSL function that stores a chunk of features.
pub(super) fn store(variant: &mut Variant, grid: Grid, vectors: bool) {
    let width = grid.chunk();
    let mut w = Writer::default();
    w.function("store_features(at: u32, features: GridFeatures)", |w| {
        if vectors {
            w.line(format_args!("encoded[at / {width}u] = features;"));
            return;
        }
        for i in 0..width {
            w.line(format_args!("encoded[at + {i}u] = grid_feature(features, {i}u);"));
        }
    });
    variant.generated += &w.finish();
    if vectors {
        variant.kinds.push(("encoded", chunks(width).into()));
    }
}
