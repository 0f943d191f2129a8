// eˣ − 1 for x in −80 to 0, by the Taylor series where the difference would cancel.
fn exp_minus_one(x: f32) -> f32 {
    let tail = 0.0083333333 + x * (0.0013888889 + x * (0.00019841270 + x * 0.000024801587));
    let near = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * tail))));
    return select(exp(x) - 1.0, near, x > -0.6);
}
