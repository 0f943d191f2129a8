// |y − t| and sign(y − t), both over ½ (|y| + |t|) + 0.01. The denominator is treated as a
// constant. Numerator and denominator are quartered: nothing overflows, and no device divides by more
// than 2¹²⁶, which may give 0.
fn smape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let denominator = 0.125 * abs(y) + 0.125 * abs(t) + 0.0025;
    return vec2<f32>(abs(0.25 * y - 0.25 * t), 0.25 * sign(y - t)) / denominator;
}
