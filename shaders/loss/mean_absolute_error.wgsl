// |y − t| and its derivative, the sign of y − t.
fn mean_absolute_error_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(abs(d), sign(d));
}
