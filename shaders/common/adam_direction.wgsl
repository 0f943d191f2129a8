// m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², and (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
// 1 − βᵗ is computed as −(e^(t ln β) − 1): the power itself would leave 1 − 0.999 four digits.
fn adam_direction(g: f32, state: ptr<function, vec2<f32>>, t: f32) -> f32 {
    let m = hyper.beta1 * (*state).x + hyper.one_minus_beta1 * g;
    let v = hyper.beta2 * (*state).y + hyper.one_minus_beta2 * g * g;
    *state = vec2<f32>(m, v);
    let correct_m = -exp_minus_one(max(t * hyper.ln_beta1, -80.0));
    let correct_v = -exp_minus_one(max(t * hyper.ln_beta2, -80.0));
    return (m / correct_m) / (sqrt(v / correct_v) + hyper.epsilon);
}
