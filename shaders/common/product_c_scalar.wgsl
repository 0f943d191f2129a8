// C and `extra` of a matrix product as scalars, with any offsets and strides. `extra` is the bias
// or what the forward pass saved.

// The first `count` of four elements `step` apart. The last of them is repeated for the rest.
fn load4_extra(first: u32, step: u32, count: u32) -> vec4<f32> {
    let at = vec4<u32>(first) + min(FOUR, vec4<u32>(count - 1u)) * step;
    return vec4<f32>(extra[at.x], extra[at.y], extra[at.z], extra[at.w]);
}

fn load4_c(first: u32, count: u32) -> vec4<f32> {
    let at = vec4<u32>(first) + min(FOUR, vec4<u32>(count - 1u));
    return vec4<f32>(c[at.x], c[at.y], c[at.z], c[at.w]);
}

fn store4(at: u32, count: u32, values: vec4<f32>) {
    c[at] = values.x;
    if (count > 1u) {
        c[at + 1u] = values.y;
    }
    if (count > 2u) {
        c[at + 2u] = values.z;
    }
    if (count > 3u) {
        c[at + 3u] = values.w;
    }
}
