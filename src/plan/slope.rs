//! The slope of a network, and the backward pass of a loss on it.
//!
//! The slope p is the gradient of s · y with respect to the inputs x, where s is the seed. A loss L(y, p)
//! has dL/dy and v = dL/dp. What flows through p is the gradient of v · p = s · ẏ, where ẏ is the tangent
//! of the outputs for the tangent v of the inputs. So one pass computes the tangents of all layers, and
//! one the gradients of the activations and of their tangents (Pearlmutter, "Fast Exact Multiplication by
//! the Hessian", 1994): with z = W a + b, y = f(z), ż = W ȧ and ẏ = f′(z) ż,
//!
//! | | |
//! | --- | --- |
//! | dz = f′ dy + f″ ż dẏ | dż = f′ dẏ |
//! | da = Wᵀ dz | dȧ = Wᵀ dż |
//! | dW = dz aᵀ + dż ȧᵀ | db = dz |
//!
//! It begins with dy = dL/dy and dẏ = s.

use super::Buffer;
use super::builder::{Builder, n};
use super::encoding::Rows;
use super::layered::WeightOperands;
use crate::error::Result;
use crate::kernels::step::curvature::Curvature;
use crate::kernels::step::eikonal::Eikonal;
use crate::kernels::step::tangent::Tangent;
use crate::kernels::stride;
use crate::network::Saved;

impl Builder<'_> {
    /// The slope, in [`Buffer::Slope`], after a forward pass that has saved what a training needs.
    /// Without a seed the slope is that of the sum of the outputs.
    pub fn slope(&mut self, x: Buffer, seeded: bool) -> Result<()> {
        let last = self.mlp.layers.len() - 1;
        self.deltas(false)?;
        let tangent = Tangent {
            activation: self.mlp.last_activation(),
            of_input: true,
            ones: !seeded,
            saved_offset: 0,
            shape: [self.models, self.batch, self.mlp.outputs()],
        };
        let seed = self.seed(seeded)?;
        self.push(tangent.dispatch()?, &[Buffer::Activation(last), seed, self.delta(last)]);
        for layer in (1..=last).rev() {
            self.layer_gradient(layer, self.delta_rows(layer))?;
        }
        self.inputs_gradient = Buffer::Slope;
        self.layer_gradient(0, self.delta_rows(0))?;
        if !self.mlp.encoding.is_empty() {
            let width = self.mlp.layer_inputs(0);
            self.encoding_gradient(x, Rows { buffer: Buffer::EncodedGradient, first: 0, width })?;
        }
        self.inputs_gradient = Buffer::InputGradient;
        Ok(())
    }

    /// The gradient of the eikonal term, in [`Buffer::SlopeGradient`], after [`Builder::slope`].
    pub fn eikonal(&mut self, weight: f32) -> Result<()> {
        let (models, rows, inputs) = (self.models, self.batch, self.mlp.inputs);
        let dispatch = Eikonal { weight, models, rows, inputs }.dispatch()?;
        self.push(dispatch, &[Buffer::Slope, Buffer::SlopeGradient]);
        Ok(())
    }

    /// The backward pass of a loss on the outputs and on the slope. It needs what the forward pass has
    /// saved, and nothing of [`Builder::slope`].
    pub fn slope_backward(
        &mut self,
        x: Buffer,
        output_gradient: Buffer,
        seeded: bool,
        input_gradient: bool,
    ) -> Result<()> {
        let v = Buffer::SlopeGradient;
        let tables = self.tables;
        let last = self.mlp.layers.len() - 1;
        self.tangents(x, v)?;
        self.deltas(true)?;
        let splits = self.splits();
        let elements = stride((self.parameters - tables).saturating_mul(self.models), true);
        self.buffer(Buffer::PartialGradient, &[splits, elements])?;
        // The gradients of a layer's activations are in the buffers 0, those of its pre-activations in 1.
        let [values, tangents] = [Buffer::Delta, Buffer::TangentDelta];
        for layer in (0..=last).rev() {
            let is_last = layer == last;
            let units = self.mlp.layers[layer].units;
            let activation = self.mlp.layers[layer].activation;
            let apart = !is_last && activation.saves() == Saved::Input;
            let saved_offset = if apart { self.saved_offset(layer)? as usize } else { 0 };
            let curvature = Curvature {
                activation,
                of_input: is_last,
                ones: is_last && !seeded,
                saved_offset,
                shape: [self.models, self.batch, units],
            };
            let [gradient, of_tangent] = match is_last {
                true => [output_gradient, self.seed(seeded)?],
                false => [values(0), tangents(0)],
            };
            let saved = [Buffer::Activation(layer), Buffer::InputTangent(layer)];
            self.push(
                curvature.dispatch()?,
                &[saved[0], saved[1], gradient, of_tangent, values(1), tangents(1)],
            );
            let model = n(self.batch.saturating_mul(self.mlp.layer_inputs(layer)))?;
            let pairs = [
                (values(1), self.input(layer, x), self.input_model(layer)?, false),
                (tangents(1), self.tangent(layer, v), model, true),
            ];
            for (delta, input, model, tangents) in pairs {
                let operands = WeightOperands { delta, input, model, tangents };
                self.weight_gradient(layer, operands, splits, true)?;
            }
            let rows = |buffer| Rows { buffer, first: 0, width: units };
            if layer > 0 {
                self.input_product(layer, rows(values(1)), values(0))?;
                self.input_product(layer, rows(tangents(1)), tangents(0))?;
            } else if self.mlp.encoding.is_empty() {
                if input_gradient {
                    self.input_product(0, rows(values(1)), Buffer::InputGradient)?;
                }
            } else if tables > 0 || input_gradient {
                self.input_product(0, rows(values(1)), Buffer::EncodedGradient)?;
                self.input_product(0, rows(tangents(1)), Buffer::EncodedTangentGradient)?;
            }
        }
        self.table_gradients_of_both(x)?;
        if input_gradient && !self.mlp.encoding.is_empty() {
            self.encoding_gradient_of_both(x, v)?;
        }
        self.buffer(Buffer::PartialLoss, &[1])?;
        self.reduce(splits, 0, Buffer::PartialGradient)
    }

    /// The tangents of all layers but the last one's outputs, for the tangent `v` of the inputs.
    fn tangents(&mut self, x: Buffer, v: Buffer) -> Result<()> {
        self.encode_tangents(x, v)?;
        for layer in 0..self.mlp.layers.len() {
            self.tangent_product(layer, self.tangent(layer, v), Buffer::InputTangent(layer))?;
            if layer + 1 == self.mlp.layers.len() {
                break;
            }
            let (activation, units) =
                (self.mlp.layers[layer].activation, self.mlp.layers[layer].units);
            let apart = activation.saves() == Saved::Input;
            let tangent = Tangent {
                activation,
                of_input: false,
                ones: false,
                saved_offset: if apart { self.saved_offset(layer)? as usize } else { 0 },
                shape: [self.models, self.batch, units],
            };
            self.buffer(Buffer::Tangent(layer), &tangent.shape)?;
            let [from, to] = [Buffer::InputTangent(layer), Buffer::Tangent(layer)];
            self.push(tangent.dispatch()?, &[Buffer::Activation(layer), from, to]);
        }
        Ok(())
    }

    /// The buffer of the tangent of layer `layer`'s inputs.
    fn tangent(&self, layer: usize, v: Buffer) -> Buffer {
        match layer.checked_sub(1) {
            Some(below) => Buffer::Tangent(below),
            None if self.mlp.encoding.is_empty() => v,
            None => Buffer::EncodedTangent,
        }
    }

    /// The buffer of the seed, or one that is not read.
    pub fn seed(&mut self, seeded: bool) -> Result<Buffer> {
        if seeded {
            self.buffer(Buffer::Seed, &[self.models, self.batch, self.mlp.outputs()])?;
            return Ok(Buffer::Seed);
        }
        self.bytes(Buffer::Unused(1), 4);
        Ok(Buffer::Unused(1))
    }

    /// The buffers of the gradients of pre-activations, and of their tangents.
    fn deltas(&mut self, tangents: bool) -> Result<()> {
        let widest = self.mlp.layers.iter().map(|layer| layer.units).max().unwrap_or(0);
        for i in 0..2 {
            self.buffer(Buffer::Delta(i), &[self.models, self.batch, widest])?;
            if tangents {
                self.buffer(Buffer::TangentDelta(i), &[self.models, self.batch, widest])?;
            }
        }
        Ok(())
    }
}
