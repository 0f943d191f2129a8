// 1 / (1 + e⁻ᶻ) through e^−|z|, which cannot overflow.
fn logistic(z: f32) -> f32 {
    let e = exp(-abs(z));
    let q = 1.0 / (1.0 + e);
    return select(q, e * q, z < 0.0);
}
