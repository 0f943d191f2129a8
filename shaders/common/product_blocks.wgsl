// Blocks of 4 × 4 elements of the operands. With A_ALIGNED or B_ALIGNED, every offset, stride and
// length along a line of that operand is a multiple of four.

// Whether four terms of a row of op(A) are adjacent in the buffer; otherwise four rows are.
override A_ALONG_INNER: bool = true;
// Whether four terms of a column of op(B) are adjacent in the buffer; otherwise four columns are.
override B_ALONG_INNER: bool = false;
// Whether the sums of op(A)'s rows are computed: the product with a column of ones.
override ONES: bool = false;

// Whether the number of terms comes from a count on the GPU. Otherwise an aligned operand has a
// multiple of four.
override COUNTED: bool = false;

// Column and row of a tile among `columns` × `rows` tiles. Tiles are counted in bands of `band`
// rows, down each column of a band. Tiles that run at about the same time then share their loads,
// whatever the width of the matrix.
fn tile_position(index: u32, columns: u32, rows: u32, band: u32) -> vec2<u32> {
    let first = index / (band * columns) * band;
    let height = min(band, rows - first);
    let within = index % (band * columns);
    return vec2<u32>(within / height, first + within % height);
}

// A block whose terms from `end` on are 0.
fn terms_before(block: mat4x4<f32>, k: u32, end: u32) -> mat4x4<f32> {
    let inside = vec4<u32>(k) + FOUR < vec4<u32>(end);
    return mat4x4<f32>(
        block[0],
        select(vec4<f32>(), block[1], inside.y),
        select(vec4<f32>(), block[2], inside.z),
        select(vec4<f32>(), block[3], inside.w),
    );
}

// Rows `row` to `row` + 3 of op(A) for the terms from `k` on. A column of the result is a term.
// Terms from `end` on are 0; rows beyond the edge repeat the last rows.
fn block_of_a(model: u32, row: u32, k: u32, end: u32) -> mat4x4<f32> {
    let first = params.a_offset + model * params.a_model;
    let rows = vec4<u32>(first) + min(vec4<u32>(row) + FOUR, vec4<u32>(params.rows - 1u)) * params.a_row;
    if (!A_ALIGNED) {
        let terms = min(vec4<u32>(k) + FOUR, vec4<u32>(end - 1u)) * params.a_inner;
        let inside = vec4<u32>(k) + FOUR < vec4<u32>(end);
        return mat4x4<f32>(
            load4_a(rows + vec4<u32>(terms.x)),
            select(vec4<f32>(), load4_a(rows + vec4<u32>(terms.y)), inside.y),
            select(vec4<f32>(), load4_a(rows + vec4<u32>(terms.z)), inside.z),
            select(vec4<f32>(), load4_a(rows + vec4<u32>(terms.w)), inside.w),
        );
    }
    if (A_ALONG_INNER) {
        let at = rows + vec4<u32>(k);
        return transpose(mat4x4<f32>(
            load4_a(at.xxxx),
            load4_a(at.yyyy),
            load4_a(at.zzzz),
            load4_a(at.wwww),
        ));
    }
    let at = vec4<u32>(first + min(row, params.rows - 4u)) + (vec4<u32>(k) + FOUR) * params.a_inner;
    let block = mat4x4<f32>(
        load4_a(at.xxxx),
        load4_a(at.yyyy),
        load4_a(at.zzzz),
        load4_a(at.wwww),
    );
    if (COUNTED) {
        return terms_before(block, k, end);
    }
    return block;
}

// Columns `column` to `column` + 3 of op(B) for the terms from `k` on, as `block_of_a` has rows.
fn block_of_b(model: u32, column: u32, k: u32, end: u32) -> mat4x4<f32> {
    let first = params.b_offset + model * params.b_model;
    let width = params.columns - params.ones_column;
    let columns = vec4<u32>(first) + min(vec4<u32>(column) + FOUR, vec4<u32>(width - 1u)) * params.b_column;
    if (!B_ALIGNED) {
        let terms = min(vec4<u32>(k) + FOUR, vec4<u32>(end - 1u)) * params.b_inner;
        let inside = vec4<u32>(k) + FOUR < vec4<u32>(end);
        return mat4x4<f32>(
            load4_b(columns + vec4<u32>(terms.x)),
            select(vec4<f32>(), load4_b(columns + vec4<u32>(terms.y)), inside.y),
            select(vec4<f32>(), load4_b(columns + vec4<u32>(terms.z)), inside.z),
            select(vec4<f32>(), load4_b(columns + vec4<u32>(terms.w)), inside.w),
        );
    }
    if (B_ALONG_INNER) {
        let at = columns + vec4<u32>(k);
        return transpose(mat4x4<f32>(
            load4_b(at.xxxx),
            load4_b(at.yyyy),
            load4_b(at.zzzz),
            load4_b(at.wwww),
        ));
    }
    let at = vec4<u32>(first + min(column, width - 4u)) + (vec4<u32>(k) + FOUR) * params.b_inner;
    let block = mat4x4<f32>(
        load4_b(at.xxxx),
        load4_b(at.yyyy),
        load4_b(at.zzzz),
        load4_b(at.wwww),
    );
    if (COUNTED) {
        return terms_before(block, k, end);
    }
    return block;
}
