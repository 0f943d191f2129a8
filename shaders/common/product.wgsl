// What the forms of the matrix product share: the sizes, and what becomes of a sum. The buffers are
// those of the files product_a, product_b and product_c, as words or as fours.

// 0: the sum itself. 1: activation(sum + bias). 2: sum · activation'(saved).
override EPILOGUE: u32 = 0u;
// Whether epilogue 1 keeps the pre-activation as well.
override SAVE: bool = false;

const FOUR: vec4<u32> = vec4<u32>(0u, 1u, 2u, 3u);

fn four_of_epilogue(model: u32, row: u32, column: u32, count: u32) -> vec4<f32> {
    let at = params.extra_offset + model * params.extra_model
        + row * params.extra_row + column * params.extra_column;
    return four_of_extra(at, params.extra_column, count);
}

// Stores four results of a row, of which the first `count` are in the matrix.
fn finish(model: u32, split: u32, row: u32, column: u32, count: u32, sum: vec4<f32>, bias: vec4<f32>) {
    let at = params.c_offset + model * params.c_model + split * params.c_split
        + row * params.c_row + column;
    var result = sum;
    if (params.accumulate == 1u) {
        result += four_of_c(at, count);
    }
    if (EPILOGUE == 1u) {
        result += bias;
        if (SAVE) {
            put_four(at + params.saved_offset, count, result);
        }
        result = vec4<f32>(
            activation_value(result.x),
            activation_value(result.y),
            activation_value(result.z),
            activation_value(result.w),
        );
    }
    if (EPILOGUE == 2u) {
        let saved = four_of_epilogue(model, row, column, count);
        result *= vec4<f32>(
            activation_derivative(saved.x),
            activation_derivative(saved.y),
            activation_derivative(saved.z),
            activation_derivative(saved.w),
        );
    }
    put_four(at, count, result);
}

// Stores four columns of four rows of results, as far as they are in the matrix without its column
// of ones, which is `width` wide. A loop, so that an activation's code appears four times and not
// 16; the sums move up in it, since an index would take them out of the registers.
fn finish_rows(model: u32, split: u32, row: u32, column: u32, width: u32, sums: mat4x4<f32>) {
    var rest = sums;
    let last = select(row, min(row + 4u, params.rows), column < width);
    let count = min(width - min(column, width - 1u), 4u);
    // All rows' own.
    var bias = vec4<f32>();
    if (EPILOGUE == 1u) {
        bias = four_of_epilogue(model, 0u, min(column, width - 1u), count);
    }
    for (var i = row; i < last; i++) {
        finish(model, split, i, column, count, rest[0], bias);
        rest = mat4x4<f32>(rest[1], rest[2], rest[3], rest[3]);
    }
}

// Stores the sums of four rows of op(A) where they belong.
fn finish_ones(model: u32, split: u32, row: u32, sum: vec4<f32>) {
    if (row < params.rows) {
        let at = params.c_offset + model * params.c_model + split * params.c_split
            + params.ones_offset + row;
        let count = min(params.rows - row, 4u);
        var result = sum;
        if (params.accumulate == 1u) {
            result += four_of_c(at, count);
        }
        put_four(at, count, result);
    }
}
