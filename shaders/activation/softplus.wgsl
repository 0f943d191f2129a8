// ln(1 + eᶻ) = max(z, 0) + ln(1 + e^−|z|). The builtin max() would drop a NaN.
fn softplus_value(z: f32) -> f32 {
    return select(z, 0.0, z <= 0.0) + log_one_plus(exp(-abs(z)));
}

// σ(z), from the input.
fn softplus_derivative(saved: f32) -> f32 {
    return logistic(saved);
}

// σ(z) σ(−z), from the input.
fn softplus_second_derivative(saved: f32) -> f32 {
    return logistic(saved) * logistic(-saved);
}
