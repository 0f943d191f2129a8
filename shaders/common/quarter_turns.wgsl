// sin(z) for turn = 0, cos(z) for turn = 1. The nearest multiple of π/2 is subtracted in three
// parts (Cody and Waite, 1980); the polynomials of Moshier's Cephes on ±π/4 follow. The first two
// parts are exact up to |z| = 1e5, where the error is below 1e-6. Beyond, the reduction is that of
// `sine_of_large`. The builtin is not used: SwiftShader's is off by 8e-4.
fn sine_of_quarter_turns(z: f32, turn: i32) -> f32 {
    let bits = bitcast<u32>(z) & 0x7fffffffu;
    // The bits of 1e5, and of infinity: what is not finite gives NaN below.
    if (bits > 0x47c35000u && bits < 0x7f800000u) {
        return sine_of_large(z, bits, turn);
    }
    let n = round(z * 0.63661977);
    let r = ((z - n * 1.5703125) - n * 4.837513e-4) - n * 7.54979e-8;
    return sine_in_quarter(r, i32(n) + turn);
}

// sin or cos of any z beyond 2¹⁶ (Payne and Hanek, 1983): z · 2/π modulo 4 in integers. |z| is a
// mantissa of 24 bits times a power of two, which selects 64 bits of 2/π: higher ones are multiples
// of four quarters. Of the product the first 32 bits are kept: 2 of the quarter, 30 of the fraction.
fn sine_of_large(z: f32, bits: u32, turn: i32) -> f32 {
    let m = (bits & 0x7fffffu) | 0x800000u;
    let first = (bits >> 23u) - 143u;
    let word = first >> 5u;
    let shift = first & 31u;
    let next = two_over_pi(word + 1u);
    let high = (two_over_pi(word) << shift) | ((next >> 1u) >> (31u - shift));
    let low = (next << shift) | ((two_over_pi(word + 2u) >> 1u) >> (31u - shift));
    let product = m * high + (m >> 16u) * (low >> 16u)
        + (((m & 0xffffu) * (low >> 16u)) >> 16u) + (((m >> 16u) * (low & 0xffffu)) >> 16u);
    let n = (product + 0x20000000u) >> 30u;
    let r = f32(bitcast<i32>(product - (n << 30u))) * 1.4629181e-9;
    let quarters = i32(n);
    return sine_in_quarter(select(r, -r, z < 0.0), select(quarters, -quarters, z < 0.0) + turn);
}

// Word i of the binary digits of 2/π, behind 9 zeros.
fn two_over_pi(i: u32) -> u32 {
    switch i {
        case 0u: { return 0x00517cc1u; }
        case 1u: { return 0xb727220au; }
        case 2u: { return 0x94fe13abu; }
        case 3u: { return 0xe8fa9a6eu; }
        case 4u: { return 0xe06db14au; }
        default: { return 0xcc9e21c8u; }
    }
}

// sin(π u) for turn = 0; each further turn adds a quarter. Subtracting the whole part is exact.
fn sine_of_half_turns(u: f32, turn: i32) -> f32 {
    let n = round(2.0 * u);
    return sine_in_quarter(3.1415927 * (u - 0.5 * n), i32(n) + turn);
}

// sin(r + quarters · π/2) for r in ±π/4.
fn sine_in_quarter(r: f32, quarters: i32) -> f32 {
    let q = r * r;
    let s = r + r * q * (-1.6666655e-1 + q * (8.332161e-3 - q * 1.9515296e-4));
    let c = 1.0 - 0.5 * q + q * q * (4.1666646e-2 + q * (-1.3887316e-3 + q * 2.4433157e-5));
    let quarter = quarters & 3;
    let value = select(s, c, (quarter & 1) == 1);
    return select(value, -value, quarter >= 2);
}
