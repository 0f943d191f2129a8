//! (y − t)², mean over batch and outputs; derivative 2 (y − t).

use super::{Argument, Mean, Targets, elementwise};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    elementwise(arguments, t, scale, gradient, |y, t| ((y - t) * (y - t), T::of(2.0) * (y - t)))
}
