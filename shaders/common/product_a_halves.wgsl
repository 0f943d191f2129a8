// A of a matrix product in f16, as fours of halves; products and sums stay f32. Needs
// halves_words.wgsl or halves_pairs.wgsl.
@group(0) @binding(1) var<storage, read> a: array<Halves>;

const A_ALIGNED: bool = true;

fn four_of_a(at: vec4<u32>) -> vec4<f32> {
    return four_of_halves(a[at.x / 4u]);
}
