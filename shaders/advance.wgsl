// The step counter and the cursor after a dispatch of many steps: a dispatch of its own, so that no
// workgroup reads what another has moved already. Definition: src/kernels/advance.rs.
struct Params {
    steps: u32,
    rows: u32,
    batch: u32,
}

struct Status {
    step: u32,
    updates: u32,
    epoch: u32,
    position: u32,
    diverged: array<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> status: Status;

@compute @workgroup_size(64)
fn advance(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x > 0u) {
        return;
    }
    var cursor = vec2<u32>(status.epoch, status.position);
    for (var i = 0u; i < params.steps; i++) {
        cursor = next_cursor(cursor, params.rows, params.batch);
    }
    status.epoch = cursor.x;
    status.position = cursor.y;
    status.step += params.steps;
    status.updates = status.step;
}
