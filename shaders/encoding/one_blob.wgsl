// The integral of a quartic blob around x over bin k of numbers.x bins. What leaves [0, 1] at one
// end comes in at the other. This function gives the blob's integral up to u and its density at u.
fn one_blob_quartic(u: f32) -> vec2<f32> {
    let v = clamp(u, -1.0, 1.0);
    let q = v * v;
    let share = 0.5 + 0.9375 * v * (1.0 + q * (0.2 * q - 0.6666667));
    return vec2<f32>(share, 0.9375 * (1.0 - q) * (1.0 - q));
}

// The integral over bin k, and its derivative.
fn one_blob_bin(x: f32, k: u32, bins: f32) -> vec2<f32> {
    var sum = vec2<f32>();
    for (var turn = -1; turn <= 1; turn++) {
        let left = f32(k) + bins * (f32(turn) - x);
        let begin = one_blob_quartic(left);
        let end = one_blob_quartic(left + 1.0);
        sum += vec2<f32>(end.x - begin.x, bins * (begin.y - end.y));
    }
    return sum;
}

// A NaN is returned explicitly: the clamp would drop it.
fn one_blob_value(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> f32 {
    return select(p.x, one_blob_bin(p.x, k, numbers.x).x, is_finite(p.x));
}

fn one_blob_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(one_blob_bin(p.x, k, numbers.x).y, 0.0, 0.0);
}

// The derivative of the blob's density at u; 0 from ±1 on.
fn one_blob_slope(u: f32) -> f32 {
    let v = clamp(u, -1.0, 1.0);
    return -3.75 * v * (1.0 - v * v);
}

fn one_blob_second_derivative(p: vec3<f32>, k: u32, numbers: vec2<f32>, v: vec3<f32>) -> vec3<f32> {
    let bins = numbers.x;
    var sum = 0.0;
    for (var turn = -1; turn <= 1; turn++) {
        let left = f32(k) + bins * (f32(turn) - p.x);
        sum += one_blob_slope(left + 1.0) - one_blob_slope(left);
    }
    return vec3<f32>(bins * bins * sum * v.x, 0.0, 0.0);
}
