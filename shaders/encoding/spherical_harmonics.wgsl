// The factors of 1, z², z⁴ and z⁶ of band l and order m, where the number is l (l + 1) / 2 + m.
// Twin: src/network/encoding/spherical_harmonics.rs. An array: of a switch, SwiftShader's compiler
// takes three times as long.
const spherical_harmonics_factors = array<vec4<f32>, 36>(
    vec4<f32>(0.282094792, 0.0, 0.0, 0.0),
    vec4<f32>(0.488602512, 0.0, 0.0, 0.0),
    vec4<f32>(-0.488602512, 0.0, 0.0, 0.0),
    vec4<f32>(-0.315391565, 0.946174696, 0.0, 0.0),
    vec4<f32>(-1.09254843, 0.0, 0.0, 0.0),
    vec4<f32>(0.546274215, 0.0, 0.0, 0.0),
    vec4<f32>(-1.119529, 1.86588166, 0.0, 0.0),
    vec4<f32>(0.457045799, -2.285229, 0.0, 0.0),
    vec4<f32>(1.44530572, 0.0, 0.0, 0.0),
    vec4<f32>(-0.59004359, 0.0, 0.0, 0.0),
    vec4<f32>(0.317356641, -3.17356641, 3.70249414, 0.0),
    vec4<f32>(2.00713963, -4.6833258, 0.0, 0.0),
    vec4<f32>(-0.473087348, 3.31161144, 0.0, 0.0),
    vec4<f32>(-1.77013077, 0.0, 0.0, 0.0),
    vec4<f32>(0.625835735, 0.0, 0.0, 0.0),
    vec4<f32>(1.75425484, -8.18652257, 7.36787031, 0.0),
    vec4<f32>(-0.452946651, 6.34125312, -9.51187968, 0.0),
    vec4<f32>(-2.39676839, 7.19030518, 0.0, 0.0),
    vec4<f32>(0.489238299, -4.40314469, 0.0, 0.0),
    vec4<f32>(2.07566231, 0.0, 0.0, 0.0),
    vec4<f32>(-0.656382057, 0.0, 0.0, 0.0),
    vec4<f32>(-0.317846011, 6.67476624, -20.0242987, 14.6844857),
    vec4<f32>(-2.91310681, 17.4786409, -19.226505, 0.0),
    vec4<f32>(0.46060263, -8.29084734, 15.1998868, 0.0),
    vec4<f32>(2.76361578, -10.1332579, 0.0, 0.0),
    vec4<f32>(-0.504564901, 5.55021391, 0.0, 0.0),
    vec4<f32>(-2.36661916, 0.0, 0.0, 0.0),
    vec4<f32>(0.683184105, 0.0, 0.0, 0.0),
    vec4<f32>(-2.38994969, 21.5095472, -47.3210039, 29.2939548),
    vec4<f32>(0.451658038, -12.194767, 44.7141458, -38.7522597),
    vec4<f32>(3.31899519, -24.3392981, 31.6410875, 0.0),
    vec4<f32>(-0.469376802, 10.3262896, -22.3736275, 0.0),
    vec4<f32>(-3.11349347, 13.491805, 0.0, 0.0),
    vec4<f32>(0.518915579, -6.74590252, 0.0, 0.0),
    vec4<f32>(2.64596066, 0.0, 0.0, 0.0),
    vec4<f32>(-0.707162733, 0.0, 0.0, 0.0),
);

// Real spherical harmonic k of the direction 2 p − 1: its value, followed by its derivatives with
// respect to the direction. It is a polynomial of z times the real or, for a negative order, the
// imaginary part of (x + i y)ᵐ.
fn spherical_harmonics_both(p: vec3<f32>, k: u32) -> vec4<f32> {
    let v = 2.0 * p - 1.0;
    let l = u32(sqrt(f32(k) + 0.5));
    let center = l * l + l;
    let negative = k < center;
    let m = select(k - center, center - k, negative);
    let c = spherical_harmonics_factors[l * (l + 1u) / 2u + m];
    let q = v.z * v.z;
    let even = c.x + q * (c.y + q * (c.z + q * c.w));
    let slope = v.z * (2.0 * c.y + q * (4.0 * c.z + q * 6.0 * c.w));
    let odd = (l - m) % 2u == 1u;
    let along = select(even, v.z * even, odd);
    let along_slope = select(slope, even + v.z * slope, odd);
    // (x + i y)ᵐ⁻¹ and (x + i y)ᵐ.
    var below = vec2<f32>();
    var power = vec2<f32>(1.0, 0.0);
    for (var i = 0u; i < m; i++) {
        below = power;
        power = vec2<f32>(power.x * v.x - power.y * v.y, power.x * v.y + power.y * v.x);
    }
    let slopes = select(vec2<f32>(below.x, -below.y), below.yx, negative);
    let around = select(power.x, power.y, negative);
    return vec4<f32>(along * around, along * f32(m) * slopes, along_slope * around);
}

fn spherical_harmonics_value(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> f32 {
    return spherical_harmonics_both(p, k).x;
}

fn spherical_harmonics_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> vec3<f32> {
    return 2.0 * spherical_harmonics_both(p, k).yzw;
}

// The matrix of second derivatives with respect to p, times v: 4 of those with respect to the direction.
fn spherical_harmonics_second_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>, v: vec3<f32>) -> vec3<f32> {
    let d = 2.0 * p - 1.0;
    let l = u32(sqrt(f32(k) + 0.5));
    let center = l * l + l;
    let negative = k < center;
    let m = select(k - center, center - k, negative);
    let c = spherical_harmonics_factors[l * (l + 1u) / 2u + m];
    let q = d.z * d.z;
    // The polynomial of z and its two derivatives.
    let even = c.x + q * (c.y + q * (c.z + q * c.w));
    let slope = d.z * (2.0 * c.y + q * (4.0 * c.z + q * 6.0 * c.w));
    let second = 2.0 * c.y + q * (12.0 * c.z + q * 30.0 * c.w);
    let odd = (l - m) % 2u == 1u;
    let along = select(even, d.z * even, odd);
    let along_slope = select(slope, even + d.z * slope, odd);
    let along_second = select(second, 2.0 * slope + d.z * second, odd);
    // (x + i y)ᵐ⁻², (x + i y)ᵐ⁻¹ and (x + i y)ᵐ.
    var low = vec2<f32>();
    var below = vec2<f32>();
    var power = vec2<f32>(1.0, 0.0);
    for (var i = 0u; i < m; i++) {
        low = below;
        below = power;
        power = vec2<f32>(power.x * d.x - power.y * d.y, power.x * d.y + power.y * d.x);
    }
    // Along x a power loses one, along y it is multiplied by i, too.
    let n = f32(m);
    let twice = along * n * (n - 1.0);
    let x = select(vec2<f32>(low.x, -low.y), low.yx, negative) * twice;
    let z = select(vec2<f32>(below.x, -below.y), below.yx, negative) * along_slope * n;
    let zz = along_second * select(power.x, power.y, negative);
    return 4.0 * vec3<f32>(
        x.x * v.x + x.y * v.y + z.x * v.z,
        x.y * v.x - x.x * v.y + z.y * v.z,
        z.x * v.x + z.y * v.y + zz * v.z,
    );
}
