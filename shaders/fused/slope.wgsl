// The slope of a network and the backward pass of a loss on it, over a chunk of rows in one workgroup, tile
// after tile, behind the forward pass of `fused`, which has kept what `saved` holds. The formulas are in
// src/plan/slope.rs.
//
// With SLOPE, the dispatch takes the outputs' seed, dẏ, back to the first layer's inputs, and keeps dẏ of each
// layer. Without, it reads those: it takes the tangents forward, with dż ȧᵀ of each layer, keeps f″ ż dẏ in
// the place of dẏ, and takes dy back, with dz aᵀ of each layer. Either way `result` receives the gradient of the first
// layer's inputs. src/kernels/fused/slope.rs generates the constants.

@compute @workgroup_size(WORKGROUP)
fn fused_slope(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = params.first_group + group.y * groups.x + group.x;
    if (index >= params.models * params.splits) {
        return;
    }
    begin(index, local);
    let split = index % params.splits;
    let gradient = split * params.split_stride + model * (PARAMETERS - TABLES);
    let first = split * params.chunk;
    let end = min(first + params.chunk, params.count);
    // A count on the GPU may leave no rows: a gradient of 0 is written then, too.
    for (var row = first; row == first || row < end; row += TILE_ROWS) {
        saved_row = model * params.rows + row;
        // Waits until no invocation reads the previous tile.
        workgroupBarrier();
        if (SLOPE) {
            take_seed_back(row, end);
        } else {
            take_tangents_forward(row, end, gradient, row == first);
            take_gradient_back(row, end, gradient, row == first);
        }
    }
}

// From the seed to the gradient of the first layer's inputs.
fn take_seed_back(row: u32, end: u32) {
    store_tile(outputs_block(row, end));
    for (var l = LAYERS; l > 0u; l--) {
        let layer = layer_of(l - 1u);
        let seed = own_tile();
        keep(layer, row, end, seed);
        store_tile(times_derivatives(l - 1u, kept_of(layer, row, end), seed));
        if (l > 1u) {
            multiply(layer, false);
            store_tile(sums_inside(layer.inputs));
        } else if (WRITES) {
            multiply(layer, false);
            write_sums(row, end);
        }
    }
}

fn take_tangents_forward(row: u32, end: u32, gradient: u32, begins: bool) {
    store_tile(tangents_block(row, end));
    for (var l = 0u; l < LAYERS; l++) {
        let layer = layer_of(l);
        // The layer's deltas take the tangents' place in the tile, for their product.
        store_block(own_tile());
        let seed = saved_block(layer.bend, layer.units, row, end);
        store_tile(times_derivatives(l, kept_of(layer, row, end), seed));
        workgroupBarrier();
        add_products(layer, gradient, begins);
        workgroupBarrier();
        if (l + 1u == LAYERS && !BENDS_OUTPUTS) {
            // f″ is 0 there.
            keep(layer, row, end, mat4x4<f32>());
            break;
        }
        store_tile(own_block());
        multiply(layer, true);
        let tangent = sums_inside(layer.units);
        let kept = kept_of(layer, row, end);
        store_tile(times_derivatives(l, kept, tangent));
        bend(l, layer, row, end, kept, tangent);
    }
}

fn take_gradient_back(row: u32, end: u32, gradient: u32, begins: bool) {
    store_tile(outputs_block(row, end));
    for (var l = LAYERS; l > 0u; l--) {
        let layer = layer_of(l - 1u);
        let delta = times_derivatives(l - 1u, kept_of(layer, row, end), own_tile());
        store_tile(delta + saved_block(layer.bend, layer.units, row, end));
        weight_gradient(l - 1u, layer, row, end, gradient, false, begins);
        if (l > 1u) {
            multiply(layer, false);
            // In the tile: in registers it would spill on Intel's GPUs.
            store_tile(sums_inside(layer.inputs));
        } else if (WRITES) {
            multiply(layer, false);
            write_sums(row, end);
        }
    }
}

// What the forward pass has kept for the derivatives of a layer's activation.
fn kept_of(layer: Layer, row: u32, end: u32) -> mat4x4<f32> {
    return saved_block(layer.kept, layer.units, row, end);
}

fn times_derivatives(l: u32, kept: mat4x4<f32>, values: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        derivatives_of(l, kept[0]) * values[0],
        derivatives_of(l, kept[1]) * values[1],
        derivatives_of(l, kept[2]) * values[2],
        derivatives_of(l, kept[3]) * values[3],
    );
}

// This invocation's rows and columns of the tile.
fn own_tile() -> mat4x4<f32> {
    return mat4x4<f32>(
        tile[my_quad][0][my_column],
        tile[my_quad][1][my_column],
        tile[my_quad][2][my_column],
        tile[my_quad][3][my_column],
    );
}

fn own_block() -> mat4x4<f32> {
    return mat4x4<f32>(
        block[my_quad][0][my_column],
        block[my_quad][1][my_column],
        block[my_quad][2][my_column],
        block[my_quad][3][my_column],
    );
}

// The sums of a product of `width` columns.
fn sums_inside(width: u32) -> mat4x4<f32> {
    let real = inside(width);
    let none = vec4<f32>();
    return mat4x4<f32>(
        select(none, sum0, real),
        select(none, sum1, real),
        select(none, sum2, real),
        select(none, sum3, real),
    );
}

// Keeps this invocation's rows and columns in the layer's place for dẏ.
fn keep(layer: Layer, row: u32, end: u32, values: mat4x4<f32>) {
    let width4 = (layer.units + 3u) / 4u;
    let first = row + 4u * my_quad;
    if (my_column >= width4 || first >= end) {
        return;
    }
    let at = place(layer.bend, width4, 4u * my_quad) + my_column;
    saved[at] = values[0];
    if (first + 1u < end) {
        saved[at + width4] = values[1];
    }
    if (first + 2u < end) {
        saved[at + 2u * width4] = values[2];
    }
    if (first + 3u < end) {
        saved[at + 3u * width4] = values[3];
    }
}

// Multiplies what the layer has kept of dẏ by f″ ż.
fn bend(l: u32, layer: Layer, row: u32, end: u32, kept: mat4x4<f32>, tangent: mat4x4<f32>) {
    let width4 = (layer.units + 3u) / 4u;
    let first = row + 4u * my_quad;
    if (my_column >= width4 || first >= end) {
        return;
    }
    let at = place(layer.bend, width4, 4u * my_quad) + my_column;
    saved[at] *= second_derivatives_of(l, kept[0]) * tangent[0];
    if (first + 1u < end) {
        saved[at + width4] *= second_derivatives_of(l, kept[1]) * tangent[1];
    }
    if (first + 2u < end) {
        saved[at + 2u * width4] *= second_derivatives_of(l, kept[2]) * tangent[2];
    }
    if (first + 3u < end) {
        saved[at + 3u * width4] *= second_derivatives_of(l, kept[3]) * tangent[3];
    }
}

// Four of a row's seeds or of its outputs' gradient. Rows and columns beyond the edge are 0.
fn outputs_vector(row: u32, end: u32) -> vec4<f32> {
    let first = 4u * my_column;
    if (row >= end || first >= OUTPUTS) {
        return vec4<f32>();
    }
    if (ONES) {
        return select(vec4<f32>(), vec4<f32>(1.0), inside(OUTPUTS));
    }
    return four_targets((model * params.rows + row) * OUTPUTS + first, OUTPUTS - first);
}

fn outputs_block(row: u32, end: u32) -> mat4x4<f32> {
    let first = row + 4u * my_quad;
    return mat4x4<f32>(
        outputs_vector(first, end),
        outputs_vector(first + 1u, end),
        outputs_vector(first + 2u, end),
        outputs_vector(first + 3u, end),
    );
}

fn tangents_vector(row: u32, end: u32) -> vec4<f32> {
    let first = 4u * my_column;
    if (row >= end || first >= INPUTS) {
        return vec4<f32>();
    }
    return four_tangents((model * params.rows + row) * INPUTS + first, INPUTS - first);
}

fn tangents_block(row: u32, end: u32) -> mat4x4<f32> {
    let first = row + 4u * my_quad;
    return mat4x4<f32>(
        tangents_vector(first, end),
        tangents_vector(first + 1u, end),
        tangents_vector(first + 2u, end),
        tangents_vector(first + 3u, end),
    );
}

// Writes this invocation's sums as the gradient of its rows' inputs.
fn write_sums(row: u32, end: u32) {
    let first = row + 4u * my_quad;
    write_row(first, end, sum0);
    write_row(first + 1u, end, sum1);
    write_row(first + 2u, end, sum2);
    write_row(first + 3u, end, sum3);
}

fn write_row(row: u32, end: u32, values: vec4<f32>) {
    let first = 4u * my_column;
    if (row >= end || first >= INPUTS) {
        return;
    }
    let at = (model * params.rows + row) * INPUTS + first;
    for (var c = 0u; c < min(INPUTS - first, 4u); c++) {
        result[at + c] = values[c];
    }
}
