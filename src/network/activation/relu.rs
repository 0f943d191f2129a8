//! y = max(z, 0); y′ = 1 where z > 0, else 0 (at 0 too, as jax and PyTorch define it).

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Output;
/// A unit counts as inactive where the derivative is exactly 0.
pub const SATURATION_THRESHOLD: Option<f64> = Some(0.0);

/// The comparison keeps a NaN a NaN.
pub fn value<T: Real>(z: T) -> T {
    if z <= T::ZERO { T::ZERO } else { z }
}

pub fn derivative<T: Real>(y: T) -> T {
    if y > T::ZERO { T::ONE } else { T::ZERO }
}

pub fn second_derivative<T: Real>(_saved: T) -> T {
    T::ZERO
}
