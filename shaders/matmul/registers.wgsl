// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 4 × 4 results. One invocation holds a tile in
// its registers. The strides define op: a transpose swaps them. Definition:
// src/kernels/matmul/mod.rs.
@compute @workgroup_size(64)
fn matmul_registers(
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
    // A count on the GPU may leave fewer rows than there are tiles for.
    if (params.rows == 0u || model >= params.models) {
        return;
    }

    // Rows and columns beyond the edge repeat a neighbour's computation and store nothing.
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
    if (A_ALIGNED && B_ALIGNED) {
        for (var k = begin; k < end; k += 4u) {
            let p = block_of_a(model, row, k, end);
            let q = block_of_b(model, column, k, end);
            let v = mat4x4<f32>(
                select(q[0], vec4<f32>(1.0), ones),
                select(q[1], vec4<f32>(1.0), ones),
                select(q[2], vec4<f32>(1.0), ones),
                select(q[3], vec4<f32>(1.0), ones),
            );
            sum0 += p[0].x * v[0] + p[1].x * v[1] + p[2].x * v[2] + p[3].x * v[3];
            sum1 += p[0].y * v[0] + p[1].y * v[1] + p[2].y * v[2] + p[3].y * v[3];
            sum2 += p[0].z * v[0] + p[1].z * v[1] + p[2].z * v[2] + p[3].z * v[3];
            sum3 += p[0].w * v[0] + p[1].w * v[1] + p[2].w * v[2] + p[3].w * v[3];
        }
    } else {
        // Term by term: a vector of four holds four rows or four columns here.
        for (var k = begin; k < end; k++) {
            let p = load4_a(a_at + vec4<u32>(k * params.a_inner));
            let q = load4_b(b_at + vec4<u32>(k * params.b_inner));
            let v = select(q, vec4<f32>(1.0), ones);
            sum0 += p.x * v;
            sum1 += p.y * v;
            sum2 += p.z * v;
            sum3 += p.w * v;
        }
    }
    let sums = mat4x4<f32>(sum0, sum1, sum2, sum3);
    finish_rows(model, split, row, column, last + 1u, sums);
    // The column of ones is this tile's column `last + 1 - column`.
    if (params.ones_column == 1u && any(ones)) {
        // Without an index that is not a constant: it would take the sums out of the registers.
        let by_column = transpose(sums);
        let at = last + 1u - column;
        let low = select(by_column[0], by_column[1], at == 1u);
        let high = select(by_column[2], by_column[3], at == 3u);
        finish_ones(model, split, row, select(low, high, at > 1u));
    }
}
