// f′ v: the tangent of a layer's activations from that of its pre-activations, or what a gradient of
// the outputs is at the last pre-activations. One element per invocation.
// Definition: src/kernels/step/tangent.rs.

// Whether every element of v is 1, and `v` is not read.
override ONES: bool = false;

@compute @workgroup_size(64)
fn tangent(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.elements) {
        return;
    }
    var slope = activation_derivative(activation_saved(saved[params.saved_offset + index]));
    if (!ONES) {
        slope *= v[index];
    }
    result[index] = slope;
}
