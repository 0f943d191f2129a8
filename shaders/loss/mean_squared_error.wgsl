// (y − t)² and its derivative 2 (y − t).
fn mean_squared_error_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(d * d, 2.0 * d);
}
