// −t ln σ(z) − (1 − t) ln(1 − σ(z)) = max(z, 0) − z t + ln(1 + e^−|z|), from the logit z;
// derivative σ(z) − t. The linear part is written so that it is exactly 0 where t is right.
fn binary_cross_entropy_element(z: f32, t: f32, row: LossRow) -> vec2<f32> {
    let linear = select(-z * t, z * (1.0 - t), z > 0.0);
    // The bound leaves room for the rounding of a sum. The builtin min() would drop a NaN.
    let bounded = select(linear, 3.0e38, linear > 3.0e38);
    return vec2<f32>(bounded + log_one_plus(exp(-abs(z))), activation_value(z) - t);
}
