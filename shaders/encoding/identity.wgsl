// scale · x + offset. The numbers are scale and offset.
fn identity_value(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> f32 {
    return numbers.x * p.x + numbers.y;
}

fn identity_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(numbers.x, 0.0, 0.0);
}

// 0.
fn identity_second_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>, v: vec3<f32>) -> vec3<f32> {
    return vec3<f32>();
}
