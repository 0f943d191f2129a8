// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 32 × 32 results, for devices on a CPU. A
// subgroup of 8 holds a tile in its registers: on a CPU a load costs more than a dozen
// multiply-adds, and a shuffle costs next to nothing. An invocation holds four columns of the tile.
// For each four terms it loads a block of its four columns of op(B), and a block of four rows of
// op(A) that it shuffles to the others.
// Definition: src/kernels/matmul/subgroup.rs, which also generates `accumulate` and `advance`.

@compute @workgroup_size(8)
fn matmul_subgroup(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= params.tiles) {
        return;
    }
    let width = params.columns - params.ones_column;
    let tile_columns = (width + 31u) / 32u;
    let tile_rows = (params.rows + 31u) / 32u;
    var rest = params.first_tile + index;
    let tile = tile_position(rest % (tile_columns * tile_rows), tile_columns, tile_rows, 32u);
    let tile_column = tile.x;
    let first_row = tile.y * 32u;
    rest /= tile_columns * tile_rows;
    let split = rest % params.splits;
    let model = rest / params.splits;
    // A count on the GPU may leave fewer rows than there are tiles for.
    if (params.rows == 0u || model >= params.models) {
        return;
    }
    let column = tile_column * 32u + lane * 4u;
    let own_row = first_row + lane * 4u;

    var sums = array<vec4<f32>, 32>();
    var ones = vec4<f32>();
    let begin = params.inner_begin + split * params.chunk;
    let end = min(begin + params.chunk, params.inner_end);
    for (var k = begin; k < end; k += 4u) {
        let own = block_of_a(model, own_row, k, end);
        accumulate(&sums, own, block_of_b(model, column, k, end));
        if (ONES) {
            ones += own[0] + own[1] + own[2] + own[3];
        }
    }

    // Four rows at a time; the rest then moves up. Indexing the array by a loop variable is slower
    // here.
    for (var row = first_row; row < min(first_row + 32u, params.rows); row += 4u) {
        let four = mat4x4<f32>(sums[0], sums[1], sums[2], sums[3]);
        finish_rows(model, split, row, column, width, four);
        advance(&sums);
    }
    if (ONES && tile_column == 0u) {
        finish_ones(model, split, own_row, ones);
    }
}
