// −Σ t ln softmax(z) over a row of logits. Let s = Σ t, m = max z and l = ln Σ e^(z − m). The value
// is Σ t (l + m − z) and the derivative s p − t.
fn softmax_cross_entropy_row(first: u32) -> LossRow {
    var top = logit_of(first);
    for (var i = 1u; i < row_width(); i++) {
        // The builtin max() would drop a NaN.
        top = select(logit_of(first + i), top, logit_of(first + i) <= top);
    }
    var sum = 0.0;
    var targets = 0.0;
    for (var i = 0u; i < row_width(); i++) {
        sum += exp(logit_of(first + i) - top);
        targets += target_of(first + i);
    }
    return LossRow(top, log(sum), targets / sum);
}

fn softmax_cross_entropy_element(z: f32, t: f32, row: LossRow) -> vec2<f32> {
    // The difference of two finite logits can be infinite, and 0 · ∞ is NaN. The bound leaves room
    // for the rounding of a sum.
    let below = min(row.top - z, 3.0e38);
    return vec2<f32>(t * (row.log_sum + below), exp(-below) * row.weight - t);
}
