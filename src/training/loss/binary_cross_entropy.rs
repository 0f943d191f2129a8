//! −t ln σ(z) − (1 − t) ln(1 − σ(z)) from the logit z, mean over batch and outputs.
//!
//! Computed as max(z, 0) − z t + ln(1 + e^−|z|), which is finite for every finite z. The derivative
//! is σ(z) − t.

use super::{Argument, Mean, Targets, elementwise};
use crate::network::Activation;
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Logit(Activation::Sigmoid);
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Fractions;

pub fn row<T: Real>(z: &[T], _: &[T], t: &[T], gradient: &mut [T]) -> T {
    elementwise(z, t, gradient, |z, t| {
        // As two products. For a target of 0 or 1 the right one is exactly 0.
        let positive = if z > T::ZERO { z * (T::ONE - t) } else { -z * t };
        (positive + (-z.abs()).exp().ln_1p(), Activation::Sigmoid.value(z) - t)
    })
}
