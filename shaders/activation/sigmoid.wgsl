// 1 / (1 + e⁻ᶻ).
fn sigmoid_value(z: f32) -> f32 {
    return logistic(z);
}

// y (1 − y), from the output.
fn sigmoid_derivative(saved: f32) -> f32 {
    return saved * (1.0 - saved);
}

// y (1 − y) (1 − 2 y), from the output.
fn sigmoid_second_derivative(saved: f32) -> f32 {
    return saved * (1.0 - saved) * (1.0 - 2.0 * saved);
}
