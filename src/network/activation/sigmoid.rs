//! y = 1 / (1 + e⁻ᶻ), the logistic function; y′ = y (1 − y).

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Output;
/// 1 % of the largest derivative, ¼.
pub const SATURATION_THRESHOLD: Option<f64> = Some(0.0025);

/// Uses e^−|z|, which cannot overflow.
pub fn value<T: Real>(z: T) -> T {
    let e = (-z.abs()).exp();
    let q = T::ONE / (T::ONE + e);
    if z < T::ZERO { e * q } else { q }
}

pub fn derivative<T: Real>(y: T) -> T {
    y * (T::ONE - y)
}

pub fn second_derivative<T: Real>(y: T) -> T {
    derivative(y) * (T::ONE - T::of(2.0) * y)
}
