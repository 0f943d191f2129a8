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
@group(0) @binding(2) var<storage, read_write> sums: array<vec2<i32>>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> status: Status;

// 2ⁿ for n in −126 to 127.
fn power_of_two(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

@compute @workgroup_size(64)
fn settle(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let model = index / params.tables;
    if (model >= params.models) {
        return;
    }
    let element = index % params.tables;
    let peak = peaks[model];
    let sum = sums[index];
    sums[index] = vec2<i32>();
    // The lower word counts without a sign; what is over goes up, to the nearest, so that a small
    // negative sum is no difference of two large numbers.
    let lower = bitcast<u32>(sum.x);
    let rest = bitcast<i32>(lower << (32u - params.low)) >> (32u - params.low);
    let upper = sum.y + i32(lower >> params.low) + select(0i, 1i, rest < 0i);
    let n = i32(params.bits) + 126 - i32(peak >> 23u);
    let half = n / 2;
    let quanta = f32(upper) * f32(1u << params.low) + f32(rest);
    var value = quanta * power_of_two(-half) * power_of_two(half - n);
    if (peak >= 0x7f800000u) {
        value = bitcast<f32>(peak);
        if (element == 0u) {
            atomicMin(&status.diverged[model], status.step);
        }
    }
    gradient[model * params.parameters + params.first + element] = value;
}
