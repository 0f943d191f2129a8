//! The gradient of the inputs of an [`Encoding`] without parameters. One invocation handles one
//! point.

use super::EncodedPart;
pub use super::encode_pointwise::Parameters;
use super::encode_pointwise::{OF_VALUE, parameters, variant};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, wide};
use std::mem::offset_of;

/// `shaders/encoding/encode_pointwise_gradient.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_pointwise_gradient" in "encoding/encode_pointwise_gradient",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("delta"),
        Slot::write("input_gradient"),
    ]
);

/// Describes the vjp of a pointwise encoding for some rows: `delta` is `[models, rows, width]` and
/// `input_gradient` `[models, rows, inputs]`.
#[derive(Debug, Clone)]
pub struct EncodePointwiseGradient {
    pub(crate) part: EncodedPart,
    /// Whether the gradient is added to what another encoding of the same inputs has left.
    pub(crate) adds: bool,
}

impl EncodePointwiseGradient {
    /// An encoding of all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`].
    pub fn new(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self { part: EncodedPart::whole(encoding, inputs, models, rows)?, adds: false })
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        self.dispatch_of(parameters(&self.part)?)
    }

    /// Describes a dispatch that sets the gradient of all these inputs to 0: that of no outputs.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub(crate) fn zeros(&self) -> Result<Dispatch> {
        self.dispatch_of(Parameters { of_point: 0, ..parameters(&self.part)? })
    }

    fn dispatch_of(&self, p: Parameters) -> Result<Dispatch> {
        let (range, rows) = (&self.part.range, self.part.all_rows());
        let each = |width: usize| rows.saturating_mul(wide(width));
        let (inputs, outputs) = (each(range.inputs.len()), each(range.outputs.len()));
        let iterations = u64::from(p.of_point).saturating_mul(1 + OF_VALUE) + 1;
        let mut variant = variant(&range.encoding);
        variant.overrides.push(("ADDS", f64::from(u8::from(self.adds))));
        Ok(Dispatch::over(&KERNEL, &p, rows.saturating_mul(p.points.into()), iterations)
            .with(variant)
            .costing(inputs.saturating_add(outputs), inputs, outputs.saturating_mul(3))
            .counting(self.part.counted(offset_of!(Parameters, count))))
    }

    /// The gradient of `x` `[…, inputs]` on the CPU, from the gradient `delta` of all outputs.
    pub fn reference<T: Real>(&self, x: &[T], delta: &[T]) -> Vec<T> {
        encoding::back_propagate(&self.part.network(), &[], x, delta, &mut [])
    }
}
