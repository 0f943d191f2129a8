// The outputs of a grid. An invocation handles one row and one chunk of a level's features.
// Neighbouring invocations have neighbouring rows of one level, whose table then stays in the
// cache.
// Definition: src/kernels/encoding/encode_grid.rs.

@compute @workgroup_size(64)
fn encode_grid(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let row = index % params.rows;
    let chunk = index / params.rows % params.chunks;
    let model = index / params.rows / params.chunks;
    if (model >= params.models || row >= params.count) {
        return;
    }
    let at = params.input_offset + model * params.input_model + row * params.inputs;
    let x = grid_point(at);
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let tables = model * params.parameters + params.tables + chunk % of_level * GRID_CHUNK;
    let features = grid_encoded(x, chunk / of_level, tables);
    let to = (model * params.rows + row) * params.width + params.first + chunk * GRID_CHUNK;
    store_features(to, features);
}
