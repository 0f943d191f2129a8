//! |y − t| / (|t| + 0.01), mean over batch and outputs: the mean absolute percentage error, which
//! 0.01 keeps finite; derivative sign(y − t) / (|t| + 0.01), 0 where they are equal.

use super::{Argument, Mean, held_elementwise, sign};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const HOLDS: bool = false;

pub fn row<T: Real>(y: &[T], held: &[T], t: &[T], gradient: &mut [T]) -> T {
    held_elementwise(y, held, t, gradient, |y, _, t| {
        let weight = T::ONE / (t.abs() + T::of(0.01));
        ((y - t).abs() * weight, sign(y - t) * weight)
    })
}
