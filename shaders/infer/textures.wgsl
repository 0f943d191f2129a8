// Evaluates a network at rows of inputs, one or a few in an invocation, into textures: a texel of each is a row,
// and a model has one layer.
// Definition: src/kernels/infer/textures.rs.

@compute @workgroup_size(64)
fn infer_textures(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    infer_block((group.y * groups.x + group.x) * 64u + local);
}

fn store_row(model: u32, row: u32, values: array<f32, COLUMNS>) {
    store_texels(vec2<u32>(row % params.width, row / params.width), model, values);
}
