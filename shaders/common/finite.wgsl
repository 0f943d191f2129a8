// Whether x is neither NaN nor infinite, by its bits: drivers optimise x != x away.
fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
