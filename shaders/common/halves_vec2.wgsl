// Four numbers in f16 as two words: no feature of a device is needed.
alias Halves = vec2<u32>;

fn four_of_halves(halves: Halves) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(halves.x), unpack2x16float(halves.y));
}
