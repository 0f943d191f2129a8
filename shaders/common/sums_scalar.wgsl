// The sums of a scatter, one element at a time: lower integers in x, upper ones in y.

struct Sums {
    lower: i32,
    upper: i32,
}

// Takes the sums `i` and resets them to 0. The lower sum keeps `low` bits and its sign; the rest
// carries into the upper sum. Adding the two in f32 is then no difference of large rounded numbers.
fn take_sums(i: u32, low: u32) -> Sums {
    let sum = sums[i];
    sums[i] = vec2<i32>();
    let kept = Sums(sum.x, sum.y);
    let shift = u32(32u - low);
    let rest = (kept.lower << shift) >> shift;
    return Sums(rest, kept.upper + ((kept.lower - rest) >> u32(low)));
}
