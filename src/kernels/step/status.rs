//! Where a training stands, as its kernels keep it on the GPU.

use crate::error::Result;
use crate::numeric::{to_u32, wide};
use crate::wgsl::{shader_struct, structure};

shader_struct! {
    /// The counters at the beginning of a status buffer. Behind them stands for each model the step
    /// at which it diverged, or [`Status::NOT_DIVERGED`].
    pub Status {
        /// The step that comes next, counted from 0.
        step: u32,
        /// Updates until now, the one under way included.
        updates: u32,
        /// The epoch of the mini-batches.
        epoch: u32,
        /// The position in that epoch.
        position: u32,
    }
}

impl Status {
    /// The mark of a model that has not diverged.
    pub const NOT_DIVERGED: u32 = u32::MAX;

    /// Bytes of the counters: where the marks begin.
    pub const BYTES: u64 = size_of::<Self>() as u64;

    /// Bytes of the status buffer of `models` models.
    ///
    /// # Errors
    /// More models than a shader can count.
    pub fn bytes(models: usize) -> Result<u64> {
        Ok(Self::BYTES + 4 * u64::from(to_u32("the number of models", wide(models))?))
    }

    /// WGSL: the struct, whose marks have the type `marks`.
    pub(crate) fn wgsl(marks: &'static str) -> String {
        structure("Status", Self::FIELDS.iter().copied().chain([("diverged", marks)]))
    }
}
