// ½ (z + √(z² + 0.04)), and 0.01 / ½ (√(z² + 0.04) − z) where the sum would cancel. Far from 0 the root
// is |z|, whose square and whose sum with z may be infinite.
fn squareplus_value(z: f32) -> f32 {
    let far = abs(z) > 1.0e9;
    let root = sqrt(z * z + 0.04);
    let above = select(0.5 * (root + z), z, far);
    let below = 0.01 / select(0.5 * (root - z), -z, far);
    return select(above, below, z < 0.0);
}

// y² / (y² + 0.01), from the output.
fn squareplus_derivative(saved: f32) -> f32 {
    let square = saved * saved;
    return select(square / (square + 0.01), 1.0, saved > 1.0e9);
}

// 0.02 (y / (y² + 0.01))³, from the output.
fn squareplus_second_derivative(saved: f32) -> f32 {
    let q = saved / (saved * saved + 0.01);
    return 0.02 * q * q * q;
}
