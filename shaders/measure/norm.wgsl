// Partial results for the norm of a range of each model's vector: the largest magnitude of 4,096
// elements, and the sum of the squares of the elements divided by it. Neither can overflow or
// vanish.
// Definition: src/kernels/measure/norm.rs.

// The bits of magnitudes have the order of the magnitudes, with NaN above all. An integer maximum
// therefore keeps a NaN.
var<workgroup> tops: array<u32, 64>;
var<workgroup> sums: array<f32, 64>;

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
    var top_bits = 0u;
    for (var i = begin + local; i < end; i += 64u) {
        top_bits = max(top_bits, bitcast<u32>(values[start + i]) & 0x7fffffffu);
    }
    tops[local] = top_bits;
    workgroupBarrier();
    for (var width = 32u; width > 0u; width /= 2u) {
        if (local < width) {
            tops[local] = max(tops[local], tops[local + width]);
        }
        workgroupBarrier();
    }
    top_bits = tops[0];
    let top = bitcast<f32>(top_bits);
    var sum = 0.0;
    if (top_bits > 0u && top_bits < 0x7f800000u) {
        for (var i = begin + local; i < end; i += 64u) {
            let share = values[start + i] / top;
            sum += share * share;
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var width = 32u; width > 0u; width /= 2u) {
        if (local < width) {
            sums[local] += sums[local + width];
        }
        workgroupBarrier();
    }
    if (local == 0u) {
        partial[index] = vec2<f32>(top, sums[0]);
    }
}
