// Adds the gradients of a grid's outputs and of their tangents to the table entries that produced them,
// in fixed point. An invocation handles one row and one chunk of a level's features.
// Definition: src/kernels/encoding/scatter_tangent.rs.

@compute @workgroup_size(64)
fn scatter_tangent(
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
    let max_bits = max_abs_bits[model];
    // A value that is not finite has no fixed-point form, and a gradient of 0 adds nothing.
    if (max_bits >= 0x7f800000u || max_bits == 0u) {
        return;
    }
    let one = fixed_point_scale(max_bits, params.bits);
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let level = grid_level(chunk / of_level);
    let first = model * params.tables + chunk % of_level * GRID_CHUNK;
    let of_row = (model * params.rows + row) * params.inputs + params.input_offset % params.inputs;
    let at = (model * params.rows + row) * params.width + params.first + chunk * GRID_CHUNK;
    let dy = delta_at(at);
    let of_tangent = tangent_delta_at(at);
    let x = grid_point(params.input_offset + model * params.input_model + row * params.inputs);
    let point = grid_to_unit(x);
    let cell = grid_cell(point, level);
    let f = grid_fraction(point, cell, level);
    let shares = grid_shares(f);
    let slopes = grid_steps(grid_step(of_row), level) * grid_inside(point) * grid_slopes(f);
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let weight = grid_product(factors);
        let along = dot(select(-slopes, slopes, corner == GridCell(1u)), grid_other_factors(factors));
        let entry = grid_entry(cell + corner, level);
        for (var i = 0u; i < GRID_CHUNK; i++) {
            let share = weight * grid_feature(dy, i) + along * grid_feature(of_tangent, i);
            add_to_sums(i32(round(share * one.x * one.y)), first + entry * GRID_FEATURES + i);
        }
    }
}
