fn sine_value(z: f32) -> f32 { return sin(z); }
fn sine_gradient(saved: f32) -> f32 { return cos(saved); }
