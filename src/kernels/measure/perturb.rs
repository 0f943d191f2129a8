//! Copies of one model's parameters, each with a different parameter replaced: copy m is w with
//! element `first + m` taken from `replaced`.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/perturb.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "perturb" in "measure/perturb",
    Parameters,
    [],
    [Slot::read("base"), Slot::read("replaced"), Slot::write("copies")]
);

shader_struct! {
    /// `base` and `replaced` are `[parameters]`; `copies` is `[models, parameters]`.
    pub Parameters {
        /// Parameters of a model.
        parameters: u32,
        /// Copies.
        models: u32,
        /// The index of the parameter that the first copy replaces.
        first: u32,
    }
}

/// Describes `models` copies of a model of `parameters` parameters.
#[derive(Debug, Clone, Copy)]
pub struct Perturb {
    /// Parameters of a model.
    pub parameters: usize,
    /// Copies.
    pub models: usize,
    /// The index of the parameter that the first copy replaces.
    pub first: usize,
}

impl Perturb {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// The number of elements does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { parameters, models, first } = *self;
        let n = |value: usize| to_u32("a size of a population of copies", wide(value));
        let elements = wide(parameters).saturating_mul(wide(models));
        to_u32("the number of parameters of all copies", elements)?;
        n(first.saturating_add(models))?;
        let p = Parameters { parameters: n(parameters)?, models: n(models)?, first: n(first)? };
        Ok(Dispatch::over(&KERNEL, &p, elements, 0).costing(2 * wide(parameters), elements, 0))
    }

    /// The copies on the CPU.
    pub fn reference<T: Copy>(&self, base: &[T], replaced: &[T]) -> Vec<T> {
        (self.first..self.first.saturating_add(self.models))
            .flat_map(|i| {
                let mut copy = base.to_vec();
                if let (Some(value), Some(copy)) = (replaced.get(i), copy.get_mut(i)) {
                    *copy = *value;
                }
                copy
            })
            .collect()
    }
}
