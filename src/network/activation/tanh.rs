//! y = tanh z; y′ = 1 − y².

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Output;
/// 1 % of the largest derivative, 1.
pub const SATURATION_THRESHOLD: Option<f64> = Some(0.01);

pub fn value<T: Real>(z: T) -> T {
    z.tanh()
}

pub fn derivative<T: Real>(y: T) -> T {
    (T::ONE - y) * (T::ONE + y)
}

pub fn second_derivative<T: Real>(y: T) -> T {
    T::of(-2.0) * y * derivative(y)
}
