//! FiniteDifferencePlan of one model's parameters, each with another parameter replaced: model m of the copies
//! is w with element `first + m` taken from `replaced`.

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
    /// `base` and `replaced` are `[parameters]`, `copies` `[models, parameters]`.
    pub Parameters {
        /// Parameters of a model.
        parameters: u32,
        /// FiniteDifferencePlan.
        models: u32,
        /// The parameter that the first copy replaces.
        first: u32,
    }
}

/// The dispatch.
///
/// # Errors
/// More elements than a shader can count.
pub fn dispatch(parameters: usize, models: usize, first: usize) -> Result<Dispatch> {
    let n = |value: usize| to_u32("a size of a population of copies", wide(value));
    let elements = wide(parameters).saturating_mul(wide(models));
    to_u32("the number of parameters of all copies", elements)?;
    let p = Parameters { parameters: n(parameters)?, models: n(models)?, first: n(first)? };
    Ok(Dispatch::over(&KERNEL, &p, elements).costing(2 * wide(parameters), elements, 0))
}

/// The same on the CPU.
pub fn reference<T: Copy>(models: usize, first: usize, base: &[T], replaced: &[T]) -> Vec<T> {
    (0..models)
        .flat_map(|m| {
            let mut copy = base.to_vec();
            if let Some(value) = replaced.get(first + m) {
                copy[first + m] = *value;
            }
            copy
        })
        .collect()
}
