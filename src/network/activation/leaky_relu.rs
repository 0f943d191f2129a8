//! y = z where z > 0, else 0.01 z; y′ = 1 or 0.01 (0.01 at 0). The sign of y is that of z.

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Output;
pub const SATURATION_THRESHOLD: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    if z > T::ZERO { z } else { T::of(0.01) * z }
}

pub fn derivative<T: Real>(y: T) -> T {
    if y > T::ZERO { T::ONE } else { T::of(0.01) }
}

pub fn second_derivative<T: Real>(_saved: T) -> T {
    T::ZERO
}
