//! y = ½ (x + √(x² + 4)) / 10 with x = 10 z, as tiny-cuda-nn scales it: ½ (z + √(z² + 0.04)).
//! Barron, "Squareplus: A Softplus-Like Algebraic Rectifier", 2021. y′ = y / √(z² + 0.04), which is
//! y² / (y² + 0.01).

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Output;
pub const SATURATION_THRESHOLD: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    let half = T::of(0.5);
    // The root that avoids the square of a large value keeps everything finite.
    let large = z.abs() > T::of(1e9);
    let root = half * if large { z.abs() } else { (z * z + T::of(0.04)).sqrt() };
    // The quotient is the sum where that would cancel.
    if z < T::ZERO { T::of(0.01) / (root - half * z) } else { root + half * z }
}

pub fn derivative<T: Real>(y: T) -> T {
    let square = y * y;
    if y > T::of(1e9) { T::ONE } else { square / (square + T::of(0.01)) }
}

/// 0.02 (y / (y² + 0.01))³. The quotient is finite at any magnitude.
pub fn second_derivative<T: Real>(y: T) -> T {
    let q = y / (y * y + T::of(0.01));
    T::of(0.02) * q * q * q
}
