// The optimizer's numbers. Twin: `Hyper` in src/optimizer.rs.
struct Hyper {
    rate: f32,
    momentum: f32,
    beta1: f32,
    one_minus_beta1: f32,
    ln_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    ln_beta2: f32,
    epsilon: f32,
    weight_decay: f32,
}
