//! The kernels of encodings: pointwise encodings and grids, forward and backward, and the gradient
//! of a grid's tables in fixed point.

pub mod dequantize;
pub mod encode_grid;
pub mod encode_grid_curvature;
pub mod encode_grid_gradient;
pub mod encode_grid_tangent;
pub mod encode_pointwise;
pub mod encode_pointwise_curvature;
pub mod encode_pointwise_gradient;
pub mod encode_pointwise_tangent;
pub mod grid_bound;
pub mod max_abs;
pub mod scatter;
pub mod scatter_tangent;

use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::{check_positive, volume};
use crate::network::encoding::EncodingRange;
use crate::network::{Activation, Encoding, Mlp};
use crate::numeric::{to_u32, wide};

/// The rows that an encoding's kernel works on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncodedRows {
    /// The number of models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Elements from one model's inputs to the next's; 0 where all models share them.
    pub input_model: usize,
    /// The index of the first row of the inputs.
    pub first_row: usize,
    /// Columns of the inputs.
    pub inputs: usize,
    /// Columns of the encoded rows.
    pub width: usize,
    /// The index of the first element of the encoded rows, or of their gradient.
    pub first: usize,
}

/// One encoding of a network, and the rows that it encodes.
#[derive(Debug, Clone)]
pub(crate) struct EncodedPart {
    pub range: EncodingRange,
    pub rows: EncodedRows,
}

impl EncodedPart {
    /// An encoding of all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`]; no inputs, models or rows.
    fn whole(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        encoding.check(inputs)?;
        for (what, size) in [("inputs", inputs), ("models", models), ("rows", rows)] {
            check_positive(&format!("an encoding's number of {what}"), size)?;
        }
        let width = encoding.outputs(inputs);
        let tables = 0..encoding.parameters(inputs);
        let range = EncodingRange { encoding, inputs: 0..inputs, outputs: 0..width, tables };
        let input_model = rows.saturating_mul(inputs);
        let rows = EncodedRows { models, rows, input_model, first_row: 0, inputs, width, first: 0 };
        Ok(Self { range, rows })
    }

    /// The number of rows of all models.
    /// The word at `at` of a dispatch's parameters that bounds the rows.
    const fn counted(&self, at: usize) -> Counted {
        Counted::Rows { at, first: self.rows.first_row, each: 1 }
    }

    fn all_rows(&self) -> u64 {
        volume(&[self.rows.models, self.rows.rows])
    }

    /// A network that has only this encoding, for the references.
    fn network(&self) -> Mlp {
        let inputs = self.range.inputs.len();
        Mlp::new(inputs).encode(inputs, self.range.encoding).layer(1, Activation::Identity)
    }
}

/// Converts a size to the shader's `u32`.
fn n(value: usize) -> Result<u32> {
    to_u32("a size of an encoding", wide(value))
}
