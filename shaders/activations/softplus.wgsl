fn softplus_value(z: f32) -> f32 { return select(z, 0.0, z <= 0.0) + log(1.0 + exp(-abs(z))); }
fn softplus_gradient(saved: f32) -> f32 { let e = exp(-abs(saved)); let q = 1.0 / (1.0 + e); return select(q, e * q, saved < 0.0); }
