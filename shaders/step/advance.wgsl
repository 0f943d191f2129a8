// Advances the step counter and the cursor after a dispatch of many steps. This is a separate
// dispatch, so that no workgroup reads a counter that another has advanced. Definition:
// src/kernels/step/advance.rs.

@compute @workgroup_size(64)
fn advance(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x > 0u) {
        return;
    }
    var cursor = vec2<u32>(status.epoch, status.position);
    for (var i = 0u; i < params.steps; i++) {
        cursor = next_cursor(cursor, params.rows, params.batch);
    }
    let step = status.step + params.steps;
    let high = status.step_high + select(0u, 1u, step < params.steps);
    status.step = step;
    status.updates = step;
    status.step_high = high;
    status.updates_high = high;
    status.slot = (status.slot + params.steps) % params.history;
    status.epoch = cursor.x;
    status.position = cursor.y;
}
