// ½ d² where |d| ≤ 1, else |d| − ½, with d = y − t; derivative d, clamped to ±1.
fn huber_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let d = y - t;
    if (abs(d) > 1.0) {
        return vec2<f32>(abs(d) - 0.5, sign(d));
    }
    return vec2<f32>(0.5 * d * d, d);
}
