// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 64 × 64 results, one tile per workgroup, for
// GPUs. For each 16 terms the workgroup loads 64 rows of op(A) and 64 columns of op(B) into
// workgroup memory; an invocation loads one block of 4 × 4 of either. Each invocation then adds to
// 8 × 4 sums in its registers, while the blocks of the next 16 terms are loading.
// Definition: src/kernels/matmul/tiled.rs.

// Vectors of four rows of op(A) and of four columns of op(B), 16 per term.
var<workgroup> left: array<vec4<f32>, 256>;
var<workgroup> right: array<vec4<f32>, 256>;

// The index of a vector (`quad`) of a term. Terms that are four apart have the same memory bank, 64
// vectors apart. The exclusive or keeps neighbours that load along the terms from colliding.
fn place(term: u32, quad: u32) -> u32 {
    return term * 16u + (quad ^ ((term / 4u) * 2u));
}

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
    let term = 4u * select(loader / 16u, loader % 4u, along);
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
            left[place(term, quad)] = block[0];
            left[place(term + 1u, quad)] = block[1];
            left[place(term + 2u, quad)] = block[2];
            left[place(term + 3u, quad)] = block[3];
        } else {
            right[place(term, quad)] = block[0];
            right[place(term + 1u, quad)] = block[1];
            right[place(term + 2u, quad)] = block[2];
            right[place(term + 3u, quad)] = block[3];
        }
        workgroupBarrier();
        block = load(is_left, model, line, k + 16u + term, end);
        for (var i = 0u; i < 16u; i++) {
            let low = left[place(i, own_row)];
            let high = left[place(i, own_row + 8u)];
            let b = right[place(i, own_column)];
            sum0 += low.x * b;
            sum1 += low.y * b;
            sum2 += low.z * b;
            sum3 += low.w * b;
            sum4 += high.x * b;
            sum5 += high.y * b;
            sum6 += high.z * b;
            sum7 += high.w * b;
            if (ONES && own_column < 2u) {
                ones += select(low, high, own_column == 1u);
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
