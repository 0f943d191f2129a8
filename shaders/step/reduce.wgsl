// The second stage of all sums of a step: the gradient from its splits, the loss of each model from
// its workgroups, and the check that they are finite. Definition: src/kernels/step/reduce.rs.

// Whether the gradient comes in partial sums. Otherwise it is complete and is only checked.
override SPLIT: bool = true;

// Whether the sum is added to the gradient that is there. No invocation then takes part in the loss.
override ADDS: bool = false;

// Whether eight invocations share the splits of a value, each with eight loads under way at a time:
// for GPUs, and many splits. An invocation then has one value.
override SHARED: bool = false;

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
        let elements = params.parameters * params.models;
        var begin = index * 64u * RUNS + local;
        var fails = 0u;
        if (SHARED) {
            begin = index * 8u + local % 8u;
            let value = shared_sum(begin, elements, local);
            if (local < 8u && begin < (elements + LANES - 1u) / LANES) {
                fails = not_finite(stored(begin, value));
            }
        } else {
            let end = end_of_run(begin, elements);
            for (var i = begin; i < end; i += 64u) {
                fails |= not_finite(reduced(i)) << first_bit(begin, i);
            }
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

// The index in `gradient` of value `i` of the sums, behind the tables of its model.
fn place(i: u32) -> u32 {
    if (params.tables == 0u) {
        return i;
    }
    return i + (i * LANES / params.parameters + 1u) * params.tables / LANES;
}

// Value `i` of the gradient, after its sum is stored.
fn reduced(i: u32) -> Lanes {
    if (!SPLIT) {
        return unpacked(gradient[place(i)]);
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
    return stored(i, sum + part_sum);
}

// Stores value `i` of the gradient and returns it.
fn stored(i: u32, sum: Lanes) -> Lanes {
    var result = sum;
    if (ADDS) {
        result += unpacked(gradient[place(i)]);
    }
    gradient[place(i)] = packed(result);
    return result;
}
