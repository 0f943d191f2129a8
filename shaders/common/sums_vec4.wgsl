// The sums of a scatter, four elements at a time.

struct Sums {
    lower: vec4<i32>,
    upper: vec4<i32>,
}

// Takes the sums `i` and resets them to 0. The lower sum keeps `low` bits and its sign; the rest
// carries into the upper sum. Adding the two in f32 is then no difference of large rounded numbers.
fn take_sums(i: u32, low: u32) -> Sums {
    let a = sums[2u * i];
    let b = sums[2u * i + 1u];
    sums[2u * i] = vec4<i32>();
    sums[2u * i + 1u] = vec4<i32>();
    let kept = Sums(vec4<i32>(a.xz, b.xz), vec4<i32>(a.yw, b.yw));
    let shift = vec4<u32>(32u - low);
    let rest = (kept.lower << shift) >> shift;
    return Sums(rest, kept.upper + ((kept.lower - rest) >> vec4<u32>(low)));
}
