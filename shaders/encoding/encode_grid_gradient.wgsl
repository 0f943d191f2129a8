// The gradient of the inputs of a grid, one row per invocation.
// Definition: src/kernels/encoding/encode_grid_gradient.rs.

// Whether the gradient is added to what another encoding of the same inputs has left.
override ADDS: bool = false;

@compute @workgroup_size(64)
fn encode_grid_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let model = index / params.rows;
    if (model >= params.models || index % params.rows >= params.count) {
        return;
    }
    let at = params.input_offset + model * params.input_model + index % params.rows * params.inputs;
    let x = grid_point(at);
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let tables = model * params.parameters + params.tables;
    let begin = index * params.width + params.first;
    var sum = GridPoint();
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        let dy = delta_at(begin + chunk * GRID_CHUNK);
        sum += grid_encoded_vjp(x, chunk / of_level, tables + chunk % of_level * GRID_CHUNK, dy);
    }
    let to = index * params.inputs + params.input_offset % params.inputs;
    for (var d = 0u; d < GRID_DIMENSIONS; d++) {
        var value = sum[d];
        if (ADDS) {
            value += input_gradient[to + d];
        }
        input_gradient[to + d] = value;
    }
}
