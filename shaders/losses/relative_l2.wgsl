// (y − t)² / (y² + 0.01) and 2 (y − t) / (y² + 0.01): the divisor counts as a constant.
fn relative_l2_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    let weight = 1.0 / (y * y + 0.01);
    return vec2<f32>(d * d * weight, 2.0 * d * weight);
}
