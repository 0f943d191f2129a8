// |y − t| and sign(y − t), both over ½ (|y| + |t|) + 0.01: the divisor counts as a constant.
fn smape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(abs(d), sign(d)) / (0.5 * (abs(y) + abs(t)) + 0.01);
}
