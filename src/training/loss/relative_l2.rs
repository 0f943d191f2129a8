//! (y − t)² / (y² + 0.01), mean over batch and outputs; derivative 2 (y − t) / (y² + 0.01), which
//! treats the denominator as a constant. Lehtinen et al., "Noise2Noise: Learning Image Restoration
//! without Clean Data", 2018, section 3.3.

use super::{Argument, Mean, Targets, detached_elementwise};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = true;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    detached_elementwise(arguments, t, scale, gradient, |y, h, t| {
        // The halves, and the root that avoids the square of a large value, keep everything finite.
        let large = h.abs() > T::of(1e9);
        let root = if large { h.abs() } else { (h * h + T::of(0.01)).sqrt() };
        let ratio = T::of(2.0) * ((T::of(0.5) * y - T::of(0.5) * t) / root);
        (ratio * ratio, T::of(2.0) * ratio / root)
    })
}
