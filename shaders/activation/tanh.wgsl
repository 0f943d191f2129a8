// (1 − e) / (1 + e) with e = e^−2|z|, and the Taylor series where this difference would cancel. The
// builtin is not used: SwiftShader's is NaN for |z| > 88, Metal's overflowed near 44, and a clamp
// would drop a NaN.
fn tanh_value(z: f32) -> f32 {
    let e = exp(-2.0 * abs(z));
    let far = (1.0 - e) / (1.0 + e);
    let q = z * z;
    let near = z * (1.0 + q * (-0.33333333 + q * (0.13333333 - q * 0.053968254)));
    return select(select(far, -far, z < 0.0), near, abs(z) < 0.2);
}

// 1 − y², from the output.
fn tanh_derivative(saved: f32) -> f32 {
    return (1.0 - saved) * (1.0 + saved);
}

// −2 y (1 − y²), from the output.
fn tanh_second_derivative(saved: f32) -> f32 {
    return -2.0 * saved * (1.0 - saved) * (1.0 + saved);
}
