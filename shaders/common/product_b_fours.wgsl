// B of a matrix product as vectors of four words: for an offset, strides and lengths along a line
// that are multiples of four.
@group(0) @binding(2) var<storage, read> b: array<Stored>;

const B_ALIGNED: bool = true;

fn four_of_b(at: vec4<u32>) -> vec4<f32> {
    return unpacked(b[at.x / 4u]);
}
