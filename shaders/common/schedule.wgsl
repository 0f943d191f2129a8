// The learning rate of a step, counted from 0. Twin: `Schedule` in src/training/schedule.rs.
fn scheduled_rate(hyperparameters: Hyper, step: u32) -> f32 {
    if (hyperparameters.decay_interval == 0u || step < hyperparameters.decay_start) {
        return hyperparameters.rate;
    }
    let decays = (min(step, hyperparameters.decay_end) - hyperparameters.decay_start) / hyperparameters.decay_interval + 1u;
    return hyperparameters.rate * exp(max(f32(decays) * hyperparameters.ln_base, -100.0));
}
