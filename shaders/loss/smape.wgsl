// |y − t| and sign(y − t), both over ½ (|y| + |t|) + 0.01. The denominator is treated as a
// constant. An eighth of numerator and denominator: nothing overflows, and the quotient by a divisor
// above 2¹²⁶ is 0 on some GPUs.
fn smape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let denominator = 0.0625 * abs(y) + 0.0625 * abs(t) + 0.00125;
    return vec2<f32>(abs(0.125 * y - 0.125 * t), 0.125 * sign(y - t)) / denominator;
}
