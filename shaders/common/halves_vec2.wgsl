// Four f16 elements in two 32-bit integers. The device needs no optional feature.
alias Halves = vec2<u32>;

fn unpack_halves(halves: Halves) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(halves.x), unpack2x16float(halves.y));
}
