// The index of each model's first element that is NaN or infinite, by its bits. The slots must hold
// 0xffffffff before. Definition: src/kernels/measure/finite.rs.

@compute @workgroup_size(64)
fn finite(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.length * params.models) {
        return;
    }
    if (!is_finite(values[index])) {
        atomicMin(&first[index / params.length], index % params.length);
    }
}
