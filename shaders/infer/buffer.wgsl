// Evaluates a network at rows of inputs, one or a few in an invocation, into a buffer.
// Definition: src/kernels/infer/buffer.rs.

@compute @workgroup_size(64)
fn infer_buffer(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    infer_block((group.y * groups.x + group.x) * 64u + local);
}

fn store_row(model: u32, row: u32, values: array<f32, COLUMNS>) {
    store_values((model * params.all_rows + row) * COLUMNS, values);
}
