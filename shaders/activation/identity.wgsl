// z.
fn identity_value(z: f32) -> f32 {
    return z;
}

// 1.
fn identity_derivative(saved: f32) -> f32 {
    return 1.0;
}

// 0.
fn identity_second_derivative(saved: f32) -> f32 {
    return 0.0;
}
