// The sums of a scatter, four elements at a time.

struct Sums {
    lower: vec4<i32>,
    upper: vec4<i32>,
}

// What word `i` holds, which is 0 then. The lower part is left with `low` bits and its sign, what is
// over goes up: so their sum in f32 is no difference of two large numbers that are rounded.
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
