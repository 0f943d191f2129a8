// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 64 × 64 results, one tile per workgroup, for
// GPUs. For each 16 terms the workgroup loads 64 rows of op(A) and 64 columns of op(B) into
// workgroup memory; an invocation loads one block of 4 × 4 of either. Each invocation then adds to
// 8 × 4 sums in its registers, while the blocks of the next 16 terms are loading.
// Definition: src/kernels/matmul/tiled.rs.

// Vectors of four rows of op(A) and of four columns of op(B), 16 per term. An index is the term's, in
// two parts, of which the second is constant wherever it can be, and the vector's.
var<workgroup> left: array<array<array<vec4<f32>, 16>, 4>, 4>;
var<workgroup> right: array<array<array<vec4<f32>, 16>, 4>, 4>;

// Loads a block of op(A) in invocations 0 to 63, and a block of op(B) in the others.
fn load(is_left: bool, model: u32, line: u32, k: u32, end: u32) -> mat4x4<f32> {
    if (k >= end) {
        return mat4x4<f32>();
    }
    if (is_left) {
        return block_of_a(model, line, k, end);
    }
    return block_of_b(model, line, k, end);
}

@compute @workgroup_size(128)
fn matmul_tiled(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= params.tiles) {
        return;
    }
    let width = params.columns - params.ones_column;
    let tile_columns = (width + 63u) / 64u;
    let tile_rows = (params.rows + 63u) / 64u;
    var rest = params.first_tile + index;
    let tile = tile_position(rest % (tile_columns * tile_rows), tile_columns, tile_rows, 8u);
    let tile_column = tile.x;
    let first_row = tile.y * 64u;
    rest /= tile_columns * tile_rows;
    let split = rest % params.splits;
    let model = rest / params.splits;
    // A count on the GPU may leave fewer rows than there are tiles for.
    if (params.rows == 0u || model >= params.models) {
        return;
    }

    // The block that this invocation loads. Neighbours are adjacent in the buffer: along the terms
    // there are 4 of them in each of 16 quads of lines, along the lines 16 of them in each of 4
    // quads of terms.
    let is_left = local < 64u;
    let loader = local % 64u;
    let along = select(B_ALONG_INNER, A_ALONG_INNER, is_left);
    let quad = select(loader % 16u, loader / 4u, along);
    let quad_of_term = select(loader / 16u, loader % 4u, along);
    let term = 4u * quad_of_term;
    // Terms that are four apart have the same memory bank. The exclusive or keeps neighbours that load
    // along the terms from colliding.
    let place = quad ^ (2u * quad_of_term);
    let line = select(tile_column * 64u, first_row, is_left) + 4u * quad;

    // The results that this invocation computes: 4 columns of 8 rows, in two groups of 4.
    let own_column = local % 16u;
    let own_row = local / 16u;
    var low = mat4x4<f32>();
    var high = mat4x4<f32>();
    // For the column of ones: half of the terms of one row.
    var ones = 0.0;
    let begin = params.inner_begin + split * params.chunk;
    let end = min(begin + params.chunk, params.inner_end);
    var block = load(is_left, model, line, begin + term, end);
    for (var k = begin; k < end; k += 16u) {
        // Waits until no invocation reads the previous terms.
        workgroupBarrier();
        if (is_left) {
            left[quad_of_term][0][place] = block[0];
            left[quad_of_term][1][place] = block[1];
            left[quad_of_term][2][place] = block[2];
            left[quad_of_term][3][place] = block[3];
        } else {
            right[quad_of_term][0][place] = block[0];
            right[quad_of_term][1][place] = block[1];
            right[quad_of_term][2][place] = block[2];
            right[quad_of_term][3][place] = block[3];
        }
        workgroupBarrier();
        block = load(is_left, model, line, k + 16u + term, end);
        // Written out, without a loop's own instructions.
        add_terms(0u, own_row, own_column, &low, &high);
        add_terms(1u, own_row, own_column, &low, &high);
        add_terms(2u, own_row, own_column, &low, &high);
        add_terms(3u, own_row, own_column, &low, &high);
        if (ONES) {
            ones += sum_of_row(local);
        }
    }

    let column = tile_column * 64u + 4u * own_column;
    let row = first_row + 4u * own_row;
    finish_rows(model, split, row, column, width, low);
    finish_rows(model, split, row + 32u, column, width, high);
    if (ONES && tile_column == 0u) {
        workgroupBarrier();
        left[local / 64u][0][local % 64u / 4u][local % 4u] = ones;
        workgroupBarrier();
        if (local < 16u) {
            finish_ones(model, split, first_row + 4u * local, left[0][0][local] + left[1][0][local]);
        }
    }
}

// Adds the products of the terms 4 `i` to 4 `i` + 3 to the results of four rows and of the four rows 32 below.
fn add_terms(
    i: u32,
    row: u32,
    column: u32,
    low: ptr<function, mat4x4<f32>>,
    high: ptr<function, mat4x4<f32>>,
) {
    let at_row = row ^ (2u * i);
    let at_column = column ^ (2u * i);
    add_term(left[i][0][at_row], left[i][0][at_row ^ 8u], right[i][0][at_column], low, high);
    add_term(left[i][1][at_row], left[i][1][at_row ^ 8u], right[i][1][at_column], low, high);
    add_term(left[i][2][at_row], left[i][2][at_row ^ 8u], right[i][2][at_column], low, high);
    add_term(left[i][3][at_row], left[i][3][at_row ^ 8u], right[i][3][at_column], low, high);
}

fn add_term(
    a_low: vec4<f32>,
    a_high: vec4<f32>,
    b: vec4<f32>,
    low: ptr<function, mat4x4<f32>>,
    high: ptr<function, mat4x4<f32>>,
) {
    (*low)[0] += a_low.x * b;
    (*low)[1] += a_low.y * b;
    (*low)[2] += a_low.z * b;
    (*low)[3] += a_low.w * b;
    (*high)[0] += a_high.x * b;
    (*high)[1] += a_high.y * b;
    (*high)[2] += a_high.z * b;
    (*high)[3] += a_high.w * b;
}

// The sum of half of the terms of row `local` % 64: of eight terms.
fn sum_of_row(local: u32) -> f32 {
    let first = local / 64u * 2u;
    let at = local % 64u / 4u;
    let part = local % 4u;
    return half_of_row(first, at ^ (2u * first), part)
        + half_of_row(first + 1u, at ^ (2u * first + 2u), part);
}

fn half_of_row(i: u32, at: u32, part: u32) -> f32 {
    return (left[i][0][at][part] + left[i][1][at][part])
        + (left[i][2][at][part] + left[i][3][at][part]);
}
