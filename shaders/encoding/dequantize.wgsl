// The f32 gradient of a grid's tables from the fixed-point sums, which are reset to 0.
// Definition: src/kernels/encoding/dequantize.rs.

// Whether the sums are added to the gradient that is there.
override ADDS: bool = false;

@compute @workgroup_size(64)
fn dequantize(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // The tables of a model are whole `Lanes` values: each value belongs to one model.
    let begin = (group.y * groups.x + group.x) * 64u * RUNS + local;
    let end = end_of_run(begin, params.models * params.tables);
    for (var i = begin; i < end; i += 64u) {
        let model = i * LANES / params.tables;
        let element = i * LANES % params.tables;
        let max_bits = max_abs_bits[model];
        let sum = take_sums(i, params.low);
        // The inverse of a power of two by its bits. This is exact, whatever the device's division
        // does.
        let one = fixed_point_scale(max_bits, params.bits);
        let quantum = bitcast<vec2<f32>>(vec2<u32>(0x7f000000u) - bitcast<vec2<u32>>(one));
        let quanta = Lanes(sum.upper) * f32(1u << params.low) + Lanes(sum.lower);
        var value = quanta * quantum.x * quantum.y;
        if (max_bits >= 0x7f800000u) {
            value = Lanes(bitcast<f32>(max_bits));
            if (params.marks != 0u && element == 0u) {
                mark_diverged(model, vec2<u32>(status.step, status.step_high));
            }
        }
        let place = (model * params.parameters + params.first + element) / LANES;
        if (ADDS) {
            value += unpacked(gradient[place]);
        }
        gradient[place] = packed(value);
    }
}
