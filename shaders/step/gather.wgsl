// The rows of one mini-batch, sampled by the epoch's permutation. Inputs are copied as scalars or
// as vectors of four. Definition: src/kernels/step/gather.rs.

@compute @workgroup_size(64)
fn gather(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let inputs_of_row = params.inputs / LANES;
    let width = inputs_of_row + params.outputs;
    let drawn = index / width;
    let column = index % width;
    let item = drawn % params.batch;
    let data_set = drawn / params.batch;
    if (data_set >= params.sets) {
        return;
    }
    let cursor = vec2<u32>(status.epoch, status.position);
    let row = sampled_row(item, cursor, params.rows, params.half_bits, params.seed);
    if (column < inputs_of_row) {
        batch_inputs[(data_set * params.batch + item) * inputs_of_row + column] =
            inputs[(data_set * params.rows + row) * inputs_of_row + column];
    } else {
        let output = column - inputs_of_row;
        batch_targets[(data_set * params.batch + item) * params.outputs + output] =
            targets[(data_set * params.rows + row) * params.outputs + output];
    }
}
