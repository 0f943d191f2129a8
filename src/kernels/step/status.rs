//! The status of a training, as its kernels keep it on the GPU.

use crate::error::Result;
use crate::numeric::{to_u32, wide};
use crate::wgsl::{shader_struct, structure};

shader_struct! {
    /// The counters at the beginning of a status buffer. One element per model follows: the step at
    /// which the model diverged, or [`Status::NOT_DIVERGED`].
    pub Status {
        /// The index of the next step, counted from 0.
        step: u32,
        /// The number of updates, including the one in progress.
        updates: u32,
        /// The epoch of the mini-batches.
        epoch: u32,
        /// The position in that epoch.
        position: u32,
    }
}

impl Status {
    /// Marks a model that has not diverged.
    pub const NOT_DIVERGED: u32 = u32::MAX;

    /// The size of the counters in bytes, which is the offset of the marks.
    pub const BYTES: u64 = size_of::<Self>() as u64;

    /// The size in bytes of the status buffer of `models` models.
    ///
    /// # Errors
    /// The number of models does not fit in the shader's `u32`.
    pub fn bytes(models: usize) -> Result<u64> {
        Ok(Self::BYTES + 4 * u64::from(to_u32("the number of models", wide(models))?))
    }

    /// The WGSL struct, whose marks have the type `marks`.
    pub(crate) fn wgsl(marks: &'static str) -> String {
        structure("Status", Self::FIELDS.iter().copied().chain([("diverged", marks)]))
    }
}
