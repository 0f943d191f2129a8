// The values that the elements of a coupled row share: the largest logit `top`, ln Σ e^(z − top),
// and Σ t / Σ e^(z − top).
struct LossRow {
    top: f32,
    log_sum: f32,
    weight: f32,
}
