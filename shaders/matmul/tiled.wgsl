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
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    var ones = vec4<f32>();
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
        for (var i = 0u; i < 4u; i++) {
            let at_row = own_row ^ (2u * i);
            let at_column = own_column ^ (2u * i);
            let low0 = left[i][0][at_row];
            let high0 = left[i][0][at_row ^ 8u];
            let b0 = right[i][0][at_column];
            sum0 += low0.x * b0;
            sum1 += low0.y * b0;
            sum2 += low0.z * b0;
            sum3 += low0.w * b0;
            sum4 += high0.x * b0;
            sum5 += high0.y * b0;
            sum6 += high0.z * b0;
            sum7 += high0.w * b0;
            if (ONES && own_column < 2u) {
                ones += select(low0, high0, own_column == 1u);
            }
            let low1 = left[i][1][at_row];
            let high1 = left[i][1][at_row ^ 8u];
            let b1 = right[i][1][at_column];
            sum0 += low1.x * b1;
            sum1 += low1.y * b1;
            sum2 += low1.z * b1;
            sum3 += low1.w * b1;
            sum4 += high1.x * b1;
            sum5 += high1.y * b1;
            sum6 += high1.z * b1;
            sum7 += high1.w * b1;
            if (ONES && own_column < 2u) {
                ones += select(low1, high1, own_column == 1u);
            }
            let low2 = left[i][2][at_row];
            let high2 = left[i][2][at_row ^ 8u];
            let b2 = right[i][2][at_column];
            sum0 += low2.x * b2;
            sum1 += low2.y * b2;
            sum2 += low2.z * b2;
            sum3 += low2.w * b2;
            sum4 += high2.x * b2;
            sum5 += high2.y * b2;
            sum6 += high2.z * b2;
            sum7 += high2.w * b2;
            if (ONES && own_column < 2u) {
                ones += select(low2, high2, own_column == 1u);
            }
            let low3 = left[i][3][at_row];
            let high3 = left[i][3][at_row ^ 8u];
            let b3 = right[i][3][at_column];
            sum0 += low3.x * b3;
            sum1 += low3.y * b3;
            sum2 += low3.z * b3;
            sum3 += low3.w * b3;
            sum4 += high3.x * b3;
            sum5 += high3.y * b3;
            sum6 += high3.z * b3;
            sum7 += high3.w * b3;
            if (ONES && own_column < 2u) {
                ones += select(low3, high3, own_column == 1u);
            }
        }
    }

    let column = tile_column * 64u + 4u * own_column;
    let row = first_row + 4u * own_row;
    finish_rows(model, split, row, column, width, mat4x4<f32>(sum0, sum1, sum2, sum3));
    finish_rows(model, split, row + 32u, column, width, mat4x4<f32>(sum4, sum5, sum6, sum7));
    if (ONES && tile_column == 0u && own_column < 2u) {
        finish_ones(model, split, row + 32u * own_column, ones);
    }
}
