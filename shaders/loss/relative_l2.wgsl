// (y − t)² / (y² + 0.01) and 2 (y − t) / (y² + 0.01), which treats the denominator as a constant.
// The root that avoids the square of a large value, and an eighth of the difference, keep everything
// finite. The quotient by a divisor above 2¹²⁶ is 0 on some GPUs: a quarter of the root is below.
fn relative_l2_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let root = 0.25 * select(sqrt(y * y + 0.01), abs(y), abs(y) > 1.0e9);
    let ratio = 2.0 * ((0.125 * y - 0.125 * t) / root);
    return vec2<f32>(ratio * ratio, 0.5 * ratio / root);
}
