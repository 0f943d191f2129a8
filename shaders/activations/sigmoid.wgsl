fn sigmoid_value(z: f32) -> f32 { let e = exp(-abs(z)); let q = 1.0 / (1.0 + e); return select(q, e * q, z < 0.0); }
fn sigmoid_gradient(saved: f32) -> f32 { return saved * (1.0 - saved); }
