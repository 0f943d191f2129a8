//! The status of a training, as its kernels keep it on the GPU.

use crate::error::Result;
use crate::numeric::{to_u32, wide};
use crate::wgsl::{shader_struct, structure};

shader_struct! {
    /// The counters at the beginning of a status buffer. Marks of the models follow, `[2, models]`:
    /// the low words of the steps at which the models diverged, then the high words. Both are
    /// [`Status::NOT_DIVERGED`] for a model that has not.
    pub Status {
        /// The index of the next step, counted from 0. Its low word.
        step: u32,
        /// The number of updates, including the one in progress. Its low word.
        updates: u32,
        /// The epoch of the mini-batches.
        epoch: u32,
        /// The position in that epoch.
        position: u32,
        /// The high word of `step`.
        step_high: u32,
        /// The high word of `updates`.
        updates_high: u32,
        /// The row of the loss history that the next step writes.
        slot: u32,
        /// The number that the last restart gave the run. It tells one run's losses from another's.
        run: u32,
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
        Ok(Self::BYTES + 8 * u64::from(to_u32("the number of models", wide(models))?))
    }

    /// The marks of `models` models that have not diverged.
    pub(crate) fn marks(models: usize) -> Vec<u32> {
        vec![Self::NOT_DIVERGED; 2 * models]
    }

    /// The elements of the status buffer of `models` models that have not diverged.
    pub fn with_marks(self, models: usize) -> Vec<u32> {
        self.with(Self::marks(models))
    }

    /// The elements of the status buffer of models that diverged at these steps.
    #[cfg(feature = "safetensors")]
    pub(crate) fn with_diverged(self, diverged: &[Option<u64>]) -> Vec<u32> {
        let none = [Self::NOT_DIVERGED; 2];
        let marks = diverged.iter().map(|step| step.map_or(none, split));
        self.with([0, 1].into_iter().flat_map(|word| marks.clone().map(move |m| m[word])).collect())
    }

    fn with(self, marks: Vec<u32>) -> Vec<u32> {
        let counters: [u32; 8] = bytemuck::cast(self);
        counters.into_iter().chain(marks).collect()
    }

    /// These counters after `step` steps and `updates` updates, at a place of an epoch.
    #[cfg(feature = "safetensors")]
    pub(crate) const fn at(self, step: u64, updates: u64, [epoch, position]: [u32; 2]) -> Self {
        let ([step, step_high], [updates, updates_high]) = (split(step), split(updates));
        Self { step, step_high, updates, updates_high, epoch, position, ..self }
    }

    /// The number of updates.
    #[cfg(feature = "safetensors")]
    pub(crate) const fn updates(&self) -> u64 {
        join(self.updates, self.updates_high)
    }

    /// The index of the next step.
    pub(crate) const fn next_step(&self) -> u64 {
        join(self.step, self.step_high)
    }

    /// The step at which each model diverged, from the marks.
    pub(crate) fn diverged(marks: &[u32]) -> Vec<Option<u64>> {
        let (low, high) = marks.split_at(marks.len() / 2);
        let step =
            |(low, high): (&u32, &u32)| (*low != Self::NOT_DIVERGED).then(|| join(*low, *high));
        low.iter().zip(high).map(step).collect()
    }

    /// The WGSL struct, whose marks have the type `marks`.
    pub(crate) fn wgsl(marks: &'static str) -> String {
        structure("Status", Self::FIELDS.iter().copied().chain([("diverged", marks)]))
    }
}

/// The low and the high word.
#[cfg(feature = "safetensors")]
const fn split(step: u64) -> [u32; 2] {
    [step as u32, (step >> 32) as u32]
}

const fn join(low: u32, high: u32) -> u64 {
    (high as u64) << 32 | low as u64
}
