//! The gradient layer by layer. Each layer is one matrix product with its epilogue.

use super::Buffer;
use super::builder::{Builder, Gradient, Slice, n};
use super::encoding::Rows;
use super::sizes::Sizes;
use crate::error::Result;
use crate::kernels::matmul::{Epilogue, Parameters};
use crate::kernels::step::loss::LossGradient;
use crate::kernels::step::reduce::MAX_SPLITS;
use crate::kernels::{PARTIAL_BYTES, matmul, stride, volume};
use crate::network::{Activation, Saved};
use crate::numeric::{narrow, wide};
use crate::training::Loss;

/// The purpose of a forward pass, which decides what it saves and how it ends.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// Saves what the backward pass needs and ends at the last pre-activations.
    Training,
    /// Saves nothing and ends at the last pre-activations.
    Loss,
    /// Saves nothing and ends at the outputs.
    Prediction,
}

/// The operands of a layer's weight gradient.
#[derive(Clone, Copy)]
pub(super) struct WeightOperands {
    pub delta: Buffer,
    pub input: Buffer,
    /// Elements from one model's inputs to the next's; 0 where all models share them.
    pub model: u32,
    /// Whether they are the tangents', whose product is added.
    pub tangents: bool,
}

impl Builder<'_> {
    /// Leaves the gradient of a step in [`Buffer::Gradient`] and computes its loss.
    pub fn layered_gradient(&mut self, sizes: &Sizes) -> Result<()> {
        let [x, t] = sizes.batch_buffers();
        self.forward(x, Purpose::Training)?;
        self.layered_backward(sizes.training.loss, x, t)
    }

    /// The loss and the backward pass, from what [`Builder::forward`] has saved for a training.
    pub fn layered_backward(&mut self, loss: Loss, x: Buffer, t: Buffer) -> Result<()> {
        let tables = self.tables;
        let of_layers = self.parameters - tables;
        let splits = self.splits();
        // An unsplit gradient needs no second buffer and no sum, unless it is added to another.
        let in_parts = splits > 1 || self.gradient == Gradient::Adds;
        let partial = if in_parts { Buffer::PartialGradient } else { Buffer::Unused(0) };
        let elements =
            if in_parts { stride(of_layers.saturating_mul(self.models), true) } else { 1 };
        self.buffer(partial, &[splits, elements])?;
        let loss_groups = self.loss(loss, [x, t])?;
        for layer in (0..self.ranges.len()).rev() {
            let operands = WeightOperands {
                delta: self.delta(layer),
                input: self.input(layer, x),
                model: self.input_model(layer)?,
                tangents: false,
            };
            self.weight_gradient(layer, operands, splits, in_parts)?;
            if layer > 0 || tables > 0 {
                self.layer_gradient(layer, self.delta_rows(layer))?;
            }
        }
        let width = self.mlp.layer_inputs(0);
        self.table_gradients(x, Rows { buffer: Buffer::EncodedGradient, first: 0, width })?;
        self.reduce(if in_parts { splits } else { 0 }, loss_groups, partial)
    }

    /// The gradient of the inputs `x`. It uses the buffers that [`Builder::layered_backward`] has
    /// written.
    pub fn input_gradient(&mut self, x: Buffer) -> Result<()> {
        if self.tables == 0 {
            self.layer_gradient(0, self.delta_rows(0))?;
        }
        let width = self.mlp.layer_inputs(0);
        self.encoding_gradient(x, Rows { buffer: Buffer::EncodedGradient, first: 0, width })
    }

    pub fn forward(&mut self, x: Buffer, purpose: Purpose) -> Result<()> {
        self.encode(x)?;
        let p = n(self.parameters)?;
        let last = self.mlp.layers.len() - 1;
        for (index, range) in self.ranges.clone().into_iter().enumerate() {
            let [units, inputs] = range.shape;
            let activation = match (index == last, purpose) {
                (true, Purpose::Training | Purpose::Loss) => Activation::Identity,
                _ => self.mlp.layers[index].activation,
            };
            let save =
                purpose == Purpose::Training && index != last && activation.saves() == Saved::Input;
            let copies = if save { 2 } else { 1 };
            self.buffer(Buffer::Activation(index), &[copies, self.models, self.batch, units])?;
            let plain = index == 0 && self.mlp.encoding.is_empty();
            let first = if plain { self.read_from.saturating_mul(inputs) } else { 0 };
            let all = Slice { first: 0, of: self.batch };
            let Slice { first: at, of } = self.written.filter(|_| index == last).unwrap_or(all);
            let parameters = Parameters {
                rows: n(self.batch)?,
                columns: n(units)?,
                models: n(self.models)?,
                a_offset: n(first)?,
                a_model: self.input_model(index)?,
                a_row: n(inputs)?,
                a_inner: 1,
                b_offset: n(range.weight.start)?,
                b_model: p,
                b_inner: 1,
                b_column: n(inputs)?,
                extra_offset: n(range.bias.start)?,
                extra_model: p,
                extra_column: 1,
                c_offset: n(at.saturating_mul(units))?,
                c_model: n(of.saturating_mul(units))?,
                c_row: n(units)?,
                saved_offset: self.saved_offset(index)?,
                ..Parameters::default()
            };
            let bias = self.mlp.layers[index].bias;
            let epilogue = Epilogue::Activation { of: activation, save, bias };
            let (weight, bias) = (Buffer::Parameters, Buffer::Parameters);
            let dispatches = matmul::dispatches_of_rows(
                parameters,
                inputs,
                self.read_from,
                epilogue,
                self.capabilities,
            )?;
            for dispatch in dispatches {
                let output = Buffer::Activation(index);
                self.push(dispatch, &[self.input(index, x), weight, bias, output]);
            }
        }
        Ok(())
    }

    /// Ends with the loss's partial sums and the last layer's delta. Returns the number of partial
    /// sums.
    pub fn loss(&mut self, loss: Loss, [x, t]: [Buffer; 2]) -> Result<usize> {
        let outputs = self.mlp.outputs();
        let gradient = LossGradient {
            loss,
            activation: self.mlp.last_activation(),
            models: self.models,
            own_targets: self.own_targets,
            batch: self.batch,
            outputs,
            inputs: self.mlp.inputs,
        };
        let groups = gradient.groups(self.capabilities);
        self.buffer(Buffer::PartialLoss, &[self.models, groups])?;
        let widest = self.mlp.layers.iter().map(|layer| layer.units).max().unwrap_or(0);
        for i in 0..2 {
            self.buffer(Buffer::Delta(i), &[self.models, self.batch, widest])?;
        }
        let dispatch = gradient.dispatch(self.capabilities)?;
        let z = Buffer::Activation(self.mlp.layers.len() - 1);
        self.push(dispatch, &[z, t, Buffer::Delta(0), Buffer::PartialLoss, x]);
        Ok(groups)
    }

    /// The buffer of layer `layer`'s delta. Two buffers alternate from the last layer down.
    pub fn delta(&self, layer: usize) -> Buffer {
        Buffer::Delta((self.mlp.layers.len() - 1 - layer) % 2)
    }

    /// The range of layer `layer`'s delta.
    pub fn delta_rows(&self, layer: usize) -> Rows {
        let width = self.mlp.layers[layer].units;
        Rows { buffer: self.delta(layer), first: 0, width }
    }

    /// The number of parts of the batch for the weight gradients. It gives enough invocations to
    /// fill a GPU, keeps sums short enough to be accurate, and limits the memory. A CPU has few
    /// cores to fill: from 8 tiles of a subgroup on, longer sums only save memory.
    pub fn splits(&self) -> usize {
        let of_layers = self.parameters - self.tables;
        let all = wide(of_layers).saturating_mul(wide(self.models));
        let filled = if self.capabilities.software { 512 } else { 16_384 };
        let chunk = if all / 16 >= filled { 1024 } else { 128 };
        let room =
            PARTIAL_BYTES.min(self.capabilities.max_binding()) / all.max(1).saturating_mul(4);
        let wanted = self.batch.div_ceil(chunk).min(narrow(room).clamp(1, MAX_SPLITS));
        wanted.max(self.batch.div_ceil(matmul::max_chunk()))
    }

    /// The stride from model to model of layer `layer`'s inputs; 0 where all models share them.
    pub fn input_model(&self, layer: usize) -> Result<u32> {
        let shared = layer == 0 && self.encoded_sets() == 1;
        if shared { Ok(0) } else { n(self.batch.saturating_mul(self.mlp.layer_inputs(layer))) }
    }

    /// The buffer of layer `layer`'s inputs.
    pub fn input(&self, layer: usize, x: Buffer) -> Buffer {
        match layer.checked_sub(1) {
            Some(below) => Buffer::Activation(below),
            None if self.mlp.encoding.is_empty() => x,
            None => Buffer::Encoded,
        }
    }

    /// The offset of layer `layer`'s pre-activations, which follow its activations.
    pub fn saved_offset(&self, layer: usize) -> Result<u32> {
        n(narrow(volume(&[self.models, self.batch, self.mlp.layers[layer].units])))
    }

    /// dW = Δᵀ X and db = Δᵀ 1 in one product: X has an additional column of ones. The product of tangents
    /// is added to that one, and has no bias.
    pub fn weight_gradient(
        &mut self,
        layer: usize,
        operands: WeightOperands,
        splits: usize,
        in_parts: bool,
    ) -> Result<()> {
        let WeightOperands { delta, input, model, tangents } = operands;
        let range = self.ranges[layer].clone();
        let [units, inputs] = range.shape;
        let biased = self.mlp.layers[layer].bias && !tangents;
        // The partial sums leave the tables out.
        let of_layers = self.parameters - self.tables;
        let (start, p) = if in_parts { (self.tables, of_layers) } else { (0, self.parameters) };
        let parameters = Parameters {
            rows: n(units)?,
            columns: n(inputs.saturating_add(biased.into()))?,
            models: n(self.models)?,
            splits: n(splits)?,
            chunk: n(self.batch.div_ceil(splits))?,
            a_model: n(self.batch.saturating_mul(units))?,
            a_row: 1,
            a_inner: n(units)?,
            b_model: model,
            b_inner: n(inputs)?,
            b_column: 1,
            c_offset: n(range.weight.start - start)?,
            c_model: n(p)?,
            c_split: n(stride(self.models.saturating_mul(of_layers), true))?,
            c_row: n(inputs)?,
            ones_column: biased.into(),
            ones_offset: n(range.bias.start - range.weight.start)?,
            accumulate: tangents.into(),
            ..Parameters::default()
        };
        let dispatches =
            matmul::dispatches_over_rows(parameters, self.batch, self.counted, self.capabilities)?;
        for dispatch in dispatches {
            let c = if in_parts { Buffer::PartialGradient } else { Buffer::Gradient };
            self.push(dispatch, &[delta, input, input, c]);
        }
        Ok(())
    }

    /// The delta of the layer below, Δ W ⊙ f′. Below layer 0 it is the gradient of the inputs, Δ W.
    pub fn layer_gradient(&mut self, layer: usize, delta: Rows) -> Result<()> {
        let inputs = self.ranges[layer].shape[1];
        let mut parameters = self.parameters_below(layer, delta)?;
        let (epilogue, extra, c) = if layer == 0 {
            let encoded = !self.mlp.encoding.is_empty();
            let c = if encoded { Buffer::EncodedGradient } else { self.inputs_gradient };
            self.buffer(c, &[self.models, self.batch, inputs])?;
            (Epilogue::Sum, Buffer::Parameters, c)
        } else {
            let activation = self.mlp.layers[layer - 1].activation;
            if activation.saves() == Saved::Input {
                parameters.extra_offset = self.saved_offset(layer - 1)?;
            }
            parameters.extra_model = n(self.batch.saturating_mul(inputs))?;
            parameters.extra_row = n(inputs)?;
            parameters.extra_column = 1;
            (Epilogue::Gradient(activation), Buffer::Activation(layer - 1), self.delta(layer - 1))
        };
        self.product_below(layer, delta.buffer, parameters, (epilogue, extra, c))
    }

    /// Δ W, the gradient of layer `layer`'s inputs, in the buffer `c`.
    pub fn input_product(&mut self, layer: usize, delta: Rows, c: Buffer) -> Result<()> {
        let parameters = self.parameters_below(layer, delta)?;
        self.buffer(c, &[self.models, self.batch, self.ranges[layer].shape[1]])?;
        self.product_below(layer, delta.buffer, parameters, (Epilogue::Sum, Buffer::Parameters, c))
    }

    fn product_below(
        &mut self,
        layer: usize,
        delta: Buffer,
        parameters: Parameters,
        (epilogue, extra, c): (Epilogue, Buffer, Buffer),
    ) -> Result<()> {
        let units = self.ranges[layer].shape[0];
        let dispatches =
            matmul::dispatches_of_rows(parameters, units, 0, epilogue, self.capabilities)?;
        for dispatch in dispatches {
            self.push(dispatch, &[delta, Buffer::Parameters, extra, c]);
        }
        Ok(())
    }

    /// The operands of Δ W.
    fn parameters_below(&self, layer: usize, delta: Rows) -> Result<Parameters> {
        let range = &self.ranges[layer];
        let inputs = range.shape[1];
        Ok(Parameters {
            rows: n(self.batch)?,
            columns: n(inputs)?,
            models: n(self.models)?,
            a_offset: n(delta.first)?,
            a_model: n(self.batch.saturating_mul(delta.width))?,
            a_row: n(delta.width)?,
            a_inner: 1,
            b_offset: n(range.weight.start)?,
            b_model: n(self.parameters)?,
            b_inner: n(inputs)?,
            b_column: 1,
            c_model: n(self.batch.saturating_mul(inputs))?,
            c_row: n(inputs)?,
            ..Parameters::default()
        })
    }

    /// X Wᵀ, the tangent of layer `layer`'s pre-activations, in the buffer `c`, from that of its inputs,
    /// `[models, batch, inputs]`.
    pub fn tangent_product(&mut self, layer: usize, x: Buffer, c: Buffer) -> Result<()> {
        let range = self.ranges[layer].clone();
        let [units, inputs] = range.shape;
        self.buffer(c, &[self.models, self.batch, units])?;
        let parameters = Parameters {
            rows: n(self.batch)?,
            columns: n(units)?,
            models: n(self.models)?,
            a_model: n(self.batch.saturating_mul(inputs))?,
            a_row: n(inputs)?,
            a_inner: 1,
            b_offset: n(range.weight.start)?,
            b_model: n(self.parameters)?,
            b_inner: 1,
            b_column: n(inputs)?,
            c_model: n(self.batch.saturating_mul(units))?,
            c_row: n(units)?,
            ..Parameters::default()
        };
        let weight = Buffer::Parameters;
        for dispatch in
            matmul::dispatches_of_rows(parameters, inputs, 0, Epilogue::Sum, self.capabilities)?
        {
            self.push(dispatch, &[x, weight, weight, c]);
        }
        Ok(())
    }
}
