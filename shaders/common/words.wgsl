// Elements one by one, as fours.wgsl has them four by four.
alias Word = f32;
const LANES: u32 = 1u;

fn part(word: Word, lane: u32) -> f32 {
    return word;
}

fn is_finite_word(word: Word) -> bool {
    return is_finite(word);
}

fn with_part(word: Word, lane: u32, value: f32) -> Word {
    return value;
}
