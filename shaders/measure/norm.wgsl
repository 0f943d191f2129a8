// Partial results for the norm of a range of each model's vector: a power of two near the largest
// magnitude of 4,096 elements, and the sum of the squares of the elements divided by it. Neither can
// overflow or vanish.
// Definition: src/kernels/measure/norm.rs.

@compute @workgroup_size(64)
fn norm(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= params.models * params.groups) {
        return;
    }
    let model = index / params.groups;
    let begin = (index % params.groups) * 4096u;
    let end = min(begin + 4096u, params.length);
    let start = params.offset + model * params.stride;
    // The bits of magnitudes have the order of the magnitudes, with NaN above all. An integer maximum
    // therefore keeps a NaN.
    var top = 0u;
    for (var i = begin + local; i < end; i += 64u) {
        top = max(top, bitcast<u32>(values[start + i]) & 0x7fffffffu);
    }
    top = max_of_workgroup(top, local);
    var sum = 0.0;
    for (var i = begin + local; i < end; i += 64u) {
        let share = values[start + i] * scale_of(top);
        sum += share * share;
    }
    sum = sum_of_workgroup(sum, local);
    if (local == 0u) {
        // What is not finite stays what it is.
        let bits = select(exponent_of(top) << 23u, top, top >= 0x7f800000u);
        partial[index] = vec2<f32>(bitcast<f32>(bits), sum);
    }
}
