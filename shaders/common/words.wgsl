// Elements one by one, as fours.wgsl has them four by four.
alias Word = f32;
alias Stored = f32;
const LANES: u32 = 1u;

fn unpacked(stored: Stored) -> Word {
    return stored;
}

fn packed(word: Word) -> Stored {
    return word;
}

fn part(word: Word, lane: u32) -> f32 {
    return word;
}

// A bit for each element that is not finite.
fn not_finite(word: Word) -> u32 {
    return select(1u, 0u, is_finite(word));
}

fn with_part(word: Word, lane: u32, value: f32) -> Word {
    return value;
}
