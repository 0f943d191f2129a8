// Forward, loss and backward of a chunk of rows in one workgroup, tile after tile. Each tile adds
// its share of every weight gradient to the chunk's. Between layers a tile of rows stays in
// workgroup memory. What the backward pass needs of the forward pass is stored in `saved`, which
// this workgroup alone writes and reads; the next tile overwrites it, so that it stays in a cache.
// src/kernels/fused.rs generates the constants of the network's shape, and FORWARD and BACKWARD.
// With one of them alone, a dispatch ends with the outputs, or begins with what `saved` has kept of
// them. `saved` then has a place for every row.
//
// A layer. `below`, `value` and `kept` are offsets in `saved`, in vectors of four elements of each
// row: of its inputs, its outputs, and the values for its activation's derivative. `bias` is NO_BIAS
// where there is none.
const NO_BIAS: u32 = 0xffffffffu;

struct Layer {
    inputs: u32,
    units: u32,
    weight: u32,
    bias: u32,
    below: u32,
    value: u32,
    kept: u32,
}

// Rows of WIDTH values and a block of TILE_ROWS terms of a product, both as vectors of four. An
// index is the row's or the term's, in two parts, then the vector's. The second part is constant
// wherever it can be: it then costs no instruction.
var<workgroup> tile: array<array<array<vec4<f32>, WIDTH4>, 4>, QUADS>;
var<workgroup> block: array<array<array<vec4<f32>, WIDTH4>, 4>, QUADS>;

var<private> model: u32;
// This invocation's four rows of a product, and its four columns.
var<private> my_quad: u32;
var<private> my_column: u32;
// The first row of the tile among those of `saved`.
var<private> saved_row: u32;
// This invocation's 4 × 4 sums.
var<private> sum0: vec4<f32>;
var<private> sum1: vec4<f32>;
var<private> sum2: vec4<f32>;
var<private> sum3: vec4<f32>;

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
    model = index / params.splits;
    my_quad = local / WIDTH4;
    my_column = local % WIDTH4;
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

// The index in `saved` of the array at `begin`.
fn array_at(begin: u32) -> u32 {
    return begin * params.models * select(params.splits * TILE_ROWS, params.rows, SAVES_ALL);
}

// The index in `saved` of row `row` of the tile, in an array that is `width4` vectors wide.
fn place(begin: u32, width4: u32, row: u32) -> u32 {
    return array_at(begin) + (saved_row + row) * width4;
}

// Four inputs of a row. Rows and columns beyond the edge are 0.
fn input_vector(row: u32, end: u32) -> vec4<f32> {
    let first = 4u * my_column;
    if (row >= end || first >= INPUTS) {
        return vec4<f32>();
    }
    let at = (model * params.own_inputs * params.rows + row) * INPUTS + first;
    return four_inputs(at, INPUTS - first);
}

// Four vectors of `saved`: this invocation's rows and columns of an array. What is beyond the edge
// is 0.
fn saved_block(begin: u32, width: u32, row: u32, end: u32) -> mat4x4<f32> {
    let width4 = (width + 3u) / 4u;
    let at = place(begin, width4, 4u * my_quad) + my_column;
    let left = select(0u, max(end, row + 4u * my_quad) - (row + 4u * my_quad), my_column < width4);
    var rows = mat4x4<f32>();
    if (left > 0u) {
        // All loads at once: what is not a row is loaded from the first one.
        let last = min(left, 4u) - 1u;
        let r1 = saved[at + min(1u, last) * width4];
        let r2 = saved[at + min(2u, last) * width4];
        let r3 = saved[at + min(3u, last) * width4];
        rows = mat4x4<f32>(
            saved[at],
            select(vec4<f32>(), r1, left > 1u),
            select(vec4<f32>(), r2, left > 2u),
            select(vec4<f32>(), r3, left > 3u),
        );
    }
    return rows;
}

fn input_block(row: u32, end: u32) -> mat4x4<f32> {
    let first = row + 4u * my_quad;
    return mat4x4<f32>(
        input_vector(first, end),
        input_vector(first + 1u, end),
        input_vector(first + 2u, end),
        input_vector(first + 3u, end),
    );
}

// Four by four weights of a layer, from unit `unit` and input `input` on. What is beyond the edge is
// 0.
fn weights(layer: Layer, unit: u32, input: u32) -> mat4x4<f32> {
    if (unit >= layer.units || input >= layer.inputs) {
        return mat4x4<f32>();
    }
    let begin = model * PARAMETERS + layer.weight + input;
    let last = layer.units - 1u;
    let count = layer.inputs - input;
    let w0 = four_parameters(begin + unit * layer.inputs, count);
    let w1 = four_parameters(begin + min(unit + 1u, last) * layer.inputs, count);
    let w2 = four_parameters(begin + min(unit + 2u, last) * layer.inputs, count);
    let w3 = four_parameters(begin + min(unit + 3u, last) * layer.inputs, count);
    return mat4x4<f32>(
        w0,
        select(vec4<f32>(), w1, unit + 1u <= last),
        select(vec4<f32>(), w2, unit + 2u <= last),
        select(vec4<f32>(), w3, unit + 3u <= last),
    );
}

fn store_block(values: mat4x4<f32>) {
    block[my_quad][0][my_column] = values[0];
    block[my_quad][1][my_column] = values[1];
    block[my_quad][2][my_column] = values[2];
    block[my_quad][3][my_column] = values[3];
}

fn store_tile(values: mat4x4<f32>) {
    tile[my_quad][0][my_column] = values[0];
    tile[my_quad][1][my_column] = values[1];
    tile[my_quad][2][my_column] = values[2];
    tile[my_quad][3][my_column] = values[3];
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

// Four by four weights of the block of terms from `term` on.
fn weights_of_terms(layer: Layer, term: u32, is_forward: bool) -> mat4x4<f32> {
    let of_term = term + 4u * my_quad;
    if (is_forward) {
        return transpose(weights(layer, 4u * my_column, of_term));
    }
    return weights(layer, of_term, 4u * my_column);
}

// This invocation's 4 × 4 results of tile · weights: over the layer's inputs in the forward pass,
// over its units in the backward pass.
fn multiply(layer: Layer, is_forward: bool) {
    let inner = select(layer.units, layer.inputs, is_forward);
    sum0 = vec4<f32>();
    sum1 = vec4<f32>();
    sum2 = vec4<f32>();
    sum3 = vec4<f32>();
    for (var term = 0u; term < inner; term += TILE_ROWS) {
        let values = weights_of_terms(layer, term, is_forward);
        workgroupBarrier();
        store_block(values);
        workgroupBarrier();
        // Terms beyond the last have weights of 0.
        let quads = (min(inner - term, TILE_ROWS) + 3u) / 4u;
        for (var quad = 0u; quad < quads; quad++) {
            add_terms(term / 4u + quad, quad);
        }
    }
    // The caller overwrites the tile.
    workgroupBarrier();
}

// Adds four terms of a product: vector `at` of the tile's rows, terms `quad` of the block.
fn add_terms(at: u32, quad: u32) {
    let x0 = tile[my_quad][0][at];
    let x1 = tile[my_quad][1][at];
    let x2 = tile[my_quad][2][at];
    let x3 = tile[my_quad][3][at];
    let w0 = block[quad][0][my_column];
    let w1 = block[quad][1][my_column];
    let w2 = block[quad][2][my_column];
    let w3 = block[quad][3][my_column];
    sum0 += x0.x * w0;
    sum1 += x1.x * w0;
    sum2 += x2.x * w0;
    sum3 += x3.x * w0;
    sum0 += x0.y * w1;
    sum1 += x1.y * w1;
    sum2 += x2.y * w1;
    sum3 += x3.y * w1;
    sum0 += x0.z * w2;
    sum1 += x1.z * w2;
    sum2 += x2.z * w2;
    sum3 += x3.z * w2;
    sum0 += x0.w * w3;
    sum1 += x1.w * w3;
    sum2 += x2.w * w3;
    sum3 += x3.w * w3;
}

// Which of this invocation's columns are units of the layer.
fn inside(units: u32) -> vec4<bool> {
    return vec4<u32>(4u * my_column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(units);
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
    weight_gradient(l, layer, row, end, gradient, begins);
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

// The tile's share of a layer's gradient: deltas, which are in the tile, by the layer's inputs. An
// invocation has four units by four inputs at a time.
fn weight_gradient(l: u32, layer: Layer, row: u32, end: u32, gradient: u32, begins: bool) {
    var below: mat4x4<f32>;
    if (l == 0u) {
        below = input_block(row, end);
    } else {
        below = saved_block(layer.below, layer.inputs, row, end);
    }
    // Nobody reads the last block any more.
    workgroupBarrier();
    store_block(below);
    workgroupBarrier();
    let units4 = (layer.units + 3u) / 4u;
    if (my_quad == 0u && my_column < units4 && layer.bias != NO_BIAS) {
        var sum = vec4<f32>();
        for (var quad = 0u; quad < QUADS; quad++) {
            sum += tile[quad][0][my_column] + tile[quad][1][my_column]
                + tile[quad][2][my_column] + tile[quad][3][my_column];
        }
        let first = 4u * my_column;
        let at = gradient + layer.bias - TABLES + first;
        add_to_gradient(at, layer.units - first, sum, begins);
    }
    if (4u * my_column >= layer.inputs) {
        return;
    }
    for (var unit4 = my_quad; unit4 < units4; unit4 += QUADS) {
        sum0 = vec4<f32>();
        sum1 = vec4<f32>();
        sum2 = vec4<f32>();
        sum3 = vec4<f32>();
        for (var quad = 0u; quad < QUADS; quad += 2u) {
            add_rows(quad, unit4);
            add_rows(quad + 1u, unit4);
        }
        add_sums(layer, gradient, 4u * unit4, begins);
    }
}

// Adds four rows' deltas by their inputs.
fn add_rows(quad: u32, unit4: u32) {
    let d0 = tile[quad][0][unit4];
    let d1 = tile[quad][1][unit4];
    let d2 = tile[quad][2][unit4];
    let d3 = tile[quad][3][unit4];
    let x0 = block[quad][0][my_column];
    let x1 = block[quad][1][my_column];
    let x2 = block[quad][2][my_column];
    let x3 = block[quad][3][my_column];
    sum0 += d0.x * x0;
    sum1 += d0.y * x0;
    sum2 += d0.z * x0;
    sum3 += d0.w * x0;
    sum0 += d1.x * x1;
    sum1 += d1.y * x1;
    sum2 += d1.z * x1;
    sum3 += d1.w * x1;
    sum0 += d2.x * x2;
    sum1 += d2.y * x2;
    sum2 += d2.z * x2;
    sum3 += d2.w * x2;
    sum0 += d3.x * x3;
    sum1 += d3.y * x3;
    sum2 += d3.z * x3;
    sum3 += d3.w * x3;
}

// Adds the sums of four units to the chunk's gradient.
fn add_sums(layer: Layer, gradient: u32, unit: u32, begins: bool) {
    let input = 4u * my_column;
    let count = layer.inputs - input;
    let at = gradient + layer.weight - TABLES + unit * layer.inputs + input;
    add_to_gradient(at, count, sum0, begins);
    if (unit + 1u < layer.units) {
        add_to_gradient(at + layer.inputs, count, sum1, begins);
    }
    if (unit + 2u < layer.units) {
        add_to_gradient(at + 2u * layer.inputs, count, sum2, begins);
    }
    if (unit + 3u < layer.units) {
        add_to_gradient(at + 3u * layer.inputs, count, sum3, begins);
    }
}
