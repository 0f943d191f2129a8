//! y = ln(1 + e^(10 z)) / 10 = max(z, 0) + ln(1 + e^−10|z|) / 10; y′ = σ(10 z). The softplus of
//! tiny-cuda-nn.

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Input;
pub const SATURATION_THRESHOLD: Option<f64> = None;

/// 10 z, finite: from ±1000 on nothing changes.
fn scaled<T: Real>(z: T) -> T {
    let far = T::of(100.0);
    T::of(10.0)
        * if z > far {
            far
        } else if z < -far {
            -far
        } else {
            z
        }
}

pub fn value<T: Real>(z: T) -> T {
    let positive = if z <= T::ZERO { T::ZERO } else { z };
    positive + T::of(0.1) * (-scaled(z).abs()).exp().ln_1p()
}

pub fn derivative<T: Real>(z: T) -> T {
    crate::network::Activation::Sigmoid.value(scaled(z))
}

pub fn second_derivative<T: Real>(z: T) -> T {
    let z = scaled(z);
    let [on, off] = [z, -z].map(|z| crate::network::Activation::Sigmoid.value(z));
    T::of(10.0) * on * off
}
