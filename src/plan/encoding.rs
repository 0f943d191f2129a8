//! The stages of an encoding: the first layer's inputs, and the gradients of tables and inputs.

use super::Buffer;
use super::builder::{Builder, Gradient};
use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::encoding::dequantize::Dequantize;
use crate::kernels::encoding::encode_grid::EncodeGrid;
use crate::kernels::encoding::encode_grid_gradient::EncodeGridGradient;
use crate::kernels::encoding::encode_pointwise::EncodePointwise;
use crate::kernels::encoding::encode_pointwise_gradient::EncodePointwiseGradient;
use crate::kernels::encoding::max_abs::{self, MaxAbs};
use crate::kernels::encoding::scatter::{Precision, Scatter};
use crate::kernels::encoding::{EncodedPart, EncodedRows};
use crate::network::Encoding;
use crate::network::encoding::{EncodingRange, Identity, encoding_ranges};
use std::mem::offset_of;

/// The range of some rows in a buffer.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub buffer: Buffer,
    /// The index of the first row's first element.
    pub first: usize,
    /// Elements from row to row.
    pub width: usize,
}

impl Builder<'_> {
    /// The number of row sets that the first layer reads: one for each model where an encoding has
    /// tables.
    pub fn encoded_sets(&self) -> usize {
        if self.tables > 0 { self.models } else { self.sets }
    }

    /// One encoding for `models` models, and the rows that it encodes.
    fn part(&self, range: EncodingRange, models: usize) -> EncodedPart {
        let rows = EncodedRows {
            models,
            rows: self.batch,
            input_model: if self.sets == 1 {
                0
            } else {
                self.batch.saturating_mul(self.mlp.inputs)
            },
            first_row: self.read_from,
            inputs: self.mlp.inputs,
            width: self.mlp.layer_inputs(0),
            first: 0,
        };
        EncodedPart { range, rows }
    }

    /// The first layer's inputs where encodings compute them: one dispatch per encoding.
    pub fn encode(&mut self, x: Buffer) -> Result<()> {
        let models = self.encoded_sets();
        let parameters = self.parameters;
        for range in encoding_ranges(self.mlp) {
            self.buffer(Buffer::Encoded, &[models, self.batch, self.mlp.layer_inputs(0)])?;
            let part = self.part(range, models);
            if let Encoding::Grid(_) = part.range.encoding {
                let dispatch = EncodeGrid { part, parameters }.dispatch()?;
                self.push(dispatch, &[x, Buffer::Parameters, Buffer::Encoded]);
            } else {
                self.push(EncodePointwise(part).dispatch()?, &[x, Buffer::Encoded]);
            }
        }
        Ok(())
    }

    /// The gradient of every grid's tables, from the gradient `delta` of the first layer's inputs.
    pub fn table_gradients(&mut self, x: Buffer, delta: Rows) -> Result<()> {
        use Buffer::{MaxAbs as Found, Status, TableSums};
        let (models, rows, parameters) = (self.models, self.batch, self.parameters);
        for range in encoding_ranges(self.mlp) {
            let EncodingRange { inputs, outputs, tables, .. } = range.clone();
            if tables.is_empty() {
                continue;
            }
            let (columns, first) = (outputs.len(), delta.first + outputs.start);
            let groups = MaxAbs::groups_of(rows, columns);
            self.buffer(Found(0), &[models, groups])?;
            self.buffer(Found(1), &[models])?;
            self.buffer(TableSums, &[models, tables.len(), 2])?;
            let max_abs = MaxAbs { models, rows, width: delta.width, first, columns, groups };
            let count =
                Counted::Rows { at: offset_of!(max_abs::Parameters, count), first: 0, each: 1 };
            self.push(max_abs.dispatch()?.counting(count), &[delta.buffer, Found(0)]);
            self.push(MaxAbs::joining(models, groups).dispatch()?, &[Found(0), Found(1)]);
            let mut part = self.part(range, models);
            part.rows.width = delta.width;
            for scatter in (Scatter { part, first }).dispatches(self.capabilities)? {
                self.push(scatter, &[x, delta.buffer, Found(1), TableSums]);
            }
            let dequantize = Dequantize {
                models,
                tables: tables.len(),
                first: tables.start,
                parameters,
                precision: Precision::of(rows, inputs.len())?,
                marks: self.marks,
                adds: self.gradient == Gradient::Adds,
            };
            let dispatch = dequantize.dispatch(self.capabilities)?;
            self.push(dispatch, &[Found(1), TableSums, self.gradient.buffer(), Status]);
        }
        Ok(())
    }

    /// The gradient of the inputs, from the gradient `delta` of the encoded inputs.
    pub fn encoding_gradient(&mut self, x: Buffer, delta: Rows) -> Result<()> {
        use Buffer::{InputGradient, Parameters};
        self.buffer(InputGradient, &[self.models, self.batch, self.mlp.inputs])?;
        let (parameters, adds) = (self.parameters, self.mlp.shares_inputs());
        let part_of = |builder: &Self, range| {
            let mut part = builder.part(range, builder.models);
            part.rows.width = delta.width;
            part.rows.first = delta.first;
            part
        };
        if adds {
            // Every encoding adds its share.
            let encoding = Identity::default().into();
            let inputs = 0..self.mlp.inputs;
            let range = EncodingRange { encoding, inputs, outputs: 0..0, tables: 0..0 };
            let part = part_of(self, range);
            let dispatch = EncodePointwiseGradient { part, adds: false }.zeros()?;
            self.push(dispatch, &[x, delta.buffer, InputGradient]);
        }
        for range in encoding_ranges(self.mlp) {
            let part = part_of(self, range);
            if let Encoding::Grid(_) = part.range.encoding {
                let encode = EncodeGrid { part, parameters };
                let dispatch = EncodeGridGradient { encode, adds }.dispatch()?;
                self.push(dispatch, &[x, Parameters, delta.buffer, InputGradient]);
            } else {
                let dispatch = EncodePointwiseGradient { part, adds }.dispatch()?;
                self.push(dispatch, &[x, delta.buffer, InputGradient]);
            }
        }
        Ok(())
    }
}
