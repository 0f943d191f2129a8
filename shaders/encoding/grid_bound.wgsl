// What a row's contributions to a grid's tables cannot exceed, where they come from the gradients of
// its outputs and of their tangents. An invocation handles one row and one chunk of a level's features.
// Definition: src/kernels/encoding/grid_bound.rs.

@compute @workgroup_size(64)
fn grid_bound(
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
    let of_row = (model * params.rows + row) * params.inputs + params.input_offset % params.inputs;
    let level = grid_level(chunk / (GRID_FEATURES / GRID_CHUNK));
    // A factor of a corner's weight is at most 1, and its slope at most 1, or 1½ where it is smooth.
    let steps = abs(grid_steps(grid_step(of_row), level));
    let steepest = select(1.0, 1.5, GRID_SMOOTH) * dot(steps, GridPoint(1.0));
    let at = (model * params.rows + row) * params.width + params.first + chunk * GRID_CHUNK;
    let dy = delta_at(at);
    let of_tangent = tangent_delta_at(at);
    let to = ((model * params.rows + row) * params.chunks + chunk) * GRID_CHUNK;
    for (var i = 0u; i < GRID_CHUNK; i++) {
        let sum = abs(grid_feature(dy, i)) + steepest * abs(grid_feature(of_tangent, i));
        // A little more than the sum: its parts are rounded elsewhere in another order.
        bounds[to + i] = sum * 1.0001;
    }
}
