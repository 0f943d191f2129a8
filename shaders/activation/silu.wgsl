// z σ(z).
fn silu_value(z: f32) -> f32 {
    return z * logistic(z);
}

// σ(z) + z σ(z) σ(−z), from the input.
fn silu_derivative(saved: f32) -> f32 {
    let gate = logistic(saved);
    return gate + saved * (gate * logistic(-saved));
}

// σ(z) σ(−z) (2 + z (σ(−z) − σ(z))), from the input. z comes last: the product before it reaches 0 first.
fn silu_second_derivative(saved: f32) -> f32 {
    let on = logistic(saved);
    let off = logistic(-saved);
    let slope = on * off;
    return 2.0 * slope + slope * saved * (off - on);
}
