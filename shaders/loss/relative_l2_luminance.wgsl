// (y − t)² / (L² + 0.01) and 2 (y − t) / (L² + 0.01), which treats the denominator as a constant. L
// is the luminance of the first three outputs, or the sum of two luminances of six. The row shares
// ⅛ √(L² + 0.01). The halves, and the root that avoids the square of a large value, keep everything
// finite; a device may divide by more than 2¹²⁶ to 0.
fn relative_l2_luminance_row(first: u32) -> LossRow {
    let counted = select(min(row_width(), 3u), 6u, row_width() >= 6u);
    var luminance = 0.0;
    for (var i = 0u; i < counted; i++) {
        let color = i % 3u;
        let half = select(select(0.057, 0.2935, color == 1u), 0.1495, color == 0u);
        luminance += half * activation_value(logit_of(first + i));
    }
    let root = sqrt(luminance * luminance + 0.0025);
    return LossRow(0.0, 0.0, 0.25 * select(root, abs(luminance), abs(luminance) > 1.0e9));
}

fn relative_l2_luminance_element(y: f32, t: f32, row: LossRow) -> vec2<f32> {
    let ratio = (0.125 * y - 0.125 * t) / row.weight;
    return vec2<f32>(ratio * ratio, 0.25 * ratio / row.weight);
}
