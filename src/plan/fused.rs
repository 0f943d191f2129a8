//! The gradient of a step by the fused kernel.

use super::Buffer;
use super::builder::Builder;
use super::encoding::Rows;
use super::passes::Slope;
use super::sizes::Sizes;
use crate::error::Result;
use crate::kernels::fused::slope::{FusedSlope, Part};
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

    /// The slope, in [`Buffer::Slope`], of what [`Builder::fused_forward`] has kept.
    pub fn fused_slope(&mut self, shape: fused::Shape<'_>, x: Buffer, of: Slope) -> Result<()> {
        if self.mlp.encoding.is_empty() {
            return self.fused_seed(shape, x, of, Some(Buffer::Slope));
        }
        self.fused_seed(shape, x, of, Some(Buffer::EncodedGradient))?;
        self.inputs_gradient = Buffer::Slope;
        let width = self.mlp.layer_inputs(0);
        self.encoding_gradient(x, Rows { buffer: Buffer::EncodedGradient, first: 0, width })?;
        self.inputs_gradient = Buffer::InputGradient;
        Ok(())
    }

    /// The backward pass of a loss on the outputs and on the slope, of what [`Builder::fused_forward`] has
    /// kept. It needs nothing of [`Builder::fused_slope`].
    pub fn fused_slope_backward(
        &mut self,
        shape: fused::Shape<'_>,
        [x, g]: [Buffer; 2],
        of: Slope,
        input_gradient: bool,
    ) -> Result<()> {
        use Buffer::{EncodedGradient, EncodedTangentGradient, InputGradient, PartialGradient};
        let v = Buffer::SlopeGradient;
        let encoded = !self.mlp.encoding.is_empty();
        let goes_on = encoded && (self.tables > 0 || input_gradient);
        self.encode_tangents(x, v)?;
        self.fused_seed(shape, x, of, goes_on.then_some(EncodedTangentGradient))?;
        let to = if encoded {
            goes_on.then_some(EncodedGradient)
        } else {
            input_gradient.then_some(InputGradient)
        };
        let launch = fused::LaunchConfig::new(shape, self.capabilities)?;
        let (p, splits) = (self.parameters - self.tables, launch.splits);
        self.buffer(PartialGradient, &[splits, stride(self.models * p, true)])?;
        self.buffer(Buffer::PartialLoss, &[1])?;
        let result = self.first_gradient(to)?;
        let [read, tangents] =
            if encoded { [Buffer::Encoded, Buffer::EncodedTangent] } else { [x, v] };
        let dispatches = FusedSlope { shape, part: Part::Backward, writes: to.is_some() };
        for dispatch in dispatches.dispatches(&launch)? {
            let buffers =
                [read, tangents, g, Buffer::Parameters, Buffer::Saved, PartialGradient, result];
            self.push(dispatch, &buffers);
        }
        self.table_gradients_of_both(x)?;
        if input_gradient && encoded {
            self.encoding_gradient_of_both(x, v)?;
        }
        self.reduce(splits, 0, PartialGradient)
    }

    /// The seed's way back to the first layer's inputs, whose gradient `to` receives.
    fn fused_seed(
        &mut self,
        shape: fused::Shape<'_>,
        x: Buffer,
        Slope { seeded, .. }: Slope,
        to: Option<Buffer>,
    ) -> Result<()> {
        let launch = fused::LaunchConfig::new(shape, self.capabilities)?;
        let seed = self.seed(seeded)?;
        let result = self.first_gradient(to)?;
        // As large as a vector.
        self.bytes(Buffer::Unused(0), 16);
        let read = if self.mlp.encoding.is_empty() { x } else { Buffer::Encoded };
        let part = Part::Slope { ones: !seeded };
        for dispatch in (FusedSlope { shape, part, writes: to.is_some() }).dispatches(&launch)? {
            let unused = Buffer::Unused(0);
            let buffers = [read, read, seed, Buffer::Parameters, Buffer::Saved, unused, result];
            self.push(dispatch, &buffers);
        }
        Ok(())
    }

    /// The buffer of the gradient of the first layer's inputs, or one that is not written.
    fn first_gradient(&mut self, to: Option<Buffer>) -> Result<Buffer> {
        let Some(to) = to else {
            self.bytes(Buffer::Unused(2), 4);
            return Ok(Buffer::Unused(2));
        };
        self.buffer(to, &[self.models, self.batch, self.mlp.layer_inputs(0)])?;
        Ok(to)
    }
}
