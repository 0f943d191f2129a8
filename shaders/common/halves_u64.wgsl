// Four numbers in f16 as one word of 64 bits, as stored_u64x2.wgsl has two in f32.
alias Halves = u64;

fn four_of_halves(halves: Halves) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(u32(halves)), unpack2x16float(u32(halves >> 32u)));
}
