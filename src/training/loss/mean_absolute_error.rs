//! |y − t|, mean over batch and outputs; derivative sign(y − t), 0 where y = t.

use super::{Argument, Mean, Targets, elementwise, sign};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    elementwise(arguments, t, scale, gradient, |y, t| ((y - t).abs(), sign(y - t)))
}
