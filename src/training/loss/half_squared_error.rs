//! ½ (y − t)², summed over the outputs, mean over the batch; derivative y − t. It is the article's
//! loss in section 1.

use super::{Argument, Mean, Targets, elementwise};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Rows;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    elementwise(arguments, t, scale, gradient, |y, t| (T::of(0.5) * (y - t) * (y - t), y - t))
}
