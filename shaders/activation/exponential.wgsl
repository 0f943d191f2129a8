// eᶻ, at most e⁸⁸. The builtin min() would drop a NaN.
fn exponential_value(z: f32) -> f32 {
    return exp(select(z, 88.0, z > 88.0));
}

// y, the output.
fn exponential_derivative(saved: f32) -> f32 {
    return saved;
}

// y, the output.
fn exponential_second_derivative(saved: f32) -> f32 {
    return saved;
}
