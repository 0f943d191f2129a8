// eᶻ, at most e⁸⁸. The bits from 88 to infinity are compared as integers: min() drops a NaN, and
// NVIDIA's compiler makes min() of a comparison.
fn exponential_value(z: f32) -> f32 {
    return exp(select(z, 88.0, bitcast<u32>(z) - 0x42b00001u <= 0x3ccfffffu));
}

// y, the output.
fn exponential_derivative(saved: f32) -> f32 {
    return saved;
}

// y, the output.
fn exponential_second_derivative(saved: f32) -> f32 {
    return saved;
}
