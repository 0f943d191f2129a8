// Four f16 elements in one 64-bit integer; stored_u64x2.wgsl has two f32 elements in each.
alias Halves = u64;

fn unpack_halves(halves: Halves) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(u32(halves)), unpack2x16float(u32(halves >> 32u)));
}
