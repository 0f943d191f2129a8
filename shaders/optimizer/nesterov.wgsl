// v ← momentum · v + g, then p − rate · (g + momentum · v).
fn nesterov_update(p: f32, g: f32, state: ptr<function, vec2<f32>>, t: f32) -> f32 {
    let v = hyper.momentum * (*state).x + g;
    (*state).x = v;
    return p - hyper.rate * (g + hyper.momentum * v);
}
