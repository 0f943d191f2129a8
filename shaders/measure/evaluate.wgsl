// Partial sums of the loss, and of the number of rows whose class is right, from the last layer's
// pre-activations z. Either an invocation handles one row and a workgroup stores the sums of 64 rows,
// or an invocation handles some rows and stores their sums.
// Definition: src/kernels/measure/evaluate.rs.

// Whether each invocation stores the sums of its rows. Otherwise a workgroup stores its sums.
override ALONE: bool = false;

// How a row's class is told: 0 where it has none, 1 by a threshold, 2 by the largest output.
override CLASSES: u32 = 0u;

@compute @workgroup_size(64)
fn evaluate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (ALONE) {
        let part = index * 64u + local;
        if (part < params.models * params.groups) {
            let first = part % params.groups * params.run;
            var metrics = vec2<f32>();
            for (var row = first; row < min(first + params.run, params.rows); row++) {
                metrics += metrics_of(part / params.groups, row);
            }
            store(part, metrics);
        }
        return;
    }
    if (index >= params.models * params.groups) {
        return;
    }
    let row = (index % params.groups) * 64u + local;
    var metrics = vec2<f32>();
    if (row < params.rows) {
        metrics = metrics_of(index / params.groups, row);
    }
    metrics.x = sum_of_workgroup(metrics.x, local);
    workgroupBarrier();
    metrics.y = sum_of_workgroup(metrics.y, local);
    if (local == 0u) {
        store(index, metrics);
    }
}

// Stores the partial sums `part` of this dispatch: a line of losses for each model, then a line of
// right rows for each.
fn store(part: u32, metrics: vec2<f32>) {
    let line = part / params.groups;
    let at = params.first_group + part % params.groups;
    partial[line * params.line + at] = metrics.x;
    if (CLASSES > 0u) {
        partial[(params.models + line) * params.line + at] = metrics.y;
    }
}

// The share of a row in the loss, and 1 where its class is right. Each value is scaled before it is
// added, so that no sum overflows where the mean does not.
fn metrics_of(model: u32, row: u32) -> vec2<f32> {
    let first = (model * params.rows + row) * params.width;
    let shared_by_row = loss_row(first);
    var sum = 0.0;
    // The largest output and the largest target, and where they are.
    var output = z[first];
    var label = target_of(first);
    var places = vec2<u32>(first);
    var finite = true;
    for (var i = first; i < first + params.width; i++) {
        let t = target_of(i);
        sum += loss_element(i - first, z[i], t, shared_by_row).x * params.scale;
        if (CLASSES > 0u) {
            finite = finite && is_finite(z[i]);
        }
        if (CLASSES == 2u) {
            if (z[i] > output) {
                output = z[i];
                places.x = i;
            }
            if (t > label) {
                label = t;
                places.y = i;
            }
        }
    }
    var right = places.x == places.y;
    if (CLASSES == 1u) {
        right = (output > params.threshold) == (label > params.target_threshold);
    }
    return vec2<f32>(sum, select(0.0, 1.0, right && finite));
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
    return targets[params.first_target + (i / elements) * params.target_model + i % elements];
}

// Input `i` of the row whose first element of z is `first`. Models that share their targets share their
// inputs.
fn input_of(first: u32, i: u32) -> f32 {
    let row = first / params.width;
    let own = select(row % params.rows, row, params.target_model > 0u);
    return inputs[params.first_input + own * params.input_width + i];
}
