// Adds the gradient of a grid's outputs to the table entries that produced them, in fixed point. An
// invocation handles one row and one chunk of a level's features.
// Definition: src/kernels/encoding/scatter.rs.

@compute @workgroup_size(64)
fn scatter(
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
    let max_bits = max_abs_bits[model];
    let dy = delta_at(params.first + (model * params.rows + row) * params.width + chunk * GRID_CHUNK);
    // A value that is not finite has no fixed-point form, and a gradient of 0 adds nothing.
    if (max_bits >= 0x7f800000u || max_bits == 0u) {
        return;
    }
    let one = fixed_point_scale(max_bits, params.bits);
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let level = grid_level(chunk / of_level);
    let first = model * params.tables + chunk % of_level * GRID_CHUNK;
    let point = grid_to_unit(x);
    let cell = grid_cell(point, level);
    let shares = grid_shares(grid_fraction(point, cell, level));
    let shift = 32u - params.low;
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let weight = factors.x * factors.y * factors.z;
        let to = 2u * (first + grid_entry(cell + corner, level) * GRID_FEATURES);
        for (var i = 0u; i < GRID_CHUNK; i++) {
            let v = i32(round(weight * grid_feature(dy, i) * one.x * one.y));
            // The lower bits with their sign. The rest is 0 for most contributions.
            let lower = (v << shift) >> shift;
            let upper = (v - lower) >> params.low;
            if (lower != 0i) {
                atomicAdd(&sums[to + 2u * i], lower);
            }
            if (upper != 0i) {
                atomicAdd(&sums[to + 2u * i + 1u], upper);
            }
        }
    }
}
