//! The tangents of the outputs of an [`Encoding`] without parameters, from those of its inputs. One
//! invocation computes one output.

use super::EncodedPart;
pub use super::encode_pointwise::Parameters;
use super::encode_pointwise::{OF_VALUE, parameters, variant};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, wide};
use std::mem::offset_of;

/// `shaders/encoding/encode_pointwise_tangent.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_pointwise_tangent" in "encoding/encode_pointwise_tangent",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("tangents"),
        Slot::write("encoded"),
    ]
);

/// Describes the tangents of a pointwise encoding for some rows: `tangents` is `[models, rows, inputs]`
/// and `encoded` `[models, rows, width]`.
#[derive(Debug, Clone)]
pub struct EncodePointwiseTangent(pub(crate) EncodedPart);

impl EncodePointwiseTangent {
    /// An encoding of all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`].
    pub fn new(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self(EncodedPart::whole(encoding, inputs, models, rows)?))
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let range = &self.0.range;
        let outputs = self.0.all_rows().saturating_mul(wide(range.outputs.len()));
        let read = self.0.all_rows().saturating_mul(wide(2 * range.inputs.len()));
        Ok(Dispatch::over(&KERNEL, &parameters(&self.0)?, outputs, OF_VALUE)
            .with(variant(&range.encoding))
            .costing(read, outputs, outputs.saturating_mul(6))
            .counting(self.0.counted(offset_of!(Parameters, count))))
    }

    /// The tangents of the outputs at `x` `[…, inputs]` on the CPU, for the tangent `v` of `x`.
    pub fn reference<T: Real>(&self, x: &[T], v: &[T]) -> Vec<T> {
        encoding::tangent(&self.0.network(), &[], x, v)
    }
}
