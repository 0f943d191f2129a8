// |y − t| / (|t| + 0.01) and its derivative sign(y − t) / (|t| + 0.01), with quarters on both sides of
// the fraction: a device may divide by more than 2¹²⁶ to 0.
fn mape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(0.25 * abs(d), 0.25 * sign(d)) / (0.25 * abs(t) + 0.0025);
}
