// The number of quanta in 1, for contributions of `bits` bits and the bits of the largest
// magnitude. It is 2ⁿ as two factors, since f32 may not represent 2ⁿ itself.
fn fixed_point_scale(max_bits: u32, bits: u32) -> vec2<f32> {
    let n = i32(bits) + 126 - i32(max_bits >> 23u);
    return vec2<f32>(power_of_two(n / 2), power_of_two(n - n / 2));
}

// 2ⁿ for n in −126 to 127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}
