//! The outputs of an [`Encoding`] without parameters: an invocation an output.

use super::{EncodedPart, EncodedRows, n};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, to_f32, wide};
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

/// A pointwise encoding of some rows.
#[derive(Debug, Clone)]
pub struct EncodePointwise(pub(crate) EncodedPart);

impl EncodePointwise {
    /// An encoding of all inputs.
    ///
    /// # Errors
    /// Those of [`Encoding::check`].
    pub fn new(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self(EncodedPart::whole(encoding, inputs, models, rows)?))
    }

    /// The dispatch.
    ///
    /// # Errors
    /// A size that a shader cannot count.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let range = &self.0.range;
        let outputs = self.0.all_rows() * wide(range.outputs.len());
        let read = self.0.all_rows() * wide(range.inputs.len());
        Ok(Dispatch::over(&KERNEL, &parameters(&self.0)?, outputs)
            .with(variant(&range.encoding))
            .costing(read, outputs, outputs))
    }

    /// The outputs of `x` on the CPU, `[…, inputs]`, all of which are encoded.
    pub fn reference<T: Real>(&self, x: &[T]) -> Vec<T> {
        encoding::encode(&self.0.network(), &[], x)
    }
}

/// What both directions have in common.
pub(super) fn parameters(part: &EncodedPart) -> Result<Parameters> {
    let EncodedPart { range, rows } = part;
    let EncodedRows { models, rows, input_model, first_row, inputs, width } = *rows;
    let dimensions = range.encoding.dimensions().unwrap_or(range.inputs.len());
    let [x, y] = range.encoding.numbers().map(to_f32);
    n(models.saturating_mul(rows).saturating_mul(width.max(inputs)))?;
    Ok(Parameters {
        models: n(models)?,
        rows: n(rows)?,
        input_model: n(input_model)?,
        input_offset: n(first_row * inputs + range.inputs.start)?,
        inputs: n(inputs)?,
        points: n(range.inputs.len() / dimensions.max(1))?,
        of_point: n(range.encoding.of_point())?,
        width: n(width)?,
        first: n(range.outputs.start)?,
        x,
        y,
    })
}

pub(super) fn variant(encoding: &Encoding) -> Variant {
    Variant { pieces: vec![encoding.wgsl()], generated: encoding.splice(), ..Variant::default() }
}
