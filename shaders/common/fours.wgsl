// Elements four by four: a quarter of the memory accesses.
alias Word = vec4<f32>;
const LANES: u32 = 4u;

fn part(word: Word, lane: u32) -> f32 {
    return word[lane];
}

fn is_finite_word(word: Word) -> bool {
    return is_finite(word.x) && is_finite(word.y) && is_finite(word.z) && is_finite(word.w);
}

fn with_part(word: Word, lane: u32, value: f32) -> Word {
    var changed = word;
    changed[lane] = value;
    return changed;
}
