// Real spherical harmonic k of the direction 2 p − 1: its value, followed by its derivatives with
// respect to the direction.
fn spherical_harmonics_both(p: vec3<f32>, k: u32) -> vec4<f32> {
    let v = 2.0 * p - 1.0;
    let x = v.x;
    let y = v.y;
    let z = v.z;
    let s = v * v;
    switch k {
        case 0u: { return vec4<f32>(0.28209479, 0.0, 0.0, 0.0); }
        case 1u: { return -0.48860251 * vec4<f32>(y, 0.0, 1.0, 0.0); }
        case 2u: { return 0.48860251 * vec4<f32>(z, 0.0, 0.0, 1.0); }
        case 3u: { return -0.48860251 * vec4<f32>(x, 1.0, 0.0, 0.0); }
        case 4u: { return 1.0925484 * vec4<f32>(x * y, y, x, 0.0); }
        case 5u: { return -1.0925484 * vec4<f32>(y * z, 0.0, z, y); }
        case 6u: { return 0.31539157 * vec4<f32>(3.0 * s.z - 1.0, 0.0, 0.0, 6.0 * z); }
        case 7u: { return -1.0925484 * vec4<f32>(x * z, z, 0.0, x); }
        case 8u: { return 0.54627422 * vec4<f32>(s.x - s.y, 2.0 * x, -2.0 * y, 0.0); }
        case 9u: { return 0.59004359 * vec4<f32>(y * (s.y - 3.0 * s.x), -6.0 * x * y, 3.0 * (s.y - s.x), 0.0); }
        case 10u: { return 2.8906114 * vec4<f32>(x * y * z, y * z, x * z, x * y); }
        case 11u: { return 0.45704580 * vec4<f32>(y * (1.0 - 5.0 * s.z), 0.0, 1.0 - 5.0 * s.z, -10.0 * y * z); }
        case 12u: { return 0.37317633 * vec4<f32>(z * (5.0 * s.z - 3.0), 0.0, 0.0, 15.0 * s.z - 3.0); }
        case 13u: { return 0.45704580 * vec4<f32>(x * (1.0 - 5.0 * s.z), 1.0 - 5.0 * s.z, 0.0, -10.0 * x * z); }
        case 14u: { return 1.4453057 * vec4<f32>(z * (s.x - s.y), 2.0 * x * z, -2.0 * y * z, s.x - s.y); }
        default: { return 0.59004359 * vec4<f32>(x * (3.0 * s.y - s.x), 3.0 * (s.y - s.x), 6.0 * x * y, 0.0); }
    }
}

fn spherical_harmonics_value(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> f32 {
    return spherical_harmonics_both(p, k).x;
}

fn spherical_harmonics_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> vec3<f32> {
    return 2.0 * spherical_harmonics_both(p, k).yzw;
}
