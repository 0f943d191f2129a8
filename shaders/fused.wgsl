// Forward, loss and backward of a chunk of rows in one workgroup, tile after tile, then the chunk's
// share of every weight gradient. Between layers a tile of rows stays in workgroup memory. The
// values for the weight gradients are stored in `saved`, which this workgroup alone writes and
// reads. src/kernels/fused.rs generates the constants of the network's shape, and FORWARD and
// BACKWARD. With one of them alone, a dispatch ends with the outputs, or begins with what `saved` has
// kept of them.
//
// A layer. `below`, `value`, `kept` and `delta` are offsets in `saved`, in vectors of four elements
// of each row: of its inputs, its outputs, the values for its activation's derivative, and its
// delta.
struct Layer {
    inputs: u32,
    units: u32,
    weight: u32,
    bias: u32,
    below: u32,
    value: u32,
    kept: u32,
    delta: u32,
}

// Rows of WIDTH values, and a block of the weights, both as vectors of four.
var<workgroup> tile: array<vec4<f32>, TILE>;
var<workgroup> block: array<vec4<f32>, BLOCK>;
var<workgroup> sums: array<f32, TILE_ROWS>;

var<private> lane: u32;
var<private> model: u32;
// This invocation's four rows of the tile and four columns. The columns are counted in vectors of
// four.
var<private> my_row: u32;
var<private> my_column: u32;
var<private> product0: vec4<f32>;
var<private> product1: vec4<f32>;
var<private> product2: vec4<f32>;
var<private> product3: vec4<f32>;

@compute @workgroup_size(WORKGROUP)
fn fused(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    lane = local;
    let index = params.first_group + group.y * groups.x + group.x;
    if (index >= params.models * params.splits) {
        return;
    }
    model = index / params.splits;
    my_row = lane / WIDTH4 * 4u;
    my_column = lane % WIDTH4;
    let first = index % params.splits * params.chunk;
    let end = min(first + params.chunk, params.count);
    var loss = 0.0;
    for (var row = first; row < end; row += TILE_ROWS) {
        load(row, end);
        if (FORWARD) {
            for (var l = 0u; l < LAYERS; l++) {
                forward(l, row, end);
            }
        }
        if (BACKWARD) {
            loss += tile_loss(row, end);
            for (var l = LAYERS; l > 0u; l--) {
                backward(l - 1u, row, end);
            }
        }
    }
    if (!BACKWARD) {
        return;
    }
    if (lane < TILE_ROWS) {
        sums[lane] = loss;
    }
    // A storage barrier too: the gradients read what other invocations of the workgroup have saved.
    storageBarrier();
    workgroupBarrier();
    if (lane == 0u) {
        var sum = 0.0;
        for (var i = 0u; i < TILE_ROWS; i++) {
            sum += sums[i];
        }
        partial_loss[index] = sum;
    }
    let gradient = index % params.splits * params.split_stride + model * (PARAMETERS - TABLES);
    for (var l = 0u; l < LAYERS; l++) {
        weight_gradient(l, first, end, gradient);
    }
}

// The index in `saved` of row `row` of an array that is `width4` vectors wide.
fn place(begin: u32, width4: u32, row: u32) -> u32 {
    return begin * params.models * params.rows + (model * params.rows + row) * width4;
}

// Loads a tile: the inputs, or the last pre-activations, which another dispatch has kept. Rows and
// columns beyond the edge are 0.
fn load(row: u32, end: u32) {
    let width4 = (select(OUTPUTS, INPUTS, FORWARD) + 3u) / 4u;
    workgroupBarrier();
    for (var i = lane; i < TILE; i += WORKGROUP) {
        let r = row + i / WIDTH4;
        let column = i % WIDTH4;
        var values = vec4<f32>();
        if (r < end && column < width4) {
            if (FORWARD) {
                let at = (model * params.own_inputs * params.rows + r) * INPUTS;
                for (var c = 0u; c < 4u; c++) {
                    if (4u * column + c < INPUTS) {
                        values[c] = inputs[at + 4u * column + c];
                    }
                }
                saved[place(layer_of(0u).below, width4, r) + column] = values;
            } else {
                values = saved[place(layer_of(LAYERS - 1u).kept, width4, r) + column];
            }
        }
        tile[i] = values;
    }
}

// This invocation's 4 × 4 results of tile · weights. Element (k, column) of the weights is
// parameters[begin + k · k_stride + column · column_stride].
fn multiply(inner: u32, columns: u32, begin: u32, k_stride: u32, column_stride: u32) {
    product0 = vec4<f32>();
    product1 = vec4<f32>();
    product2 = vec4<f32>();
    product3 = vec4<f32>();
    for (var from_k = 0u; from_k < inner; from_k += DEPTH) {
        workgroupBarrier();
        for (var i = lane; i < BLOCK; i += WORKGROUP) {
            // Neighbouring invocations read neighbouring elements, whatever the layout of the
            // weights.
            var k = i / WIDTH4;
            var column = i % WIDTH4;
            if (k_stride == 1u) {
                k = i % DEPTH;
                column = i / DEPTH;
            }
            var values = vec4<f32>();
            for (var c = 0u; c < 4u; c++) {
                if (from_k + k < inner && 4u * column + c < columns) {
                    values[c] = parameters[begin + (from_k + k) * k_stride + (4u * column + c) * column_stride];
                }
            }
            block[k * WIDTH4 + column] = values;
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += 4u) {
            let at = (from_k + k) / 4u;
            let x0 = tile[my_row * WIDTH4 + at];
            let x1 = tile[(my_row + 1u) * WIDTH4 + at];
            let x2 = tile[(my_row + 2u) * WIDTH4 + at];
            let x3 = tile[(my_row + 3u) * WIDTH4 + at];
            let w0 = block[k * WIDTH4 + my_column];
            let w1 = block[(k + 1u) * WIDTH4 + my_column];
            let w2 = block[(k + 2u) * WIDTH4 + my_column];
            let w3 = block[(k + 3u) * WIDTH4 + my_column];
            product0 += x0.x * w0 + x0.y * w1 + x0.z * w2 + x0.w * w3;
            product1 += x1.x * w0 + x1.y * w1 + x1.z * w2 + x1.w * w3;
            product2 += x2.x * w0 + x2.y * w1 + x2.z * w2 + x2.w * w3;
            product3 += x3.x * w0 + x3.y * w1 + x3.z * w2 + x3.w * w3;
        }
    }
    // The caller overwrites the tile.
    workgroupBarrier();
}

// Which of this invocation's columns are units of the layer.
fn inside(units: u32) -> vec4<bool> {
    return vec4<u32>(4u * my_column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(units);
}

fn forward(l: u32, row: u32, end: u32) {
    let layer = layer_of(l);
    multiply(layer.inputs, layer.units, model * PARAMETERS + layer.weight, 1u, layer.inputs);
    let real = inside(layer.units);
    var bias = vec4<f32>();
    for (var c = 0u; c < 4u; c++) {
        if (real[c]) {
            bias[c] = parameters[model * PARAMETERS + layer.bias + 4u * my_column + c];
        }
    }
    let width4 = (layer.units + 3u) / 4u;
    for (var i = 0u; i < 4u; i++) {
        let z = my_product(i) + bias;
        let r = row + my_row + i;
        var y = z;
        if (l < LAYERS - 1u) {
            y = values_of(l, z);
            if (r < end && my_column < width4) {
                saved[place(layer.value, width4, r) + my_column] = select(vec4<f32>(), y, real);
                if (layer.kept != layer.value) {
                    saved[place(layer.kept, width4, r) + my_column] = select(vec4<f32>(), z, real);
                }
            }
        }
        if (!BACKWARD && l == LAYERS - 1u && r < end && my_column < width4) {
            saved[place(layer.kept, width4, r) + my_column] = select(vec4<f32>(), z, real);
            for (var c = 0u; c < 4u; c++) {
                if (real[c]) {
                    let at = (model * params.rows + r) * OUTPUTS + 4u * my_column + c;
                    partial_gradient[at] = activation_value(z[c]);
                }
            }
        }
        tile[(my_row + i) * WIDTH4 + my_column] = select(vec4<f32>(), y, real);
    }
}

fn my_product(i: u32) -> vec4<f32> {
    return select(select(product0, product1, i == 1u), select(product2, product3, i == 3u), i > 1u);
}

// The loss of an invocation's row. The tile's logits become their gradient. Rows beyond the end
// have neither.
fn tile_loss(row: u32, end: u32) -> f32 {
    workgroupBarrier();
    var sum = 0.0;
    if (lane < TILE_ROWS) {
        loss_tile_row = lane;
        loss_row_index = model * params.own_targets * params.rows + min(row + lane, params.rows - 1u);
        let real = row + lane < end;
        let shared_by_row = loss_row(0u);
        for (var i = 0u; i < OUTPUTS; i++) {
            let value = loss_element(i, logit_of(i), target_of(i), shared_by_row);
            // Between product and sum, so that no compiler takes the scale out of the sum, which could
            // overflow.
            sum += select(0.0, value.x * params.scale, real);
            row_deltas[i] = select(0.0, value.y * params.scale, real);
        }
        for (var i = 0u; i < OUTPUTS; i++) {
            tile[lane * WIDTH4 + i / 4u][i % 4u] = row_deltas[i];
        }
    }
    workgroupBarrier();
    return sum;
}

var<private> loss_tile_row: u32;
var<private> loss_row_index: u32;
var<private> row_deltas: array<f32, OUTPUTS>;

fn row_width() -> u32 {
    return OUTPUTS;
}

fn logit_of(i: u32) -> f32 {
    return tile[loss_tile_row * WIDTH4 + i / 4u][i % 4u];
}

fn target_of(i: u32) -> f32 {
    return targets[loss_row_index * OUTPUTS + i];
}

fn input_of(first: u32, i: u32) -> f32 {
    return row_inputs[loss_row_index * ROW_INPUTS + i];
}

// Saves the tile's deltas, then replaces them by the deltas of the layer below.
fn backward(l: u32, row: u32, end: u32) {
    let layer = layer_of(l);
    let width4 = (layer.units + 3u) / 4u;
    for (var i = 0u; i < 4u; i++) {
        let r = row + my_row + i;
        if (r < end && my_column < width4) {
            saved[place(layer.delta, width4, r) + my_column] = tile[(my_row + i) * WIDTH4 + my_column];
        }
    }
    if (l == 0u) {
        if (KEEPS_INPUT_DELTA) {
            multiply(layer.units, layer.inputs, model * PARAMETERS + layer.weight, layer.inputs, 1u);
            save_input_delta(row, end);
        }
        return;
    }
    multiply(layer.units, layer.inputs, model * PARAMETERS + layer.weight, layer.inputs, 1u);
    let lower = layer_of(l - 1u);
    let lower4 = (lower.units + 3u) / 4u;
    let real = inside(lower.units);
    for (var i = 0u; i < 4u; i++) {
        let r = row + my_row + i;
        var delta = vec4<f32>();
        if (r < end && my_column < lower4) {
            let kept = saved[place(lower.kept, lower4, r) + my_column];
            delta = select(delta, my_product(i) * derivatives_of(l - 1u, kept), real);
        }
        tile[(my_row + i) * WIDTH4 + my_column] = delta;
    }
    workgroupBarrier();
}

fn save_input_delta(row: u32, end: u32) {
    let width4 = (INPUTS + 3u) / 4u;
    let real = inside(INPUTS);
    for (var i = 0u; i < 4u; i++) {
        let r = row + my_row + i;
        if (r < end && my_column < width4) {
            saved[place(INPUT_DELTA, width4, r) + my_column] = select(vec4<f32>(), my_product(i), real);
        }
    }
}

// The chunk's share of a layer's gradient, four units by four inputs at a time.
fn weight_gradient(l: u32, first: u32, end: u32, gradient: u32) {
    let layer = layer_of(l);
    let units4 = (layer.units + 3u) / 4u;
    let inputs4 = (layer.inputs + 3u) / 4u;
    for (var task = lane; task < units4 * inputs4; task += WORKGROUP) {
        let unit = task / inputs4;
        let input = task % inputs4;
        var delta_at = place(layer.delta, units4, first) + unit;
        var below_at = place(layer.below, inputs4, first) + input;
        var bias = vec4<f32>();
        product0 = vec4<f32>();
        product1 = vec4<f32>();
        product2 = vec4<f32>();
        product3 = vec4<f32>();
        // Tile by tile: a sum of sums has a smaller rounding error than one long sum.
        for (var tile_row = first; tile_row < end; tile_row += TILE_ROWS) {
            var of_bias = vec4<f32>();
            var of0 = vec4<f32>();
            var of1 = vec4<f32>();
            var of2 = vec4<f32>();
            var of3 = vec4<f32>();
            let tile_end = min(tile_row + TILE_ROWS, end);
            for (var row = tile_row; row < tile_end; row++) {
                let delta = saved[delta_at];
                let below = saved[below_at];
                of_bias += delta;
                of0 += delta.x * below;
                of1 += delta.y * below;
                of2 += delta.z * below;
                of3 += delta.w * below;
                delta_at += units4;
                below_at += inputs4;
            }
            bias += of_bias;
            product0 += of0;
            product1 += of1;
            product2 += of2;
            product3 += of3;
        }
        for (var i = 0u; i < 4u; i++) {
            let u = 4u * unit + i;
            if (u < layer.units) {
                let sum = my_product(i);
                for (var c = 0u; c < 4u; c++) {
                    if (4u * input + c < layer.inputs) {
                        partial_gradient[gradient + layer.weight - TABLES + u * layer.inputs + 4u * input + c] = sum[c];
                    }
                }
                if (input == 0u) {
                    partial_gradient[gradient + layer.bias - TABLES + u] = bias[i];
                }
            }
        }
    }
}
