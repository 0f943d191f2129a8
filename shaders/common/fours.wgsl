// Elements four by four: a quarter of the memory accesses.
alias Word = vec4<f32>;
const LANES: u32 = 4u;

fn part(word: Word, lane: u32) -> f32 {
    return word[lane];
}

fn with_part(word: Word, lane: u32, value: f32) -> Word {
    var changed = word;
    changed[lane] = value;
    return changed;
}
