// The second stage of all sums of a step: the gradient from its splits, the loss of each model from
// its workgroups, and the check that they are finite. Definition: src/kernels/step/reduce.rs.

// Whether the gradient comes in partial sums. Otherwise it is complete and is only checked.
override SPLIT: bool = true;

// Whether the sum is added to the gradient that is there. No invocation then takes part in the loss.
override ADDS: bool = false;

// Whether one invocation adds up a loss. On a CPU a barrier costs every workgroup more.
override ALONE: bool = false;

@compute @workgroup_size(64)
fn reduce(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    let step = vec2<u32>(status.step, status.step_high);
    if (index < params.gradient_groups) {
        let begin = index * 64u * RUNS + local;
        let elements = params.parameters * params.models;
        let end = end_of_run(begin, elements);
        var fails = 0u;
        for (var i = begin; i < end; i += 64u) {
            fails |= not_finite(reduced(i)) << first_bit(begin, i);
        }
        // The loop ends with the last bit and has no known length. A compiler would unroll a known
        // length, and a CPU would execute all of it for nothing.
        fails *= params.marks;
        while (fails != 0u) {
            let bit = firstTrailingBit(fails);
            fails &= fails - 1u;
            let element = min(element_of_bit(begin, bit), elements - 1u);
            mark_diverged(element / params.parameters, step);
        }
        return;
    }
    let model = index - params.gradient_groups;
    if (ADDS || model >= params.models) {
        return;
    }
    var sum = 0.0;
    if (ALONE) {
        // The other invocations loop zero times: on a CPU each would execute the loads.
        let end = select(0u, params.loss_groups, local == 0u);
        var run = 0.0;
        for (var i = 0u; i < end; i++) {
            run += partial_loss[model * params.loss_groups + i];
            if (i % 16u == 15u) {
                sum += run;
                run = 0.0;
            }
        }
        sum += run;
    } else {
        for (var i = local; i < params.loss_groups; i += 64u) {
            sum += partial_loss[model * params.loss_groups + i];
        }
        sum = sum_of_workgroup(sum, local);
    }
    if (local == 0u) {
        losses[status.slot * params.models + model] = sum;
        if (params.marks != 0u && !is_finite(sum)) {
            mark_diverged(model, step);
        }
        if (model == 0u) {
            // `update` reads this and advances `step`. No invocation reads what another of its
            // dispatch writes.
            let updates = next_step(step);
            status.updates = updates.x;
            status.updates_high = updates.y;
        }
    }
}

// Value `i` of the gradient, after its sum is stored behind the tables of its model.
fn reduced(i: u32) -> Lanes {
    var place = i;
    if (params.tables > 0u) {
        place += (i * LANES / params.parameters + 1u) * params.tables / LANES;
    }
    if (!SPLIT) {
        return unpacked(gradient[place]);
    }
    // Sixteen at a time: a sum of sums has a smaller rounding error than one long sum.
    var sum = Lanes();
    var part_sum = Lanes();
    for (var split = 0u; split < params.splits; split++) {
        part_sum += unpacked(partial_gradient[split * (params.split_stride / LANES) + i]);
        if (split % 16u == 15u) {
            sum += part_sum;
            part_sum = Lanes();
        }
    }
    sum += part_sum;
    if (ADDS) {
        sum += unpacked(gradient[place]);
    }
    gradient[place] = packed(sum);
    return sum;
}
