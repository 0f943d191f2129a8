//! |y − t| / (|t| + 0.01), mean over batch and outputs: the mean absolute percentage error. The
//! 0.01 keeps it finite. Derivative sign(y − t) / (|t| + 0.01), 0 where y = t.

use super::{Argument, Mean, Targets, detached_elementwise, sign};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    detached_elementwise(arguments, t, scale, gradient, |y, _, t| {
        let weight = T::ONE / (t.abs() + T::of(0.01));
        ((y - t).abs() * weight, sign(y - t) * weight)
    })
}
