// The exponential moving average of the parameters. Definition: src/kernels/step/ema.rs.

@compute @workgroup_size(64)
fn ema(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.elements) {
        return;
    }
    let t = step_as_f32(vec2<u32>(status.updates, status.updates_high));
    let share = params.one_minus_decay / -exp_minus_one(max(t * params.ln_decay, -80.0));
    let kept = ema_parameters[index];
    ema_parameters[index] = kept + share * (parameters[index] - kept);
}
