//! (y − t)² / (y² + 0.01), mean over batch and outputs; derivative 2 (y − t) / (y² + 0.01): the
//! divisor counts as a constant. Lehtinen et al., "Noise2Noise: Learning Image Restoration without
//! Clean Data", 2018, section 3.3.

use super::{Argument, Mean, held_elementwise};
use crate::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const HOLDS: bool = true;

pub fn row<T: Real>(y: &[T], held: &[T], t: &[T], gradient: &mut [T]) -> T {
    held_elementwise(y, held, t, gradient, |y, h, t| {
        let weight = T::ONE / (h * h + T::of(0.01));
        ((y - t) * (y - t) * weight, T::of(2.0) * (y - t) * weight)
    })
}
