// A of a matrix product as words: any offset and strides.
@group(0) @binding(1) var<storage, read> a: array<f32>;

const A_ALIGNED: bool = false;

fn four_of_a(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]);
}
