// z σ(z).
fn silu_value(z: f32) -> f32 {
    return z * logistic(z);
}

// σ(z) + z σ(z) σ(−z), from the input.
fn silu_derivative(saved: f32) -> f32 {
    let gate = logistic(saved);
    return gate + saved * (gate * logistic(-saved));
}
