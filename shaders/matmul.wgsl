// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 4 × 4 results, each tile in the registers of one
// invocation. Strides make op: a transpose swaps them. Definition: src/kernels/matmul.rs.
struct Params {
    rows: u32,
    columns: u32,
    models: u32,
    inner_begin: u32,
    inner_end: u32,
    splits: u32,
    chunk: u32,
    first_tile: u32,
    tiles: u32,
    a_offset: u32,
    a_model: u32,
    a_row: u32,
    a_inner: u32,
    b_offset: u32,
    b_model: u32,
    b_inner: u32,
    b_column: u32,
    extra_offset: u32,
    extra_model: u32,
    extra_row: u32,
    extra_column: u32,
    c_offset: u32,
    c_model: u32,
    c_split: u32,
    c_row: u32,
    saved_offset: u32,
    ones_column: u32,
    ones_offset: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
// The bias, or what the forward pass saved.
@group(0) @binding(3) var<storage, read> extra: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

// 0: the sum itself. 1: activation(sum + bias). 2: sum · activation'(saved).
override EPILOGUE: u32 = 0u;
// Whether epilogue 1 keeps the pre-activation as well.
override SAVE: bool = false;

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
    let four = vec4<u32>(0u, 1u, 2u, 3u);
    let rows = min(vec4<u32>(row) + four, vec4<u32>(params.rows - 1u));
    let columns = vec4<u32>(column) + four;
    let last = params.columns - 1u - params.ones_column;
    let ones = columns == vec4<u32>(select(params.columns, last + 1u, params.ones_column == 1u));
    let a_at = vec4<u32>(params.a_offset + model * params.a_model) + rows * params.a_row;
    let b_at = vec4<u32>(params.b_offset + model * params.b_model)
        + min(columns, vec4<u32>(last)) * params.b_column;
    let c_at = params.c_offset + model * params.c_model + split * params.c_split;

    var sums = array<vec4<f32>, 4>();
    if (params.accumulate == 1u) {
        for (var i = 0u; i < 4u; i++) {
            for (var j = 0u; j < 4u; j++) {
                if (row + i < params.rows && column + j < params.columns) {
                    sums[i][j] = c[c_at + (row + i) * params.c_row + column + j];
                }
            }
        }
    }
    var sum0 = sums[0];
    var sum1 = sums[1];
    var sum2 = sums[2];
    var sum3 = sums[3];
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
    sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);

    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            if (row + i >= params.rows || column + j >= params.columns) {
                continue;
            }
            var sum = sums[i][j];
            var at = c_at + (row + i) * params.c_row + column + j;
            let extra_at = params.extra_offset + model * params.extra_model
                + (row + i) * params.extra_row + (column + j) * params.extra_column;
            if (EPILOGUE == 1u) {
                sum += extra[extra_at];
                if (SAVE) {
                    c[at + params.saved_offset] = sum;
                }
                sum = activation_value(sum);
            } else if (EPILOGUE == 2u) {
                sum *= activation_gradient(extra[extra_at]);
            } else if (ones[j]) {
                at = c_at + params.ones_offset + row + i;
            }
            c[at] = sum;
        }
    }
}
