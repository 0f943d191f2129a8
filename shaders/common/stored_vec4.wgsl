// Four elements of a buffer as a vector; stored_u64x2.wgsl stores them as two 64-bit integers.
alias Stored = vec4<f32>;

fn unpacked(stored: Stored) -> vec4<f32> {
    return stored;
}

fn packed(values: vec4<f32>) -> Stored {
    return values;
}
