//! −t ln σ(z) − (1 − t) ln(1 − σ(z)) from the logit z, mean over batch and outputs.
//!
//! Computed as max(z, 0) − z t + ln(1 + e^−|z|), which is finite for every finite z. The derivative
//! is σ(z) − t.

use super::{Argument, Mean, Targets, bounded, elementwise};
use crate::network::Activation;
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Logit(Activation::Sigmoid);
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Fractions;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    elementwise(arguments, t, scale, gradient, |z, t| {
        // As two products. For a target of 0 or 1 the right one is exactly 0.
        let positive = if z > T::ZERO { z * (T::ONE - t) } else { -z * t };
        (bounded(positive) + (-z.abs()).exp().ln_1p(), Activation::Sigmoid.value(z) - t)
    })
}
