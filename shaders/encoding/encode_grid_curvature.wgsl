// The gradient of the inputs of a grid, from those of its outputs and of their tangents. One row per
// invocation.
// Definition: src/kernels/encoding/encode_grid_curvature.rs.

// Whether the gradient is added to what another encoding of the same inputs has left.
override ADDS: bool = false;

@compute @workgroup_size(64)
fn encode_grid_curvature(
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
    let to = index * params.inputs + params.input_offset % params.inputs;
    let x = grid_point(at);
    let v = grid_step(to);
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let tables = model * params.parameters + params.tables;
    let begin = index * params.width + params.first;
    var sum = GridPoint();
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        let level = grid_level(chunk / of_level);
        let first = tables + chunk % of_level * GRID_CHUNK;
        let dy = delta_at(begin + chunk * GRID_CHUNK);
        let of_tangent = tangent_delta_at(begin + chunk * GRID_CHUNK);
        sum += grid_vjp_of_both(x, v, level, first, dy, of_tangent);
    }
    for (var d = 0u; d < GRID_DIMENSIONS; d++) {
        var value = sum[d];
        if (ADDS) {
            value += input_gradient[to + d];
        }
        input_gradient[to + d] = value;
    }
}
