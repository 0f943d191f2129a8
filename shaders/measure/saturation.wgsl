// The number of rows of a batch on which each unit is saturated, or a ReLU is inactive. Counts are
// integers, so the order of the additions does not matter.
// Definition: src/kernels/measure/saturation.rs.

@compute @workgroup_size(64)
fn saturation(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let unit = index % params.units;
    let chunk = (index / params.units) % params.chunks;
    let model = index / params.units / params.chunks;
    if (model >= params.models) {
        return;
    }
    let begin = chunk * 256u;
    let end = min(begin + 256u, params.rows);
    var count = 0u;
    for (var row = begin; row < end; row++) {
        let at = params.offset + (model * params.rows + row) * params.units + unit;
        if (abs(derivative_of(saved[at])) <= params.threshold) {
            count++;
        }
    }
    atomicAdd(&counts[model * params.units + unit], count);
}
