// p − rate · direction, with Adam's direction.
fn adam_update(p: f32, g: f32, state: ptr<function, vec2<f32>>, t: f32) -> f32 {
    return p - hyper.rate * adam_direction(g, state, t);
}
