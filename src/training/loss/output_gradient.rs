//! y g, summed over batch and outputs; derivative g. A target g is the derivative of the
//! application's own loss with respect to the output y. A value is 0 where g is.

use super::{Argument, Mean, Targets, elementwise};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Sum;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], g: &[T], scale: T, gradient: &mut [T]) -> T {
    let value = |y: T, g: T| if g == T::ZERO { T::ZERO } else { y * g };
    elementwise(arguments, g, scale, gradient, |y, g| (value(y, g), g))
}
