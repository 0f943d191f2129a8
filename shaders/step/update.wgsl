// One optimizer step of every parameter, and the step counter. A model whose loss or gradient is
// not finite keeps its parameters. Definition: src/kernels/step/update.rs.

// Whether all elements belong to one model, whose status is then read once.
override ONE_MODEL: bool = false;

// Whether the learning rate follows a schedule.
override SCHEDULED: bool = false;

// Whether parts of a model have a factor of the learning rate.
override RATES: bool = false;

// Whether the gradient is 0 afterwards.
override CLEARS: bool = false;

// Read once per invocation, not once per element.
var<private> hyper: Hyper;
// The learning rate of the step.
var<private> rate: f32;
var<private> gradients: Lanes;
var<private> values: Lanes;
var<private> first: Lanes;
var<private> second: Lanes;

@compute @workgroup_size(64)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let begin = (group.y * groups.x + group.x) * 64u * RUNS + local;
    let updates = vec2<u32>(status.updates, status.updates_high);
    hyper = hyperparameters;
    if (SCHEDULED) {
        hyper.rate = scheduled_rate(hyperparameters, step_of_schedule(updates) - 1u);
    }
    rate = hyper.rate;
    if (begin == 0u) {
        status.step = updates.x;
        status.step_high = updates.y;
        status.slot = next_slot(status.slot, params.history);
        let cursor = vec2<u32>(status.epoch, status.position);
        let next = next_cursor(cursor, params.rows, params.batch);
        status.epoch = next.x;
        status.position = next.y;
    }
    let elements = params.parameters * params.models;
    var stopped = false;
    if (ONE_MODEL) {
        stopped = diverged_before(0u, updates);
    }
    let end = end_of_run(begin, elements);
    var fails = 0u;
    for (var i = begin; i < end; i += 64u) {
        fails |= update_lanes(i, elements, updates, stopped) << first_bit(begin, i);
    }
    // The loop ends with the last bit and has no known length. A compiler would unroll a known
    // length, and a CPU would execute all of it for nothing.
    while (fails != 0u) {
        let bit = firstTrailingBit(fails);
        fails &= fails - 1u;
        // A model that diverges here is marked with the next step. The decisions of other
        // invocations of this dispatch then do not depend on their order.
        mark_diverged(element_of_bit(begin, bit) / params.parameters, updates);
    }
}

// Whether a model was marked before this dispatch. A mark of this dispatch is `updates`; its high
// word may still be missing.
fn diverged_before(model: u32, updates: vec2<u32>) -> bool {
    let low = atomicLoad(&status.diverged[model]);
    if (low == NOT_DIVERGED) {
        return false;
    }
    let high = atomicLoad(&status.diverged[params.models + model]);
    return low != updates.x || (high != updates.y && high != NOT_DIVERGED);
}

// Updates `Lanes` value `i`. Returns a bit for each element that would not be finite and stays as
// it was.
fn update_lanes(i: u32, elements: u32, updates: vec2<u32>, stopped: bool) -> u32 {
    gradients = unpacked(gradient[i]);
    if (CLEARS) {
        gradient[i] = packed(Lanes());
    }
    values = unpacked(parameters[i]);
    if (STATES > 0u) {
        first = unpacked(states[i]);
    }
    if (STATES > 1u) {
        second = unpacked(states[params.state_stride / LANES + i]);
    }
    var fails = select(0u, 1u, update_one(0u, i, elements, updates, stopped));
    if (LANES > 1u) {
        fails |= select(0u, 2u, update_one(1u, i, elements, updates, stopped));
        fails |= select(0u, 4u, update_one(2u, i, elements, updates, stopped));
        fails |= select(0u, 8u, update_one(3u, i, elements, updates, stopped));
    }
    parameters[i] = packed(values);
    if (STATES > 0u) {
        states[i] = packed(first);
    }
    if (STATES > 1u) {
        states[params.state_stride / LANES + i] = packed(second);
    }
    return fails;
}

// Updates the element of `lane` in value `i`. Returns whether it would not be finite and stays as
// it was.
fn update_one(lane: u32, i: u32, elements: u32, updates: vec2<u32>, stopped: bool) -> bool {
    let element = i * LANES + lane;
    if (element >= elements || stopped) {
        return false;
    }
    if (!ONE_MODEL) {
        if (diverged_before(element / params.parameters, updates)) {
            return false;
        }
    }
    if (RATES) {
        let factor = rate_factor(element % params.parameters);
        if (factor == 0.0) {
            return false;
        }
        hyper.rate = rate * factor;
    }
    var state = vec2<f32>(lane_of(first, lane), lane_of(second, lane));
    let parameter = lane_of(values, lane);
    var g = lane_of(gradients, lane);
    let in_table = element % params.parameters < params.tables;
    if (in_table && hyper.lazy != 0u && g == 0.0) {
        return false;
    }
    g = regularized(g, parameter, in_table);
    let value = optimize(parameter, g, &state, step_as_f32(updates));
    if (!(is_finite(value) && is_finite(state.x) && is_finite(state.y))) {
        return true;
    }
    values = with_lane(values, lane, value);
    first = with_lane(first, lane, state.x);
    second = with_lane(second, lane, state.y);
    return false;
}
