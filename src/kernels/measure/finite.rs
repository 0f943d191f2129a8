//! The first element of each model that is not finite.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{Real, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/finite.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "finite" in "measure/finite",
    Parameters,
    [FINITE],
    [Slot::read("values"), Slot::write("first").with_type("array<atomic<u32>>")]
);

shader_struct! {
    /// `values` is `[models, length]` and `first` `[models]`.
    pub Parameters {
        /// Elements of a model.
        length: u32,
        /// The number of models.
        models: u32,
    }
}

/// The value of `first` before the search, and after it where every element is finite.
pub const NONE: u32 = u32::MAX;

/// Describes a search through `length` elements of each of `models` models.
#[derive(Debug, Clone, Copy)]
pub struct Finite {
    /// Elements of a model.
    pub length: usize,
    /// The number of models.
    pub models: usize,
}

impl Finite {
    /// Describes the dispatch. The buffer `first` must hold [`NONE`] before it runs.
    ///
    /// # Errors
    /// The number of elements does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let elements = wide(self.length).saturating_mul(wide(self.models));
        to_u32("the number of elements", elements)?;
        let p = Parameters {
            length: to_u32("the length", wide(self.length))?,
            models: to_u32("models", wide(self.models))?,
        };
        Ok(Dispatch::over(&KERNEL, &p, elements).costing(elements, 0, elements))
    }

    /// The index of each model's first non-finite element on the CPU, or [`NONE`].
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
