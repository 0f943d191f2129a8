//! The outputs of an [`Encoding`] without parameters. One invocation computes one output.

use super::{EncodedPart, EncodedRows, n};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::encoding::LOOPS_OF_VALUE;
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, to_f32, wide};
use crate::wgsl::shader_struct;
use std::mem::offset_of;

/// `shaders/encoding/encode_pointwise.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_pointwise" in "encoding/encode_pointwise",
    Parameters,
    [],
    [Slot::read("inputs"), Slot::write("encoded")]
);

shader_struct! {
    /// `inputs` is `[sets, …, inputs]` and `encoded` `[models, rows, width]`. The kernel reads and
    /// writes some of their columns.
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
        /// Points of a row.
        points: u32,
        /// Outputs of a point.
        of_point: u32,
        /// Columns of the encoded rows.
        width: u32,
        /// The index of the first column that is written.
        first: u32,
        /// The encoding's first constant.
        x: f32,
        /// The encoding's second constant.
        y: f32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The iterations of the loops of one value or one derivative of an encoding, at most.
pub(super) const OF_VALUE: u64 = LOOPS_OF_VALUE as u64;

/// Describes a pointwise encoding of some rows.
#[derive(Debug, Clone)]
pub struct EncodePointwise(pub(crate) EncodedPart);

impl EncodePointwise {
    /// An encoding of all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`].
    pub fn new(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self(EncodedPart::whole(encoding, inputs, models, rows)?))
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let range = &self.0.range;
        let outputs = self.0.all_rows().saturating_mul(wide(range.outputs.len()));
        let read = self.0.all_rows().saturating_mul(wide(range.inputs.len()));
        Ok(Dispatch::over(&KERNEL, &parameters(&self.0)?, outputs, OF_VALUE)
            .with(variant(&range.encoding))
            .costing(read, outputs, outputs)
            .counting(self.0.counted(offset_of!(Parameters, count))))
    }

    /// The outputs of `x` `[…, inputs]` on the CPU. All columns are encoded.
    pub fn reference<T: Real>(&self, x: &[T]) -> Vec<T> {
        encoding::encode(&self.0.network(), &[], x)
    }
}

/// The parameters that the encoding and its gradient share.
pub(super) fn parameters(part: &EncodedPart) -> Result<Parameters> {
    let EncodedPart { range, rows } = part;
    let EncodedRows { models, rows, input_model, first_row, inputs, width, first } = *rows;
    let dimensions = range.encoding.dimensions().unwrap_or(range.inputs.len());
    let [x, y] = range.encoding.constants().map(to_f32);
    n(models.saturating_mul(rows).saturating_mul(width.max(inputs)))?;
    Ok(Parameters {
        models: n(models)?,
        rows: n(rows)?,
        input_model: n(input_model)?,
        input_offset: n(first_row.saturating_mul(inputs).saturating_add(range.inputs.start))?,
        inputs: n(inputs)?,
        points: n(range.inputs.len() / dimensions.max(1))?,
        of_point: n(range.encoding.of_point())?,
        width: n(width)?,
        first: n(first.saturating_add(range.outputs.start))?,
        x,
        y,
        count: n(rows)?,
    })
}

pub(super) fn variant(encoding: &Encoding) -> Variant {
    Variant { pieces: vec![encoding.wgsl()], generated: encoding.splice(), ..Variant::default() }
}
