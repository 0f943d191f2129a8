// B of a matrix product as words: any offset and strides.
@group(0) @binding(2) var<storage, read> b: array<f32>;

const B_ALIGNED: bool = false;

fn four_of_b(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}
