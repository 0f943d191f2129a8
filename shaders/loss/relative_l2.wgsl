// (y − t)² / (y² + 0.01) and 2 (y − t) / (y² + 0.01), which treats the denominator as a constant.
// The halves, and the root that avoids the square of a large value, keep everything finite. A large
// value is a sixteenth on both sides of the fraction: a device may divide by more than 2¹²⁶ to 0.
fn relative_l2_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let is_large = abs(y) > 1.0e9;
    let scale = select(1.0, 0.0625, is_large);
    let root = select(sqrt(y * y + 0.01), 0.0625 * abs(y), is_large);
    let ratio = 2.0 * (scale * (0.5 * y - 0.5 * t) / root);
    return vec2<f32>(ratio * ratio, 2.0 * ratio * scale / root);
}
