// (y − t)² / (y² + 0.01) and 2 (y − t) / (y² + 0.01), which treats the denominator as a constant.
// The halves, and the root that avoids the square of a large value, keep everything finite.
fn relative_l2_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let root = select(sqrt(y * y + 0.01), abs(y), abs(y) > 1.0e9);
    let ratio = 2.0 * ((0.5 * y - 0.5 * t) / root);
    return vec2<f32>(ratio * ratio, 2.0 * ratio / root);
}
