// Evaluates a block of rows of one model, the blocks of a model one after another.
fn infer_block(index: u32) {
    let blocks = (params.rows + BLOCK_ROWS - 1u) / BLOCK_ROWS;
    let model = index / blocks;
    let row = index % blocks * BLOCK_ROWS;
    if (model >= params.models || row >= params.count) {
        return;
    }
    infer_rows(model, row);
}
