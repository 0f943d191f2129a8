//! ½ d² where |d| ≤ 1, else |d| − ½, with d = y − t; derivative d, clamped to ±1. Mean over batch
//! and outputs. Huber, "Robust Estimation of a Location Parameter", 1964, with δ = 1.

use super::{Argument, Mean, Targets, elementwise, sign};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = false;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Any;

pub fn row<T: Real>(arguments: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    elementwise(arguments, t, scale, gradient, |y, t| {
        let d = y - t;
        if d.abs() > T::ONE { (d.abs() - T::of(0.5), sign(d)) } else { (T::of(0.5) * d * d, d) }
    })
}
