// z where z > 0, else 0.01 z.
fn leaky_relu_value(z: f32) -> f32 {
    return select(0.01 * z, z, z > 0.0);
}

// 1 where z > 0, else 0.01, from the output, which has the sign of z.
fn leaky_relu_derivative(saved: f32) -> f32 {
    return select(0.01, 1.0, saved > 0.0);
}

// 0.
fn leaky_relu_second_derivative(saved: f32) -> f32 {
    return 0.0;
}
