// The sums of a scatter, an element at a time: lower words in x, upper ones in y.

struct Sums {
    lower: i32,
    upper: i32,
}

// What word `i` holds, which is 0 then. The lower part is left with `low` bits and its sign, what is
// over goes up: so their sum in f32 is no difference of two large numbers that are rounded.
fn take_sums(i: u32, low: u32) -> Sums {
    let sum = sums[i];
    sums[i] = vec2<i32>();
    let kept = Sums(sum.x, sum.y);
    let shift = u32(32u - low);
    let rest = (kept.lower << shift) >> shift;
    return Sums(rest, kept.upper + ((kept.lower - rest) >> u32(low)));
}
