//! The exponential moving average of the parameters, without bias from the first step on:
//! a ← a + (1 − d) / (1 − dᵗ) · (p − a), which is Σ dᵗ⁻ⁱ pᵢ / Σ dᵗ⁻ⁱ.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{Real, steps, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/step/ema.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "ema" in "step/ema",
    Parameters,
    [EXP_MINUS_ONE, STEP_COUNTER],
    [
        Slot::read("parameters"),
        Slot::STATUS_READ,
        Slot::write("ema_parameters"),
    ]
);

shader_struct! {
    /// `parameters` and `ema_parameters` are `[models, parameters]`.
    pub Parameters {
        /// The number of elements of both buffers.
        elements: u32,
        /// 1 − d.
        one_minus_decay: f32,
        /// ln d.
        ln_decay: f32,
    }
}

/// Describes a moving average of `elements` parameters.
#[derive(Debug, Clone, Copy)]
pub struct Ema {
    /// Parameters of all models.
    pub elements: usize,
    /// The decay d per step.
    pub decay: f64,
}

impl Ema {
    /// Describes the dispatch. It follows the update's dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let elements = wide(self.elements);
        let p = Parameters {
            elements: to_u32("the number of parameters of all models", elements)?,
            one_minus_decay: to_f32(1.0 - self.decay),
            // d = 0 has no logarithm; e^-200 is 0 in f32 too.
            ln_decay: to_f32(self.decay.ln().max(-200.0)),
        };
        Ok(Dispatch::over(&KERNEL, &p, elements, 0).costing(2 * elements, elements, 3 * elements))
    }

    /// Updates the average on the CPU, after update `t`, counted from 1.
    pub fn reference<T: Real>(&self, t: u64, parameters: &[T], ema_parameters: &mut [T]) {
        let share = T::of((1.0 - self.decay) / (1.0 - self.decay.powf(steps(t))));
        for (average, parameter) in ema_parameters.iter_mut().zip(parameters) {
            *average += share * (*parameter - *average);
        }
    }
}
