fn gelu_gate(z: f32) -> vec2<f32> { let c = clamp(z, -20.0, 20.0); let u = 2.0 * 0.7978845608 * c * (1.0 + 0.044715 * c * c); let e = exp(-abs(u)); let q = 1.0 / (1.0 + e); return vec2<f32>(select(q, e * q, u < 0.0), 0.7978845608 * (1.0 + 3.0 * 0.044715 * c * c)); }
fn gelu_value(z: f32) -> f32 { return z * gelu_gate(z).x; }
fn gelu_gradient(saved: f32) -> f32 { let g = gelu_gate(saved); return g.x + saved * (2.0 * (g.x * (1.0 - g.x)) * g.y); }
