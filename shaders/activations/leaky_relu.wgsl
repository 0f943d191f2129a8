fn leaky_relu_value(z: f32) -> f32 { return select(0.01 * z, z, z > 0.0); }
fn leaky_relu_gradient(saved: f32) -> f32 { return select(0.01, 1.0, saved > 0.0); }
