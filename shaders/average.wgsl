// The exponential moving average of the parameters. Definition: src/kernels/average.rs.
struct Params {
    elements: u32,
    one_minus_decay: f32,
    ln_decay: f32,
}

struct Status {
    step: u32,
    updates: u32,
    epoch: u32,
    position: u32,
    diverged: array<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parameters: array<f32>;
@group(0) @binding(2) var<storage, read> status: Status;
@group(0) @binding(3) var<storage, read_write> averages: array<f32>;

@compute @workgroup_size(64)
fn average(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.elements) {
        return;
    }
    let t = f32(status.updates);
    let share = params.one_minus_decay / -exp_minus_one(max(t * params.ln_decay, -80.0));
    let kept = averages[index];
    averages[index] = kept + share * (parameters[index] - kept);
}
