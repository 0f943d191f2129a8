// max(z, 0). The builtin max() would drop a NaN.
fn relu_value(z: f32) -> f32 {
    return select(z, 0.0, z <= 0.0);
}

// 1 where z > 0, else 0, from the output.
fn relu_derivative(saved: f32) -> f32 {
    return select(0.0, 1.0, saved > 0.0);
}
