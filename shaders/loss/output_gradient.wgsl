// y t and its derivative t: the target is the derivative of the application's loss. The value is 0
// where t is.
fn output_gradient_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    return vec2<f32>(select(y * t, 0.0, t == 0.0), t);
}
