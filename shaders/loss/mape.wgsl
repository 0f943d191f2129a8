// |y − t| / (|t| + 0.01) and its derivative sign(y − t) / (|t| + 0.01).
fn mape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(abs(d), sign(d)) / (abs(t) + 0.01);
}
