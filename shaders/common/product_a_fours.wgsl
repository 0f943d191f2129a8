// A of a matrix product as vectors of four words: for an offset, strides and lengths along a line
// that are multiples of four.
@group(0) @binding(1) var<storage, read> a: array<Stored>;

const A_ALIGNED: bool = true;

fn four_of_a(at: vec4<u32>) -> vec4<f32> {
    return unpacked(a[at.x / 4u]);
}
