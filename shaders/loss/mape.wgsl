// |y − t| / (|t| + 0.01) and its derivative sign(y − t) / (|t| + 0.01). A quarter of both: the
// quotient by a divisor above 2¹²⁶ is 0 on some GPUs.
fn mape_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    return vec2<f32>(0.25 * abs(d), 0.25 * sign(d)) / (0.25 * abs(t) + 0.0025);
}
