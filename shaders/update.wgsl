// One optimizer step of every parameter, and the step counter. A model whose loss or gradient is
// not finite keeps its parameters. Definition: src/kernels/update.rs.
struct Params {
    parameters: u32,
    models: u32,
    rows: u32,
    batch: u32,
}

struct Status {
    step: u32,
    updates: u32,
    epoch: u32,
    position: u32,
    diverged: array<atomic<u32>>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> hyper: Hyper;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameters: array<f32>;
@group(0) @binding(4) var<storage, read_write> states: array<f32>;
@group(0) @binding(5) var<storage, read_write> status: Status;

@compute @workgroup_size(64)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (group.y * groups.x + group.x) * 64u + local;
    let updates = status.updates;
    if (i == 0u) {
        status.step = updates;
        let cursor = vec2<u32>(status.epoch, status.position);
        let next = next_cursor(cursor, params.rows, params.batch);
        status.epoch = next.x;
        status.position = next.y;
    }
    let elements = params.parameters * params.models;
    if (i >= elements) {
        return;
    }
    let model = i / params.parameters;
    // A model that diverges here is marked with `updates`, the next step: what other invocations
    // of this dispatch decide does not depend on which of them comes first.
    if (atomicLoad(&status.diverged[model]) < updates) {
        return;
    }
    var state = vec2<f32>(0.0, 0.0);
    if (STATES > 0u) {
        state.x = states[i];
    }
    if (STATES > 1u) {
        state.y = states[elements + i];
    }
    let value = optimize(parameters[i], gradient[i], &state, f32(updates));
    if (!(is_finite(value) && is_finite(state.x) && is_finite(state.y))) {
        atomicMin(&status.diverged[model], updates);
        return;
    }
    parameters[i] = value;
    if (STATES > 0u) {
        states[i] = state.x;
    }
    if (STATES > 1u) {
        states[elements + i] = state.y;
    }
}
