// The rows of one mini-batch, drawn by the epoch's permutation. Definition: src/kernels/gather.rs.
struct Params {
    sets: u32,
    rows: u32,
    batch: u32,
    inputs: u32,
    outputs: u32,
    half_bits: u32,
    seed: u32,
}

struct Status {
    step: u32,
    updates: u32,
    epoch: u32,
    position: u32,
    diverged: array<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> status: Status;
@group(0) @binding(2) var<storage, read> inputs: array<f32>;
@group(0) @binding(3) var<storage, read> targets: array<f32>;
@group(0) @binding(4) var<storage, read_write> batch_inputs: array<f32>;
@group(0) @binding(5) var<storage, read_write> batch_targets: array<f32>;

@compute @workgroup_size(64)
fn gather(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let width = params.inputs + params.outputs;
    let drawn = index / width;
    let column = index % width;
    let item = drawn % params.batch;
    let data_set = drawn / params.batch;
    if (data_set >= params.sets) {
        return;
    }
    var epoch = status.epoch;
    var position = item;
    let left = params.rows - status.position;
    if (item < left) {
        position += status.position;
    } else {
        position -= left;
        epoch += 1u;
    }
    let row = shuffled(position, params.rows, params.half_bits, epoch_key(params.seed, epoch));
    if (column < params.inputs) {
        batch_inputs[(data_set * params.batch + item) * params.inputs + column] =
            inputs[(data_set * params.rows + row) * params.inputs + column];
    } else {
        let output = column - params.inputs;
        batch_targets[(data_set * params.batch + item) * params.outputs + output] =
            targets[(data_set * params.rows + row) * params.outputs + output];
    }
}
