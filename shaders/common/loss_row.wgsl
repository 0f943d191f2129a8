// What the elements of a row share, where they do: the largest logit z, ln Σ e^(z − top), and
// Σ t / Σ e^(z − top).
struct LossRow {
    top: f32,
    log_sum: f32,
    weight: f32,
}
