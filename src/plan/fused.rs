//! The gradient of a step by the fused kernel.

use super::Buffer;
use super::builder::Builder;
use super::encoding::Rows;
use super::sizes::Sizes;
use crate::error::Result;
use crate::kernels::step::reduce::Reduce;
use crate::kernels::{fused, stride};

impl Builder<'_> {
    /// Leaves the gradient of a step in [`Buffer::Gradient`] and computes its loss. This takes two
    /// dispatches, whatever the depth, besides those of an encoding.
    pub fn fused_gradient(&mut self, sizes: &Sizes) -> Result<()> {
        use Buffer::{Parameters, PartialGradient, PartialLoss, Saved};
        let [x, t] = sizes.batch_buffers();
        let (shape, launch) = (sizes.fused(), sizes.fused_launch()?);
        let tables = self.tables;
        let (p, splits) = (self.parameters - tables, launch.splits);
        self.buffer(Saved, &[launch.saved])?;
        self.buffer(PartialGradient, &[splits, stride(self.models * p, true)])?;
        self.buffer(PartialLoss, &[self.models, splits])?;
        self.encode(x)?;
        let read = if self.mlp.encoding.is_empty() { x } else { Buffer::Encoded };
        for dispatch in fused::dispatches(shape, &launch)? {
            self.push(dispatch, &[read, t, Parameters, Saved, PartialGradient, PartialLoss, x]);
        }
        let [first, width] = fused::input_delta(shape);
        self.table_gradients(x, Rows { buffer: Saved, first, width })?;
        let reduce = Reduce {
            parameters: p,
            models: self.models,
            splits,
            loss_groups: splits,
            tables,
            padded: true,
            marks: self.marks,
        };
        self.reduce(reduce, PartialGradient)
    }
}
