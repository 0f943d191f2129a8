//! Which element of each model is the first that is not finite.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{Real, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/finite.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "finite" in "measure/finite",
    Parameters,
    [FINITE],
    [Slot::read("values"), Slot::write("first").of("array<atomic<u32>>")]
);

shader_struct! {
    /// `values` is `[models, length]`, `first` `[models]`.
    pub Parameters {
        /// Elements of a model.
        length: u32,
        /// Models.
        models: u32,
    }
}

/// What `first` holds, before and where every element is finite.
pub const NONE: u32 = u32::MAX;

/// A search through `length` elements of each of `models` models.
#[derive(Debug, Clone, Copy)]
pub struct Finite {
    /// Elements of a model.
    pub length: usize,
    /// Models.
    pub models: usize,
}

impl Finite {
    /// The dispatch. Slot `first` holds [`NONE`] before.
    ///
    /// # Errors
    /// More elements than a shader can count.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let elements = wide(self.length).saturating_mul(wide(self.models));
        to_u32("the number of elements", elements)?;
        let p = Parameters {
            length: to_u32("the length", wide(self.length))?,
            models: to_u32("models", wide(self.models))?,
        };
        Ok(Dispatch::over(&KERNEL, &p, elements).costing(elements, 0, elements))
    }

    /// The search on the CPU.
    pub fn reference<T: Real>(&self, values: &[T]) -> Vec<u32> {
        values
            .chunks(self.length.max(1))
            .map(|model| {
                let index = model.iter().position(|v| !v.is_finite());
                index.and_then(|i| u32::try_from(i).ok()).unwrap_or(NONE)
            })
            .collect()
    }
}
