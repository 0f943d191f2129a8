// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 4 × 4 results, each tile in the registers of one
// invocation. Strides make op: a transpose swaps them. Definition: src/kernels/matmul.rs.
@compute @workgroup_size(64)
fn matmul(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.tiles) {
        return;
    }
    let tile_columns = (params.columns + 3u) / 4u;
    let tile_rows = (params.rows + 3u) / 4u;
    var rest = params.first_tile + index;
    let column = (rest % tile_columns) * 4u;
    rest /= tile_columns;
    let row = (rest % tile_rows) * 4u;
    rest /= tile_rows;
    let split = rest % params.splits;
    let model = rest / params.splits;

    // Rows and columns over the edge compute a neighbour once more and store nothing.
    let rows = min(vec4<u32>(row) + FOUR, vec4<u32>(params.rows - 1u));
    let columns = vec4<u32>(column) + FOUR;
    let last = params.columns - 1u - params.ones_column;
    let ones = columns == vec4<u32>(select(params.columns, last + 1u, params.ones_column == 1u));
    let a_at = vec4<u32>(params.a_offset + model * params.a_model) + rows * params.a_row;
    let b_at = vec4<u32>(params.b_offset + model * params.b_model)
        + min(columns, vec4<u32>(last)) * params.b_column;

    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    let begin = params.inner_begin + split * params.chunk;
    let end = min(begin + params.chunk, params.inner_end);
    for (var k = begin; k < end; k++) {
        let p = a_at + vec4<u32>(k * params.a_inner);
        let q = b_at + vec4<u32>(k * params.b_inner);
        let v = select(vec4<f32>(b[q.x], b[q.y], b[q.z], b[q.w]), vec4<f32>(1.0), ones);
        sum0 += a[p.x] * v;
        sum1 += a[p.y] * v;
        sum2 += a[p.z] * v;
        sum3 += a[p.w] * v;
    }
    let sums = mat4x4<f32>(sum0, sum1, sum2, sum3);
    finish_rows(model, split, row, column, last + 1u, sums);
    // The column of ones is this tile's column `last + 1 - column`.
    if (params.ones_column == 1u && any(ones)) {
        var by_column = transpose(sums);
        finish_ones(model, split, row, by_column[last + 1u - column]);
    }
}
