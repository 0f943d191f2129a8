// Copies of one model's parameters, each with a different parameter replaced. The losses of this
// population give a numerical gradient. Definition: src/kernels/measure/perturb.rs.

@compute @workgroup_size(64)
fn perturb(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let model = index / params.parameters;
    let parameter = index % params.parameters;
    if (model >= params.models) {
        return;
    }
    var value = base[parameter];
    if (parameter == params.first + model) {
        value = replaced[parameter];
    }
    copies[index] = value;
}
