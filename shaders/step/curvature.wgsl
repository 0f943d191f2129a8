// The gradients of a layer's pre-activations and of their tangent, from those of its activations y and
// of their tangent: f′ dy + f″ ż dẏ and f′ dẏ. One element per invocation.
// Definition: src/kernels/step/curvature.rs.

// Whether every element of dẏ is 1, and `tangent_gradient` is not read.
override ONES: bool = false;

@compute @workgroup_size(64)
fn curvature(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.elements) {
        return;
    }
    let value = activation_saved(saved[params.saved_offset + index]);
    let slope = activation_derivative(value);
    let bend = activation_second_derivative(value) * tangents[index];
    var of_tangent = 1.0;
    if (!ONES) {
        of_tangent = tangent_gradient[index];
    }
    delta[index] = slope * gradient[index] + bend * of_tangent;
    tangent_delta[index] = slope * of_tangent;
}
