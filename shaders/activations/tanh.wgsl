fn tanh_value(z: f32) -> f32 { return tanh(clamp(z, -15.0, 15.0)); }
fn tanh_gradient(saved: f32) -> f32 { return (1.0 - saved) * (1.0 + saved); }
