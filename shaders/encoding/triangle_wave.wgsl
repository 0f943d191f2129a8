// 4 |v − ⌊v⌋ − ½| − 1 with v = 2ⁱ⁻¹ x + i / 4, i = k.
fn triangle_wave_phase(x: f32, k: u32) -> f32 {
    let v = x * 0.5 * f32(1u << k);
    // Subtracting the whole part first keeps adding the shift exact.
    let shifted = v - floor(v) + 0.25 * f32(k % 4u);
    return shifted - floor(shifted);
}

fn triangle_wave_value(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> f32 {
    return 4.0 * abs(triangle_wave_phase(p.x, k) - 0.5) - 1.0;
}

fn triangle_wave_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> vec3<f32> {
    let steep = 2.0 * f32(1u << k);
    return vec3<f32>(select(steep, -steep, triangle_wave_phase(p.x, k) < 0.5), 0.0, 0.0);
}

// 0.
fn triangle_wave_second_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>, v: vec3<f32>) -> vec3<f32> {
    return vec3<f32>();
}
