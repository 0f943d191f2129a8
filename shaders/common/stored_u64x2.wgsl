// Four 32-bit elements of a buffer as two 64-bit integers, for devices on a CPU. The cost of memory
// there depends on the number of accesses and not on their size.
alias Stored = vec2<u64>;

fn unpacked(stored: Stored) -> vec4<f32> {
    let low = vec2<u32>(stored);
    let high = vec2<u32>(stored >> vec2<u32>(32u));
    return bitcast<vec4<f32>>(vec4<u32>(low.x, high.x, low.y, high.y));
}

fn packed(values: vec4<f32>) -> Stored {
    let bits = bitcast<vec4<u32>>(values);
    return vec2<u64>(bits.xz) | (vec2<u64>(bits.yw) << vec2<u32>(32u));
}
