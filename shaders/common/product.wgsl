// What the tilings of the matrix product share: the sizes, and the epilogue of a sum. The loads of
// A and B are generated; those of C are in product_c_scalar.wgsl or product_c_vec4.wgsl.

// 0 stores the sum, 1 stores activation(sum + bias), 2 stores sum · activation'(saved).
override EPILOGUE: u32 = 0u;
// Whether epilogue 1 stores the pre-activation as well.
override SAVE: bool = false;
// Whether epilogue 1 has a bias.
override BIAS: bool = true;

const FOUR: vec4<u32> = vec4<u32>(0u, 1u, 2u, 3u);

fn load4_epilogue(model: u32, row: u32, column: u32, count: u32) -> vec4<f32> {
    let at = params.extra_offset + model * params.extra_model
        + row * params.extra_row + column * params.extra_column;
    return load4_extra(at, params.extra_column, count);
}

// Stores four results of a row. The first `count` of them are in the matrix.
fn finish(model: u32, split: u32, row: u32, column: u32, count: u32, sum: vec4<f32>, bias: vec4<f32>) {
    let at = params.c_offset + model * params.c_model + split * params.c_split
        + row * params.c_row + column;
    var result = sum;
    if (params.accumulate == 1u) {
        result += load4_c(at, count);
    }
    if (EPILOGUE == 1u) {
        result += bias;
        if (SAVE) {
            store4(at + params.saved_offset, count, result);
        }
        result = vec4<f32>(
            activation_value(result.x),
            activation_value(result.y),
            activation_value(result.z),
            activation_value(result.w),
        );
    }
    if (EPILOGUE == 2u) {
        let saved = load4_epilogue(model, row, column, count);
        result *= vec4<f32>(
            activation_derivative(saved.x),
            activation_derivative(saved.y),
            activation_derivative(saved.z),
            activation_derivative(saved.w),
        );
    }
    store4(at, count, result);
}

// Stores four columns of four rows of results, as far as they are in the matrix. `width` excludes
// the column of ones. A loop makes an activation's code appear four times and not 16. The sums move
// up in the loop: indexing them would take them out of the registers.
fn finish_rows(model: u32, split: u32, row: u32, column: u32, width: u32, sums: mat4x4<f32>) {
    var rest = sums;
    let last = select(row, min(row + 4u, params.rows), column < width);
    let count = min(width - min(column, width - 1u), 4u);
    // All rows share the bias.
    var bias = vec4<f32>();
    if (EPILOGUE == 1u && BIAS) {
        bias = load4_epilogue(model, 0u, min(column, width - 1u), count);
    }
    for (var i = row; i < last; i++) {
        finish(model, split, i, column, count, rest[0], bias);
        rest = mat4x4<f32>(rest[1], rest[2], rest[3], rest[3]);
    }
}

// Stores the sums of four rows of op(A), which the column of ones gives.
fn finish_ones(model: u32, split: u32, row: u32, sum: vec4<f32>) {
    if (row < params.rows) {
        let at = params.c_offset + model * params.c_model + split * params.c_split
            + params.ones_offset + row;
        let count = min(params.rows - row, 4u);
        var result = sum;
        if (params.accumulate == 1u) {
            result += load4_c(at, count);
        }
        store4(at, count, result);
    }
}
