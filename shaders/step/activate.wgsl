// The outputs of a last layer from its pre-activations, one element per invocation.
// Definition: src/kernels/step/activate.rs.

@compute @workgroup_size(64)
fn activate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index / params.size >= params.models || index % params.size >= params.count) {
        return;
    }
    outputs[index] = activation_value(z[index]);
}
