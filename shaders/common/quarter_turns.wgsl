// sin(z) for turn = 0, cos(z) for turn = 1. The nearest multiple of π/2 is subtracted in three
// parts (Cody and Waite, 1980); the polynomials of Moshier's Cephes on ±π/4 follow. The first two
// parts are exact up to |z| = 1e5, where the error is below 1e-6. The error grows from there to
// 1e6. Beyond 1e6 the spacing of f32 nears a good part of a turn, and z counts as 0. The builtin is
// not used: SwiftShader's is off by 8e-4.
fn sine_of_quarter_turns(z: f32, turn: i32) -> f32 {
    let inside = select(z, 0.0, abs(z) > 1.0e6);
    let n = round(inside * 0.63661977);
    let r = ((inside - n * 1.5703125) - n * 4.837513e-4) - n * 7.54979e-8;
    return sine_in_quarter(r, i32(n) + turn);
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
