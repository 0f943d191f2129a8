// Forward, loss and backward of a chunk of rows in one workgroup, tile after tile. Each tile adds
// its share of every weight gradient to the chunk's. Between layers a tile of rows stays in
// workgroup memory. What the backward pass needs of the forward pass is stored in `saved`, which
// this workgroup alone writes and reads; the next tile overwrites it, so that it stays in a cache.
// src/kernels/fused/ generates the constants of the network's shape, and FORWARD and BACKWARD.
// With one of them alone, a dispatch ends with the outputs, or begins with what `saved` has kept of
// them. `saved` then has a place for every row.

@compute @workgroup_size(WORKGROUP)
fn fused(
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
    var loss = 0.0;
    // A count on the GPU may leave no rows: a gradient of 0 is written then, too.
    for (var row = first; row == first || row < end; row += TILE_ROWS) {
        saved_row = select(index * TILE_ROWS, model * params.rows + row, SAVES_ALL);
        load(row, end);
        if (FORWARD) {
            for (var l = 0u; l < LAYERS; l++) {
                forward(l, row, end);
            }
        }
        if (BACKWARD) {
            loss += tile_loss(local, row, end);
            for (var l = LAYERS; l > 0u; l--) {
                backward(l - 1u, row, end, gradient, row == first);
            }
        }
    }
    if (!BACKWARD) {
        return;
    }
    // Nobody reads the last block any more.
    workgroupBarrier();
    if (local < TILE_ROWS) {
        block[local / 4u][local % 4u][0].x = loss;
    }
    workgroupBarrier();
    if (local == 0u) {
        var sum = 0.0;
        for (var i = 0u; i < TILE_ROWS; i++) {
            sum += block[i / 4u][i % 4u][0].x;
        }
        partial_loss[index] = sum;
    }
}

// Loads a tile: the inputs, or the last pre-activations, which another dispatch has kept.
fn load(row: u32, end: u32) {
    // Waits until no invocation reads the previous tile.
    workgroupBarrier();
    if (FORWARD) {
        store_tile(input_block(row, end));
    } else {
        store_tile(saved_block(layer_of(LAYERS - 1u).kept, OUTPUTS, row, end));
    }
}

fn forward(l: u32, row: u32, end: u32) {
    let layer = layer_of(l);
    multiply(layer, true);
    let width4 = (layer.units + 3u) / 4u;
    let real = inside(layer.units);
    var bias = vec4<f32>();
    if (my_column < width4 && layer.bias != NO_BIAS) {
        let first = 4u * my_column;
        bias = four_parameters(model * PARAMETERS + layer.bias + first, layer.units - first);
    }
    finish_row(l, layer, 0u, row, end, select(vec4<f32>(), sum0 + bias, real));
    finish_row(l, layer, 1u, row, end, select(vec4<f32>(), sum1 + bias, real));
    finish_row(l, layer, 2u, row, end, select(vec4<f32>(), sum2 + bias, real));
    finish_row(l, layer, 3u, row, end, select(vec4<f32>(), sum3 + bias, real));
}

// The activation of the pre-activations `z` of this invocation's row `i`, and what is kept of them.
fn finish_row(l: u32, layer: Layer, i: u32, row: u32, end: u32, z: vec4<f32>) {
    let width4 = (layer.units + 3u) / 4u;
    let r = 4u * my_quad + i;
    let stores = row + r < end && my_column < width4;
    var y = z;
    if (l < LAYERS - 1u) {
        y = select(vec4<f32>(), values_of(l, z), inside(layer.units));
        if (stores) {
            saved[place(layer.value, width4, r) + my_column] = y;
            if (layer.kept != layer.value) {
                saved[place(layer.kept, width4, r) + my_column] = z;
            }
        }
    }
    if (!BACKWARD && l == LAYERS - 1u && stores) {
        saved[place(layer.kept, width4, r) + my_column] = z;
        let first = 4u * my_column;
        for (var c = 0u; c < min(OUTPUTS - first, 4u); c++) {
            let at = (model * params.rows + row + r) * OUTPUTS + first + c;
            store_output(at, activation_value(z[c]));
        }
    }
    tile[my_quad][i][my_column] = y;
}

// The loss of an invocation's row. The tile's logits become their gradient. Rows beyond the end
// have neither.
fn tile_loss(local: u32, row: u32, end: u32) -> f32 {
    // What the forward pass has saved is read by other invocations from here on.
    storageBarrier();
    workgroupBarrier();
    var sum = 0.0;
    if (local < TILE_ROWS) {
        loss_tile_row = local;
        loss_row_index = model * params.own_targets * params.rows + min(row + local, params.rows - 1u);
        let real = row + local < end;
        let shared_by_row = loss_row(0u);
        for (var i = 0u; i < OUTPUTS; i++) {
            let value = loss_element(i, logit_of(i), target_of(i), shared_by_row);
            // Between product and sum, so that no compiler takes the scale out of the sum, which could
            // overflow.
            sum += select(0.0, value.x * params.scale, real);
            tile[local / 4u][local % 4u][i / 4u][i % 4u] = select(0.0, value.y * params.scale, real);
        }
    }
    workgroupBarrier();
    return sum;
}

var<private> loss_tile_row: u32;
var<private> loss_row_index: u32;

fn row_width() -> u32 {
    return OUTPUTS;
}

fn logit_of(i: u32) -> f32 {
    return tile[loss_tile_row / 4u][loss_tile_row % 4u][i / 4u][i % 4u];
}

fn target_of(i: u32) -> f32 {
    return targets[loss_row_index * OUTPUTS + i];
}

fn input_of(first: u32, i: u32) -> f32 {
    return row_inputs[loss_row_index * ROW_INPUTS + i];
}

// The tile holds the layer's deltas. Adds the tile's share of the layer's gradient, then replaces
// the deltas by those of the layer below.
fn backward(l: u32, row: u32, end: u32, gradient: u32, begins: bool) {
    let layer = layer_of(l);
    weight_gradient(l, layer, row, end, gradient, begins, begins);
    if (l == 0u) {
        if (KEEPS_FIRST_DELTA) {
            sum0 = tile[my_quad][0][my_column];
            sum1 = tile[my_quad][1][my_column];
            sum2 = tile[my_quad][2][my_column];
            sum3 = tile[my_quad][3][my_column];
            keep_sums(layer.units, row, end);
        }
        if (KEEPS_INPUT_DELTA) {
            multiply(layer, false);
            keep_sums(INPUTS, row, end);
        }
        return;
    }
    let lower = layer_of(l - 1u);
    multiply(layer, false);
    let kept = saved_block(lower.kept, lower.units, row, end);
    let left = max(end, row + 4u * my_quad) - (row + 4u * my_quad);
    let real = inside(lower.units);
    let none = vec4<f32>();
    let delta0 = select(none, sum0 * derivatives_of(l - 1u, kept[0]), real);
    let delta1 = select(none, sum1 * derivatives_of(l - 1u, kept[1]), real);
    let delta2 = select(none, sum2 * derivatives_of(l - 1u, kept[2]), real);
    let delta3 = select(none, sum3 * derivatives_of(l - 1u, kept[3]), real);
    store_tile(mat4x4<f32>(
        select(none, delta0, left > 0u),
        select(none, delta1, left > 1u),
        select(none, delta2, left > 2u),
        select(none, delta3, left > 3u),
    ));
}

// Keeps this invocation's rows of a delta for the kernels behind.
fn keep_sums(width: u32, row: u32, end: u32) {
    let width4 = (width + 3u) / 4u;
    let first = row + 4u * my_quad;
    if (my_column >= width4 || first >= end) {
        return;
    }
    let at = array_at(DELTA) + (model * params.rows + first) * width4 + my_column;
    let real = inside(width);
    saved[at] = select(vec4<f32>(), sum0, real);
    if (first + 1u < end) {
        saved[at + width4] = select(vec4<f32>(), sum1, real);
    }
    if (first + 2u < end) {
        saved[at + 2u * width4] = select(vec4<f32>(), sum2, real);
    }
    if (first + 3u < end) {
        saved[at + 3u * width4] = select(vec4<f32>(), sum3, real);
    }
}
