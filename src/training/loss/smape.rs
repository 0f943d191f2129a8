//! |y − t| / (½ (|y| + |t|) + 0.01), mean over batch and outputs: the symmetric mean absolute
//! percentage error. The 0.01 keeps it finite. Derivative sign(y − t) over the same denominator,
//! which is treated as a constant; 0 where y = t.

use super::{Argument, Mean, Targets, detached_elementwise, sign};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = true;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    detached_elementwise(arguments, t, scale, gradient, |y, h, t| {
        // Numerator and denominator are halved, so nothing overflows.
        let quarter = T::of(0.25);
        let denominator = quarter * h.abs() + quarter * t.abs() + T::of(0.005);
        let half = T::of(0.5);
        ((half * y - half * t).abs() / denominator, half * sign(y - t) / denominator)
    })
}
