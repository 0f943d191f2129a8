// 1 / (1 + e⁻ᶻ) through e^−|z|, which cannot overflow. A NaN is returned explicitly: SwiftShader's
// exp turns it into ∞.
fn logistic(z: f32) -> f32 {
    let e = exp(-abs(z));
    let q = 1.0 / (1.0 + e);
    let is_nan = (bitcast<u32>(z) & 0x7fffffffu) > 0x7f800000u;
    return select(select(q, e * q, z < 0.0), z, is_nan);
}
