// C[m] = epilogue(op(A[m]) · op(B[m])) in tiles of 32 × 32 results, one tile per workgroup, for
// products of so few tiles that a GPU would be idle. Four parts of a workgroup share the terms: of
// each 64 a part takes 16. It loads 32 rows of op(A) and 32 columns of op(B) into workgroup memory,
// a block of 4 × 4 an invocation; each of its 64 invocations adds to 4 × 4 sums in its registers.
// In the end the parts' sums are added.
// Definition: src/kernels/matmul/split.rs.

// Vectors of four rows of op(A) and of four columns of op(B), 8 per term. An index is the part, the
// term in two, and the vector. In the end they hold sums.
var<workgroup> left: array<array<array<array<vec4<f32>, 8>, 4>, 4>, 4>;
var<workgroup> right: array<array<array<array<vec4<f32>, 8>, 4>, 4>, 4>;

// Loads a block of op(A) in the lower half of a part, and a block of op(B) in the others.
fn load(is_left: bool, model: u32, line: u32, k: u32, end: u32) -> mat4x4<f32> {
    if (k >= end) {
        return mat4x4<f32>();
    }
    if (is_left) {
        return block_of_a(model, line, k, end);
    }
    return block_of_b(model, line, k, end);
}

@compute @workgroup_size(256)
fn matmul_split(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= params.tiles) {
        return;
    }
    let width = params.columns - params.ones_column;
    let tile_columns = (width + 31u) / 32u;
    let tile_rows = (params.rows + 31u) / 32u;
    var rest = params.first_tile + index;
    let tile = tile_position(rest % (tile_columns * tile_rows), tile_columns, tile_rows, 8u);
    rest /= tile_columns * tile_rows;
    let split = rest % params.splits;
    let model = rest / params.splits;
    // A count on the GPU may leave fewer rows than there are tiles for.
    if (params.rows == 0u || model >= params.models) {
        return;
    }

    // The block that this invocation loads. Neighbours are adjacent in the buffer: along the terms
    // there are 4 of them in each of 8 quads of lines, along the lines 8 of them in each of 4 quads
    // of terms.
    let part = local / 64u;
    let is_left = local % 64u < 32u;
    let loader = local % 32u;
    let along = select(B_ALONG_INNER, A_ALONG_INNER, is_left);
    let quad = select(loader % 8u, loader / 4u, along);
    let quad_of_term = select(loader / 8u, loader % 4u, along);
    let line = 32u * select(tile.x, tile.y, is_left) + 4u * quad;
    let term = 16u * part + 4u * quad_of_term;
    // The exclusive or keeps neighbours that load along the terms from colliding.
    let place = quad ^ (2u * quad_of_term);

    // The results that this invocation computes.
    let own_column = local % 8u;
    let own_row = local % 64u / 8u;
    var sums = mat4x4<f32>();
    var ones = vec4<f32>();
    let begin = params.inner_begin + split * params.chunk;
    let end = min(begin + params.chunk, params.inner_end);
    var block = load(is_left, model, line, begin + term, end);
    for (var k = begin; k < end; k += 64u) {
        // Waits until no invocation reads the previous terms.
        workgroupBarrier();
        if (is_left) {
            left[part][quad_of_term][0][place] = block[0];
            left[part][quad_of_term][1][place] = block[1];
            left[part][quad_of_term][2][place] = block[2];
            left[part][quad_of_term][3][place] = block[3];
        } else {
            right[part][quad_of_term][0][place] = block[0];
            right[part][quad_of_term][1][place] = block[1];
            right[part][quad_of_term][2][place] = block[2];
            right[part][quad_of_term][3][place] = block[3];
        }
        workgroupBarrier();
        block = load(is_left, model, line, k + 64u + term, end);
        // Written out: a loop's own instructions are a twelfth of its products'.
        add_terms(part, 0u, own_row, own_column, &sums, &ones);
        add_terms(part, 1u, own_row, own_column, &sums, &ones);
        add_terms(part, 2u, own_row, own_column, &sums, &ones);
        add_terms(part, 3u, own_row, own_column, &sums, &ones);
    }

    // Parts 2 and 3 give their sums to parts 0 and 1, then part 1 to part 0. An invocation adds what
    // the one in its place has given.
    workgroupBarrier();
    if (part > 1u) {
        give(part - 2u, own_row, own_column, sums, ones);
    }
    workgroupBarrier();
    if (part < 2u) {
        sums = given(part, own_row, own_column, sums);
        ones += right[part][own_row / 4u][own_row % 4u][0];
    }
    // Nobody else reads what part 1 has been given.
    if (part == 1u) {
        give(1u, own_row, own_column, sums, ones);
    }
    workgroupBarrier();
    if (part > 0u) {
        return;
    }
    sums = given(1u, own_row, own_column, sums);
    ones += right[1][own_row / 4u][own_row % 4u][0];
    let row = 32u * tile.y + 4u * own_row;
    finish_rows(model, split, row, 32u * tile.x + 4u * own_column, width, sums);
    if (ONES && tile.x == 0u && own_column == 0u) {
        finish_ones(model, split, row, ones);
    }
}

// Adds the products of the terms 4 `i` to 4 `i` + 3 of the part.
fn add_terms(
    part: u32,
    i: u32,
    row: u32,
    column: u32,
    sums: ptr<function, mat4x4<f32>>,
    ones: ptr<function, vec4<f32>>,
) {
    let at_row = row ^ (2u * i);
    let at_column = column ^ (2u * i);
    let a0 = left[part][i][0][at_row];
    let a1 = left[part][i][1][at_row];
    let a2 = left[part][i][2][at_row];
    let a3 = left[part][i][3][at_row];
    let b0 = right[part][i][0][at_column];
    let b1 = right[part][i][1][at_column];
    let b2 = right[part][i][2][at_column];
    let b3 = right[part][i][3][at_column];
    (*sums)[0] += a0.x * b0;
    (*sums)[1] += a0.y * b0;
    (*sums)[2] += a0.z * b0;
    (*sums)[3] += a0.w * b0;
    (*sums)[0] += a1.x * b1;
    (*sums)[1] += a1.y * b1;
    (*sums)[2] += a1.z * b1;
    (*sums)[3] += a1.w * b1;
    (*sums)[0] += a2.x * b2;
    (*sums)[1] += a2.y * b2;
    (*sums)[2] += a2.z * b2;
    (*sums)[3] += a2.w * b2;
    (*sums)[0] += a3.x * b3;
    (*sums)[1] += a3.y * b3;
    (*sums)[2] += a3.z * b3;
    (*sums)[3] += a3.w * b3;
    if (ONES && column == 0u) {
        *ones += (a0 + a1) + (a2 + a3);
    }
}

fn give(slot: u32, row: u32, column: u32, sums: mat4x4<f32>, ones: vec4<f32>) {
    let at = 2u * slot + row / 4u;
    left[at][row % 4u][0][column] = sums[0];
    left[at][row % 4u][1][column] = sums[1];
    left[at][row % 4u][2][column] = sums[2];
    left[at][row % 4u][3][column] = sums[3];
    if (column == 0u) {
        right[slot][row / 4u][row % 4u][0] = ones;
    }
}

// `sums`, and what another part has given to the slot.
fn given(slot: u32, row: u32, column: u32, sums: mat4x4<f32>) -> mat4x4<f32> {
    let at = 2u * slot + row / 4u;
    return sums + mat4x4<f32>(
        left[at][row % 4u][0][column],
        left[at][row % 4u][1][column],
        left[at][row % 4u][2][column],
        left[at][row % 4u][3][column],
    );
}
