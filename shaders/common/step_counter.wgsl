// The step counter has two words, low and high: a training of weeks takes more than 2^32 steps.

// The low word that marks a model which has not diverged.
const NOT_DIVERGED: u32 = 0xffffffffu;

fn next_step(step: vec2<u32>) -> vec2<u32> {
    let low = step.x + 1u;
    return vec2<u32>(low, step.y + select(0u, 1u, low == 0u));
}

fn step_as_f32(step: vec2<u32>) -> f32 {
    return f32(step.x) + 4294967296.0 * f32(step.y);
}

// The step as a schedule sees it, which ends below 2^32.
fn step_of_schedule(step: vec2<u32>) -> u32 {
    return select(step.x, 0xffffffffu, step.y > 0u);
}

fn next_slot(slot: u32, history: u32) -> u32 {
    return select(slot + 1u, 0u, slot + 1u >= history);
}
