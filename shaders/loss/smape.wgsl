// |y − t| and sign(y − t), both over ½ (|y| + |t|) + 0.01. The denominator is treated as a
// constant. Numerator and denominator are halved, so nothing overflows.
fn smape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let denominator = 0.25 * abs(y) + 0.25 * abs(t) + 0.005;
    return vec2<f32>(abs(0.5 * y - 0.5 * t), 0.5 * sign(y - t)) / denominator;
}
