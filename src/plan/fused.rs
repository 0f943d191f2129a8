//! The gradient of a step by the fused kernel.

use super::Buffer;
use super::builder::Builder;
use super::encoding::Rows;
use super::sizes::Sizes;
use crate::error::Result;
use crate::kernels::{fused, stride};

impl Builder<'_> {
    /// Leaves the gradient of a step in [`Buffer::Gradient`] and computes its loss. This takes two
    /// dispatches, whatever the depth, besides those of an encoding.
    pub fn fused_gradient(&mut self, sizes: &Sizes) -> Result<()> {
        let [x, t] = sizes.batch_buffers();
        self.encode(x)?;
        self.fused_backward(sizes.fused(), x, t)
    }

    /// The forward pass by itself, which keeps what [`Builder::fused_backward`] needs.
    pub fn fused_forward(&mut self, shape: fused::Shape<'_>, x: Buffer) -> Result<()> {
        use Buffer::{Outputs, Parameters, Saved, Unused};
        let launch = fused::LaunchConfig::new(shape, self.capabilities)?;
        self.buffer(Saved, &[launch.saved])?;
        self.buffer(Outputs, &[self.models, self.batch, self.mlp.outputs()])?;
        self.bytes(Unused(0), 4);
        self.encode(x)?;
        let read = if self.mlp.encoding.is_empty() { x } else { Buffer::Encoded };
        for dispatch in fused::dispatches(shape, &launch)? {
            self.push(dispatch, &[read, read, Parameters, Saved, Outputs, Unused(0), read]);
        }
        Ok(())
    }

    /// The gradient: of a step, or of what [`Builder::fused_forward`] has kept.
    pub fn fused_backward(&mut self, shape: fused::Shape<'_>, x: Buffer, t: Buffer) -> Result<()> {
        use Buffer::{Parameters, PartialGradient, PartialLoss, Saved};
        let shape = fused::Shape { own_targets: self.own_targets, ..shape };
        let launch = fused::LaunchConfig::new(shape, self.capabilities)?;
        let (p, splits) = (self.parameters - self.tables, launch.splits);
        self.buffer(Saved, &[launch.saved])?;
        self.buffer(PartialGradient, &[splits, stride(self.models * p, true)])?;
        self.buffer(PartialLoss, &[self.models, splits])?;
        let read = if self.mlp.encoding.is_empty() { x } else { Buffer::Encoded };
        for dispatch in fused::dispatches(shape, &launch)? {
            self.push(dispatch, &[read, t, Parameters, Saved, PartialGradient, PartialLoss, x]);
        }
        let [first, width] = launch.delta;
        self.table_gradients(x, Rows { buffer: Saved, first, width })?;
        self.reduce(splits, splits, PartialGradient)
    }

    /// The gradient of the inputs `x`, after [`Builder::fused_backward`] of a shape with
    /// `input_gradient`. Without an encoding it is a product of the first layer's delta; with one, the
    /// kernel has kept the gradient of the encoded inputs.
    pub fn fused_input_gradient(&mut self, shape: fused::Shape<'_>, x: Buffer) -> Result<()> {
        let [first, width] = fused::LaunchConfig::new(shape, self.capabilities)?.delta;
        let rows = Rows { buffer: Buffer::Saved, first, width };
        if self.mlp.encoding.is_empty() {
            self.layer_gradient(0, rows)
        } else {
            self.encoding_gradient(x, rows)
        }
    }
}
