// Many training steps of a small network in one dispatch, one workgroup per model. Each invocation
// computes four rows at a time, forward and backward, in its registers. The sums over the rows are
// then reduced, and each invocation updates its share of the parameters, which stays in its
// registers from step to step. src/kernels/resident/ generates the other functions for the network
// and the workgroup.

// A full batch, feature after feature, inputs before targets, `HELD_ROWS` elements apart. An
// element holds four rows. An invocation alone with its rows reads only those that it has loaded itself.
var<workgroup> held: array<vec4<f32>, HELD>;

var<private> hyper: Hyper;
var<private> lane: u32;
var<private> model: u32;
var<private> first_row: u32;
// The epoch, and the position in it.
var<private> cursor: vec2<u32>;

@compute @workgroup_size(WORKGROUP)
fn resident(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // A local, made of the workgroup's number alone: a compiler sees that all invocations of a
    // workgroup return here or none, as the barriers below demand.
    let index = group.y * groups.x + group.x;
    if (index >= params.groups) {
        return;
    }
    lane = local;
    model = params.first_model + index;
    first_row = model * params.own_data * params.rows;
    cursor = vec2<u32>(status.epoch, status.position);
    var step = vec2<u32>(status.step, status.step_high);
    var slot = status.slot;
    // The words of the step at which the model diverged.
    var diverged = vec2<u32>(status.diverged[model], status.diverged[params.models + model]);
    hyper = hyperparameters;
    load();
    if (HOLDS) {
        let quads = params.blocks * (WORKGROUP / PARTS);
        for (var i = lane; i < (INPUTS + OUTPUTS) * quads; i += WORKGROUP) {
            held[i / quads * HELD_ROWS + i % quads] = four_values(i % quads, i / quads);
        }
    }
    begin();
    for (var i = 0u; i < params.steps; i++) {
        broadcast();
        clear();
        for (var block = 0u; block < params.blocks; block++) {
            let quad = (block * WORKGROUP + lane) / PARTS;
            let rows = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
            add_rows(quad, select(vec4<f32>(), vec4<f32>(params.scale), rows < vec4<u32>(params.count)));
        }
        total();
        if (lane == LOSS_LANE) {
            losses[slot * params.models + model] = loss_total();
        }
        slot = next_slot(slot, params.history);
        let fails = in_any_lane(!is_total_finite());
        diverged = select(diverged, step, fails && diverged.x == NOT_DIVERGED);
        if (SCHEDULED) {
            hyper.rate = scheduled_rate(hyperparameters, step_of_schedule(step));
        }
        step = next_step(step);
        // A model that diverges in its update stops at the next step: a failure in one lane does
        // not stop the other lanes in this step.
        let stops = in_any_lane(update(diverged.x != NOT_DIVERGED, step_as_f32(step)));
        diverged = select(diverged, step, stops && diverged.x == NOT_DIVERGED);
        cursor = next_cursor(cursor, params.rows, params.batch);
    }
    store();
    if (lane == 0u) {
        status.diverged[model] = diverged.x;
        status.diverged[params.models + model] = diverged.y;
        if (ALONE) {
            // No other workgroup reads these counters. With several models no workgroup can know
            // that, and `advance` updates them for all.
            status.step = step.x;
            status.updates = step.x;
            status.step_high = step.y;
            status.updates_high = step.y;
            status.slot = slot;
            status.epoch = cursor.x;
            status.position = cursor.y;
        }
    }
}

// One feature of four rows of the batch. Rows beyond the end repeat the last row. The compiler does
// not know the length of the loop. It would unroll a known length, and each load costs milliseconds
// of compile time on a CPU.
fn four_values(quad: u32, feature: u32) -> vec4<f32> {
    var values = vec4<f32>();
    for (var i = 4u * quad; i < 4u * quad + 4u; i++) {
        let row = first_row + batch_row(min(i, params.count - 1u));
        var value = 0.0;
        if (feature < INPUTS) {
            value = inputs[row * INPUTS + feature];
        } else {
            value = targets[row * OUTPUTS + feature - INPUTS];
        }
        let place = vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(i - 4u * quad);
        values = select(values, vec4<f32>(value), place);
    }
    return values;
}
