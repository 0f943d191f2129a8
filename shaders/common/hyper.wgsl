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
    l2: f32,
    skip_untouched: u32,
    ln_base: f32,
    decay_start: u32,
    decay_interval: u32,
    decay_end: u32,
}

// The learning rate of a step, counted from 0. Twin: `Schedule` in src/schedule.rs.
fn scheduled_rate(numbers: Hyper, step: u32) -> f32 {
    if (numbers.decay_interval == 0u || step < numbers.decay_start) {
        return numbers.rate;
    }
    let decays = (min(step, numbers.decay_end) - numbers.decay_start) / numbers.decay_interval + 1u;
    return numbers.rate * exp(max(f32(decays) * numbers.ln_base, -100.0));
}
