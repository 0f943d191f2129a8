// ½ (y − t)² and its derivative y − t.
fn half_squared_error_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(0.5 * d * d, d);
}
