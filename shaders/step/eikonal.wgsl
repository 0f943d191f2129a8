// The gradient of the eikonal term with respect to a slope p, one row per invocation:
// 2 w (|p| − 1) p / |p|, and 0 where p is 0. Definition: src/kernels/step/eikonal.rs.

@compute @workgroup_size(64)
fn eikonal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index / params.rows >= params.models || index % params.rows >= params.count) {
        return;
    }
    let begin = index * params.inputs;
    var square = 0.0;
    for (var d = 0u; d < params.inputs; d++) {
        square += slopes[begin + d] * slopes[begin + d];
    }
    let factor = select(params.scale * (1.0 - 1.0 / sqrt(square)), 0.0, square == 0.0);
    for (var d = 0u; d < params.inputs; d++) {
        slope_gradient[begin + d] = factor * slopes[begin + d];
    }
}
