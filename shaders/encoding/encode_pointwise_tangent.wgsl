// The tangents of the outputs of an encoding without parameters, one output per invocation.
// Definition: src/kernels/encoding/encode_pointwise_tangent.rs.

@compute @workgroup_size(64)
fn encode_pointwise_tangent(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let outputs = params.points * params.of_point;
    let row = index / outputs;
    let model = row / params.rows;
    if (model >= params.models || row % params.rows >= params.count) {
        return;
    }
    let column = index % outputs;
    let place = column / params.of_point * DIMENSIONS;
    let at = params.input_offset + model * params.input_model
        + row % params.rows * params.inputs + place;
    let step = row * params.inputs + params.input_offset % params.inputs + place;
    var p = vec3<f32>(inputs[at], 0.0, 0.0);
    var v = vec3<f32>(tangents[step], 0.0, 0.0);
    if (DIMENSIONS == 3u) {
        p = vec3<f32>(p.x, inputs[at + 1u], inputs[at + 2u]);
        v = vec3<f32>(v.x, tangents[step + 1u], tangents[step + 2u]);
    }
    let slopes = encoding_derivative(p, column % params.of_point, vec2<f32>(params.x, params.y));
    encoded[row * params.width + params.first + column] = dot(slopes, v);
}
