//! The stages of an encoding: the first layer's inputs, and the gradients behind them.

use super::Buffer;
use super::builder::Builder;
use crate::error::Result;
use crate::kernels::encoding::{
    dequantize, encode_grid, encode_grid_gradient, encode_pointwise, encode_pointwise_gradient,
    max_abs, scatter,
};
use crate::network::{
    Encoding,
    encoding::{self, EncodingRange},
};

/// Rows of a buffer.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub buffer: Buffer,
    /// The first element of the first row.
    pub first: usize,
    /// Elements from row to row.
    pub width: usize,
}

impl Builder<'_> {
    /// How many sets of rows the first layer reads: one for each model where each has tables.
    pub fn encoded_sets(&self) -> usize {
        if self.mlp.encoding_parameters() > 0 { self.models } else { self.sets }
    }

    /// The sizes of what is encoded for `models` models.
    fn encoded_shape(&self, models: usize) -> encode_pointwise::Shape {
        encode_pointwise::Shape {
            models,
            rows: self.batch,
            input_model: if self.sets == 1 { 0 } else { self.batch * self.mlp.inputs },
            first_row: self.read_from,
            inputs: self.mlp.inputs,
            width: self.mlp.layer_inputs(0),
        }
    }

    /// The first layer's inputs, where an encoding makes them: a dispatch a part.
    pub fn encode(&mut self, x: Buffer) -> Result<()> {
        let (models, width) = (self.encoded_sets(), self.mlp.layer_inputs(0));
        let shape = self.encoded_shape(models);
        for place in encoding::encoding_ranges(self.mlp) {
            self.buffer(Buffer::Encoded, &[models, self.batch, width])?;
            if let Encoding::Grid(_) = place.encoding {
                let dispatch = encode_grid::dispatch(&place, shape, self.mlp.parameters())?;
                self.push(dispatch, &[x, Buffer::Parameters, Buffer::Encoded]);
            } else {
                self.push(encode_pointwise::dispatch(&place, shape)?, &[x, Buffer::Encoded]);
            }
        }
        Ok(())
    }

    /// The gradient of every grid's tables from that of the first layer's inputs, `delta`.
    pub fn table_gradients(&mut self, x: Buffer, delta: Rows) -> Result<()> {
        use Buffer::{Gradient, MaxAbs, Status, TableSums};
        let Rows { buffer: delta, first, width } = delta;
        let (models, rows) = (self.models, self.batch);
        let shape = encode_pointwise::Shape { width, ..self.encoded_shape(models) };
        for place in encoding::encoding_ranges(self.mlp) {
            let EncodingRange { outputs, tables, .. } = &place;
            if tables.is_empty() {
                continue;
            }
            let first = first + outputs.start;
            let groups = max_abs::groups(rows, outputs.len());
            self.buffer(MaxAbs(0), &[models, groups])?;
            self.buffer(MaxAbs(1), &[models])?;
            self.buffer(TableSums, &[models, tables.len(), 2])?;
            let found = max_abs::dispatch(models, rows, [width, first, outputs.len()], groups)?;
            self.push(found, &[delta, MaxAbs(0)]);
            self.push(max_abs::dispatch(models, groups, [1, 0, 1], 1)?, &[MaxAbs(0), MaxAbs(1)]);
            let dispatch = scatter::dispatch(&place, shape, first)?;
            self.push(dispatch, &[x, delta, MaxAbs(1), TableSums]);
            let sizes = [tables.len(), tables.start, self.mlp.parameters()];
            let bits = scatter::precision(rows, place.inputs.len())?;
            let dispatch = dequantize::dispatch(models, sizes, bits, self.capabilities)?;
            self.push(dispatch, &[MaxAbs(1), TableSums, Gradient, Status]);
        }
        Ok(())
    }

    /// The gradient of the inputs from that of what an encoding makes of them.
    pub fn encoding_gradient(&mut self, x: Buffer) -> Result<()> {
        use Buffer::{EncodedGradient, InputGradient, Parameters};
        self.buffer(InputGradient, &[self.models, self.batch, self.mlp.inputs])?;
        let shape = self.encoded_shape(self.models);
        for place in encoding::encoding_ranges(self.mlp) {
            if let Encoding::Grid(_) = place.encoding {
                let dispatch =
                    encode_grid_gradient::dispatch(&place, shape, self.mlp.parameters())?;
                self.push(dispatch, &[x, Parameters, EncodedGradient, InputGradient]);
            } else {
                let dispatch = encode_pointwise_gradient::dispatch(&place, shape)?;
                self.push(dispatch, &[x, EncodedGradient, InputGradient]);
            }
        }
        Ok(())
    }
}
