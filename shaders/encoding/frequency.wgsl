// sin(2ⁱ π x) for even k, cos(2ⁱ π x) for odd k, with i = k / 2.
fn frequency_value(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> f32 {
    return sine_of_half_turns(p.x * f32(1u << (k / 2u)), i32(k % 2u));
}

fn frequency_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> vec3<f32> {
    let scale = f32(1u << (k / 2u));
    // The derivative of a sine is a quarter turn ahead.
    let other = sine_of_half_turns(p.x * scale, i32(k % 2u) + 1);
    return vec3<f32>(3.1415927 * scale * other, 0.0, 0.0);
}

fn frequency_second_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>, v: vec3<f32>) -> vec3<f32> {
    let slope = 3.1415927 * f32(1u << (k / 2u));
    return vec3<f32>(-slope * slope * frequency_value(p, k, numbers) * v.x, 0.0, 0.0);
}
