// The exponent of a magnitude, as its bits store it, between those whose power of two and its
// reciprocal are both normal numbers.
fn exponent_of(bits: u32) -> u32 {
    return clamp(bits >> 23u, 1u, 253u);
}

// The power of two that brings a magnitude to between 1 and 4. A product by it rounds nothing, and no
// division is needed: one by more than 2¹²⁶ gives 0 on some GPUs.
fn scale_of(bits: u32) -> f32 {
    return bitcast<f32>((254u - exponent_of(bits)) << 23u);
}
