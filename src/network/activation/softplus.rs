//! y = ln(1 + eᶻ) = max(z, 0) + ln(1 + e^−|z|); y′ = σ(z).

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Input;
pub const SATURATION_THRESHOLD: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    let positive = if z <= T::ZERO { T::ZERO } else { z };
    positive + (-z.abs()).exp().ln_1p()
}

pub fn derivative<T: Real>(z: T) -> T {
    crate::network::Activation::Sigmoid.value(z)
}

pub fn second_derivative<T: Real>(z: T) -> T {
    let [on, off] = [z, -z].map(|z| crate::network::Activation::Sigmoid.value(z));
    on * off
}
