// C and `extra` of a matrix product as vectors of four, for offsets, strides and lengths that are
// multiples of four. Every `count` is then four. `extra` is the bias or what the forward pass
// saved.

fn load4_extra(first: u32, step: u32, count: u32) -> vec4<f32> {
    return unpacked(extra[first / 4u]);
}

fn load4_c(first: u32, count: u32) -> vec4<f32> {
    return unpacked(c[first / 4u]);
}

fn store4(at: u32, count: u32, values: vec4<f32>) {
    c[at / 4u] = packed(values);
}
