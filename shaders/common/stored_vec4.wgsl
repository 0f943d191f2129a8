// Four words of a buffer as shaders usually hold them; stored_u64x2.wgsl has them in pairs.
alias Stored = vec4<f32>;

fn unpacked(stored: Stored) -> vec4<f32> {
    return stored;
}

fn packed(values: vec4<f32>) -> Stored {
    return values;
}
