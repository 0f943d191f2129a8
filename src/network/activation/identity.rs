//! y = z; y′ = 1: a layer without an activation.

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Output;
pub const SATURATION_THRESHOLD: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    z
}

pub fn derivative<T: Real>(_y: T) -> T {
    T::ONE
}

pub fn second_derivative<T: Real>(_saved: T) -> T {
    T::ZERO
}
