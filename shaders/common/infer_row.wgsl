// Evaluates one row of one model, the rows of a model one after another. The kernel stores what it gives.
fn infer_row(index: u32) {
    let model = index / params.rows;
    let row = index % params.rows;
    if (model >= params.models || row >= params.count) {
        return;
    }
    let x = row_inputs((params.first + row) * ROW_INPUTS);
    store_row(model, params.first + row, evaluate(x, model));
}
