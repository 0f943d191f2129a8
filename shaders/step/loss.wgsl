// Value and gradient of a loss from the last layer's pre-activations. Either an invocation handles
// one row and a workgroup stores the sum of 64 rows, or an invocation handles some rows and stores
// their sum.
// Definition: src/kernels/step/loss.rs.

// Whether each invocation stores the sum of its rows. Otherwise a workgroup stores one sum.
override ALONE: bool = false;

@compute @workgroup_size(64)
fn loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (ALONE) {
        let part = index * 64u + local;
        if (part < params.models * params.groups) {
            let first = part % params.groups * params.run;
            var sum = 0.0;
            for (var row = first; row < min(first + params.run, params.count); row++) {
                sum += loss_of(part / params.groups, row);
            }
            partial[part] = sum;
        }
        return;
    }
    if (index >= params.models * params.groups) {
        return;
    }
    let row = (index % params.groups) * 64u + local;
    var sum = 0.0;
    if (row < params.count) {
        sum = loss_of(index / params.groups, row);
    }
    sum = sum_of_workgroup(sum, local);
    if (local == 0u) {
        partial[index] = sum;
    }
}

// The share of a row in the loss. Stores the row's gradient. Each value is scaled before it is
// added, so that no sum overflows where the mean does not.
fn loss_of(model: u32, row: u32) -> f32 {
    var sum = 0.0;
    let first = (model * params.rows + row) * params.width;
    let shared_by_row = loss_row(first);
    for (var i = first; i < first + params.width; i++) {
        let value = loss_element(i - first, z[i], target_of(i), shared_by_row);
        sum += value.x * params.scale;
        delta[i] = value.y * params.scale;
    }
    return sum;
}

fn row_width() -> u32 {
    return params.width;
}

fn logit_of(i: u32) -> f32 {
    return z[i];
}

// The target of element `i` of z. Models may share their targets.
fn target_of(i: u32) -> f32 {
    let elements = params.rows * params.width;
    return targets[(i / elements) * params.target_model + i % elements];
}

// Input `i` of the row whose first element of z is `first`. Models that share their targets share their
// inputs.
fn input_of(first: u32, i: u32) -> f32 {
    let row = first / params.width;
    let own = select(row % params.rows, row, params.target_model > 0u);
    return inputs[own * params.input_width + i];
}
