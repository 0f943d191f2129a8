// A grid's gradient in f32 from its sums in fixed point, which are 0 then.
// Definition: src/kernels/settle.rs.
struct Params {
    models: u32,
    tables: u32,
    parameters: u32,
    first: u32,
    bits: u32,
    low: u32,
}

struct Status {
    step: u32,
    updates: u32,
    epoch: u32,
    position: u32,
    diverged: array<atomic<u32>>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> peaks: array<u32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<Stored>;
@group(0) @binding(4) var<storage, read_write> status: Status;

@compute @workgroup_size(64)
fn settle(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Tables are whole words of four: each is one model's.
    let begin = (group.y * groups.x + group.x) * 64u * RUNS + local;
    let end = end_of_run(begin, params.models * params.tables);
    for (var i = begin; i < end; i += 64u) {
        let model = i * LANES / params.tables;
        let element = i * LANES % params.tables;
        let peak = peaks[model];
        let sum = take_sums(i, params.low);
        // The inverse of a power of two by its bits: exact, whatever a device's division is.
        let one = quanta_of(peak, params.bits);
        let quantum = bitcast<vec2<f32>>(vec2<u32>(0x7f000000u) - bitcast<vec2<u32>>(one));
        let quanta = Word(sum.upper) * f32(1u << params.low) + Word(sum.lower);
        var value = quanta * quantum.x * quantum.y;
        if (peak >= 0x7f800000u) {
            value = Word(bitcast<f32>(peak));
            if (element == 0u) {
                atomicMin(&status.diverged[model], status.step);
            }
        }
        gradient[(model * params.parameters + params.first + element) / LANES] = packed(value);
    }
}
