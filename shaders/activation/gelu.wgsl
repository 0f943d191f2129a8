// z σ(2u) with u = √(2/π) (z + 0.044715 z³), since ½ (1 + tanh u) = σ(2u) (Hendrycks and Gimpel,
// 2016). Beyond ±20 the sigmoid is 0 or 1 to the last bit; the clamp keeps z³ from overflowing.
fn gelu_value(z: f32) -> f32 {
    let c = clamp(z, -20.0, 20.0);
    return z * logistic(1.5957691 * c * (1.0 + 0.044715 * c * c));
}

// σ(2u) + 2 z σ(2u) σ(−2u) u′, from the input. σ(−2u) stands for 1 − σ(2u), which would cancel.
fn gelu_derivative(saved: f32) -> f32 {
    let c = clamp(saved, -20.0, 20.0);
    let u = 1.5957691 * c * (1.0 + 0.044715 * c * c);
    let inner = 1.5957691 * (1.0 + 0.134145 * c * c);
    let gate = logistic(u);
    return gate + saved * (gate * logistic(-u) * inner);
}

// With s = σ(2u) and w = 2u′: s (1 − s) (2 w + z (w² (1 − 2 s) + w′)), from the input.
fn gelu_second_derivative(saved: f32) -> f32 {
    let c = clamp(saved, -20.0, 20.0);
    let u = 1.5957691 * c * (1.0 + 0.044715 * c * c);
    let inner = 1.5957691 * (1.0 + 0.134145 * c * c);
    let on = logistic(u);
    let off = logistic(-u);
    let slope = on * off;
    let bend = inner * inner * (off - on) + 0.4281289 * c;
    return 2.0 * (slope * inner) + saved * (slope * bend);
}
