//! (y − t)² / (L² + 0.01) with the luminance L = 0.299 y₀ + 0.587 y₁ + 0.114 y₂ of a row's outputs,
//! mean over batch and outputs; derivative 2 (y − t) / (L² + 0.01), which treats the denominator as
//! a constant. Müller et al., "Real-time Neural Radiance Caching for Path Tracing", 2021.
//!
//! As in tiny-cuda-nn, rows of six or more outputs are two colours, whose luminances are added.

use super::{Argument, Mean, Targets};
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Output;
pub const ROW: bool = true;
pub const MEAN: Mean = Mean::Elements;
pub const DETACHES: bool = true;
pub const TARGETS: Targets = Targets::Any;

/// Half of what each output counts in the luminance.
pub(crate) const HALVES: [f64; 3] = [0.1495, 0.2935, 0.057];

/// The outputs that count in the luminance of a row of `outputs`, of those that there are.
pub(crate) const fn counted(outputs: usize) -> usize {
    if outputs >= 6 {
        6
    } else if outputs > 3 {
        3
    } else {
        outputs
    }
}

pub fn row<T: Real>([y, detached]: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    let mut luminance = T::ZERO;
    for (i, y) in detached[..counted(detached.len())].iter().enumerate() {
        luminance += T::of(HALVES[i % 3]) * *y;
    }
    // The halves, and the root that avoids the square of a large value, keep everything finite.
    let large = luminance.abs() > T::of(1e9);
    let root = if large { luminance.abs() } else { (luminance * luminance + T::of(0.0025)).sqrt() };
    let mut sum = T::ZERO;
    for ((y, t), g) in y.iter().zip(t).zip(gradient) {
        let ratio = (T::of(0.5) * *y - T::of(0.5) * *t) / root;
        sum += scale * (ratio * ratio);
        *g = scale * (ratio / root);
    }
    sum
}
