fn silu_gate(z: f32) -> f32 { let e = exp(-abs(z)); let q = 1.0 / (1.0 + e); return select(q, e * q, z < 0.0); }
fn silu_value(z: f32) -> f32 { return z * silu_gate(z); }
fn silu_gradient(saved: f32) -> f32 { let s = silu_gate(saved); return s + saved * (s * silu_gate(-saved)); }
