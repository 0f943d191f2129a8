// Adds the gradient of a grid's outputs to the table entries that produced them, in fixed point. A
// workgroup handles a block of rows and one chunk of a level's features.
// Definition: src/kernels/encoding/scatter.rs.

@compute @workgroup_size(WORKGROUP)
fn scatter(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Locals, made of the workgroup's number and of uniforms alone: a compiler sees that all
    // invocations of a workgroup return here or none, as the barriers of a block demand.
    let index = group.y * groups.x + group.x;
    let block = index % params.blocks;
    let chunk = params.first_chunk + index / params.blocks % params.chunks;
    let model = index / params.blocks / params.chunks;
    let begin = block * params.block_rows;
    if (model >= params.models || begin >= params.count) {
        return;
    }
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let l = chunk / of_level;
    let level = grid_level(l);
    let first = model * params.tables + chunk % of_level * GRID_CHUNK;
    let max_bits = max_abs_bits[model];
    let one = fixed_point_scale(max_bits, params.bits);
    // A value that is not finite has no fixed-point form, and a gradient of 0 adds nothing.
    let adds = max_bits < 0x7f800000u && max_bits != 0u;
    let end = select(0u, min(begin + params.block_rows, params.count), adds);
    let last = max(end, 1u) - 1u;
    var row = begin + local;
    var x = point_of(model, min(row, last));
    var dy = gradient_of(model, min(row, last), chunk);
    if (IN_WORKGROUP) {
        begin_block(level, local);
        for (; row < end; row += WORKGROUP) {
            let point = x;
            let gradient = dy;
            // The next row's values are under way while this row's are added.
            let next = min(row + WORKGROUP, last);
            x = point_of(model, next);
            dy = gradient_of(model, next, chunk);
            add_row(point, grid_share(point, l) * gradient, level, first, one);
        }
        end_block(level, first, local);
    } else {
        if (row >= end) {
            return;
        }
        add_row(x, grid_share(x, l) * dy, level, first, one);
    }
}

fn point_of(model: u32, row: u32) -> GridPoint {
    return grid_point(params.input_offset + model * params.input_model + row * params.inputs);
}

fn gradient_of(model: u32, row: u32, chunk: u32) -> GridFeatures {
    return delta_at(params.first + (model * params.rows + row) * params.width + grid_column(chunk));
}

// Adds one row's contributions to the entries of its cell's corners.
fn add_row(x: GridPoint, dy: GridFeatures, level: GridLevel, first: u32, one: vec2<f32>) {
    // What a point does not see of a texture's mip levels has no gradient.
    if (grid_is_zero(dy)) {
        return;
    }
    let point = grid_to_unit(x);
    let cell = grid_cell(point, level);
    let shares = grid_shares(grid_fraction(point, cell, level));
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let weight = grid_product(factors);
        let entry = grid_entry(cell + corner, level);
        for (var i = 0u; i < GRID_CHUNK; i++) {
            let v = i32(round(weight * grid_feature(dy, i) * one.x * one.y));
            add_quanta(v, level, first, entry, i);
        }
    }
}
