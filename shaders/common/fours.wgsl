// Elements four by four: a quarter of the memory accesses. Needs stored_vectors.wgsl or stored_pairs.wgsl.
alias Word = vec4<f32>;
const LANES: u32 = 4u;

fn part(word: Word, lane: u32) -> f32 {
    return word[lane];
}

// A bit for each element that is not finite.
fn not_finite(word: Word) -> u32 {
    return select(1u, 0u, is_finite(word.x))
        | select(2u, 0u, is_finite(word.y))
        | select(4u, 0u, is_finite(word.z))
        | select(8u, 0u, is_finite(word.w));
}

fn with_part(word: Word, lane: u32, value: f32) -> Word {
    var changed = word;
    changed[lane] = value;
    return changed;
}
