// max(z, 0) by the bits of z: those of −0 to −∞ are 0x80000000 to 0xff800000. The builtin max() would
// drop a NaN, and NVIDIA's compiler makes max() of a comparison of z with 0.
fn relu_value(z: f32) -> f32 {
    return select(z, 0.0, bitcast<u32>(z) - 0x80000000u <= 0x7f800000u);
}

// 1 where z > 0, else 0, from the output.
fn relu_derivative(saved: f32) -> f32 {
    return select(0.0, 1.0, saved > 0.0);
}

// 0.
fn relu_second_derivative(saved: f32) -> f32 {
    return 0.0;
}
