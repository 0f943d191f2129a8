// The step counter and the cursor after a dispatch of many steps: a dispatch of its own, so that no
// workgroup reads what another has moved already. Definition: src/kernels/advance.rs.
struct Params {
    steps: u32,
    rows: u32,
    batch: u32,
}

struct Status {
    // Step, updates, epoch, position.
    counters: vec4<u32>,
    diverged: array<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> status: Status;

@compute @workgroup_size(64)
fn advance(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x > 0u) {
        return;
    }
    let counters = status.counters;
    var cursor = counters.zw;
    for (var i = 0u; i < params.steps; i++) {
        cursor = next_cursor(cursor, params.rows, params.batch);
    }
    let step = counters.x + params.steps;
    status.counters = vec4<u32>(step, step, cursor);
}
