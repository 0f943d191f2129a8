//! The stages of an encoding: the first layer's inputs, and the gradients of tables and inputs.

use super::Buffer;
use super::builder::{Builder, Gradient};
use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::encoding::dequantize::Dequantize;
use crate::kernels::encoding::encode_grid::EncodeGrid;
use crate::kernels::encoding::encode_grid_curvature::EncodeGridCurvature;
use crate::kernels::encoding::encode_grid_gradient::EncodeGridGradient;
use crate::kernels::encoding::encode_grid_tangent::EncodeGridTangent;
use crate::kernels::encoding::encode_pointwise::EncodePointwise;
use crate::kernels::encoding::encode_pointwise_curvature::EncodePointwiseCurvature;
use crate::kernels::encoding::encode_pointwise_gradient::EncodePointwiseGradient;
use crate::kernels::encoding::encode_pointwise_tangent::EncodePointwiseTangent;
use crate::kernels::encoding::grid_bound::GridBound;
use crate::kernels::encoding::max_abs::{self, MaxAbs};
use crate::kernels::encoding::scatter::{Precision, Scatter};
use crate::kernels::encoding::scatter_tangent::ScatterTangent;
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
        for range in encoding_ranges(self.mlp) {
            let first = delta.first + range.outputs.start;
            let columns = range.outputs.len();
            if range.tables.is_empty() {
                continue;
            }
            self.largest(delta.buffer, [delta.width, first, columns])?;
            let mut part = self.part(range.clone(), self.models);
            part.rows.width = delta.width;
            for scatter in (Scatter { part, first }).dispatches(self.capabilities)? {
                self.push(scatter, &[x, delta.buffer, Buffer::MaxAbs(1), Buffer::TableSums]);
            }
            self.dequantize(&range)?;
        }
        Ok(())
    }

    /// The same from the gradients of the first layer's inputs and of their tangent.
    pub fn table_gradients_of_both(&mut self, x: Buffer) -> Result<()> {
        use Buffer::{EncodedGradient, EncodedTangentGradient, GridBounds, SlopeGradient};
        let parameters = self.parameters;
        for range in encoding_ranges(self.mlp) {
            if range.tables.is_empty() {
                continue;
            }
            let columns = range.outputs.len();
            self.buffer(GridBounds, &[self.models, self.batch, columns])?;
            let part = self.part(range.clone(), self.models);
            let bound = GridBound(EncodeGrid { part: part.clone(), parameters }).dispatch()?;
            let deltas = [EncodedGradient, EncodedTangentGradient];
            self.push(bound, &[SlopeGradient, deltas[0], deltas[1], GridBounds]);
            self.largest(GridBounds, [columns, 0, columns])?;
            let first = range.outputs.start;
            let scatter = ScatterTangent { part, first }.dispatch()?;
            let [found, sums] = [Buffer::MaxAbs(1), Buffer::TableSums];
            self.push(scatter, &[x, SlopeGradient, deltas[0], deltas[1], found, sums]);
            self.dequantize(&range)?;
        }
        Ok(())
    }

    /// The largest magnitude in some columns of a buffer of rows: their width, the first element, and
    /// the number of columns.
    fn largest(&mut self, of: Buffer, [width, first, columns]: [usize; 3]) -> Result<()> {
        use Buffer::MaxAbs as Found;
        let (models, rows) = (self.models, self.batch);
        let groups = MaxAbs::groups_of(rows, columns);
        self.buffer(Found(0), &[models, groups])?;
        self.buffer(Found(1), &[models])?;
        let max_abs = MaxAbs { models, rows, width, first, columns, groups };
        let count = Counted::Rows { at: offset_of!(max_abs::Parameters, count), first: 0, each: 1 };
        self.push(max_abs.dispatch()?.counting(count), &[of, Found(0)]);
        self.push(MaxAbs::joining(models, groups).dispatch()?, &[Found(0), Found(1)]);
        Ok(())
    }

    /// The gradient of a grid's tables from its sums.
    fn dequantize(&mut self, range: &EncodingRange) -> Result<()> {
        use Buffer::{MaxAbs as Found, Status, TableSums};
        let (models, tables) = (self.models, range.tables.len());
        self.buffer(TableSums, &[models, tables, 2])?;
        let dequantize = Dequantize {
            models,
            tables,
            first: range.tables.start,
            parameters: self.parameters,
            precision: Precision::of(self.batch, range.inputs.len())?,
            marks: self.marks,
            adds: self.gradient == Gradient::Adds,
        };
        let dispatch = dequantize.dispatch(self.capabilities)?;
        self.push(dispatch, &[Found(1), TableSums, self.gradient.buffer(), Status]);
        Ok(())
    }

    /// The gradient of the inputs, from the gradient `delta` of the encoded inputs.
    pub fn encoding_gradient(&mut self, x: Buffer, delta: Rows) -> Result<()> {
        use Buffer::Parameters;
        let to = self.inputs_gradient;
        self.buffer(to, &[self.models, self.batch, self.mlp.inputs])?;
        let (parameters, adds) = (self.parameters, self.mlp.shares_inputs());
        let part_of = |builder: &Self, range| {
            let mut part = builder.part(range, builder.models);
            part.rows.width = delta.width;
            part.rows.first = delta.first;
            part
        };
        self.zero_inputs(x, delta.buffer)?;
        for range in encoding_ranges(self.mlp) {
            let part = part_of(self, range);
            if let Encoding::Grid(_) = part.range.encoding {
                let encode = EncodeGrid { part, parameters };
                let dispatch = EncodeGridGradient { encode, adds }.dispatch()?;
                self.push(dispatch, &[x, Parameters, delta.buffer, to]);
            } else {
                let dispatch = EncodePointwiseGradient { part, adds }.dispatch()?;
                self.push(dispatch, &[x, delta.buffer, to]);
            }
        }
        Ok(())
    }

    /// Sets the gradient of the inputs to 0 where every encoding adds its share.
    fn zero_inputs(&mut self, x: Buffer, delta: Buffer) -> Result<()> {
        if !self.mlp.shares_inputs() {
            return Ok(());
        }
        let encoding = Identity::default().into();
        let inputs = 0..self.mlp.inputs;
        let range = EncodingRange { encoding, inputs, outputs: 0..0, tables: 0..0 };
        let part = self.part(range, self.models);
        let dispatch = EncodePointwiseGradient { part, adds: false }.zeros()?;
        self.push(dispatch, &[x, delta, self.inputs_gradient]);
        Ok(())
    }

    /// The tangent of the first layer's inputs, from the tangent `v` of the inputs.
    pub fn encode_tangents(&mut self, x: Buffer, v: Buffer) -> Result<()> {
        let to = Buffer::EncodedTangent;
        let parameters = self.parameters;
        for range in encoding_ranges(self.mlp) {
            self.buffer(to, &[self.models, self.batch, self.mlp.layer_inputs(0)])?;
            let part = self.part(range, self.models);
            if let Encoding::Grid(_) = part.range.encoding {
                let dispatch = EncodeGridTangent(EncodeGrid { part, parameters }).dispatch()?;
                self.push(dispatch, &[x, v, Buffer::Parameters, to]);
            } else {
                self.push(EncodePointwiseTangent(part).dispatch()?, &[x, v, to]);
            }
        }
        Ok(())
    }

    /// The gradient of the inputs, whose tangent is `v`, from the gradients of the encoded inputs and of
    /// their tangent.
    pub fn encoding_gradient_of_both(&mut self, x: Buffer, v: Buffer) -> Result<()> {
        let [delta, tangent_delta] = [Buffer::EncodedGradient, Buffer::EncodedTangentGradient];
        let to = self.inputs_gradient;
        self.buffer(to, &[self.models, self.batch, self.mlp.inputs])?;
        let (parameters, adds) = (self.parameters, self.mlp.shares_inputs());
        self.zero_inputs(x, delta)?;
        for range in encoding_ranges(self.mlp) {
            let part = self.part(range, self.models);
            if let Encoding::Grid(_) = part.range.encoding {
                let encode = EncodeGrid { part, parameters };
                let dispatch = EncodeGridCurvature { encode, adds }.dispatch()?;
                self.push(dispatch, &[x, v, Buffer::Parameters, delta, tangent_delta, to]);
            } else {
                let dispatch = EncodePointwiseCurvature { part, adds }.dispatch()?;
                self.push(dispatch, &[x, v, delta, tangent_delta, to]);
            }
        }
        Ok(())
    }
}
