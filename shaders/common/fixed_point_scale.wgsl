// How many quanta of a fixed point are 1 where a contribution has so many bits, given the bits of the
// largest magnitude: 2ⁿ as two factors, since one alone may be beyond what f32 has.
fn fixed_point_scale(max_bits: u32, bits: u32) -> vec2<f32> {
    let n = i32(bits) + 126 - i32(max_bits >> 23u);
    return vec2<f32>(power_of_two(n / 2), power_of_two(n - n / 2));
}

// 2ⁿ for n in −126 to 127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}
