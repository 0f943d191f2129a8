// The gradient of the inputs of an encoding without parameters, from those of its outputs and of their
// tangents. One point per invocation.
// Definition: src/kernels/encoding/encode_pointwise_curvature.rs.

// Whether the gradient is added to what another encoding of the same inputs has left.
override ADDS: bool = false;

@compute @workgroup_size(64)
fn encode_pointwise_curvature(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let row = index / params.points;
    let model = row / params.rows;
    if (model >= params.models || row % params.rows >= params.count) {
        return;
    }
    let place = index % params.points;
    let column = params.input_offset % params.inputs + place * DIMENSIONS;
    let at = params.input_offset + model * params.input_model
        + row % params.rows * params.inputs + place * DIMENSIONS;
    let to = row * params.inputs + column;
    var p = vec3<f32>(inputs[at], 0.0, 0.0);
    var v = vec3<f32>(tangents[to], 0.0, 0.0);
    if (DIMENSIONS == 3u) {
        p = vec3<f32>(p.x, inputs[at + 1u], inputs[at + 2u]);
        v = vec3<f32>(v.x, tangents[to + 1u], tangents[to + 2u]);
    }
    let numbers = vec2<f32>(params.x, params.y);
    let first = row * params.width + params.first + place * params.of_point;
    var sum = vec3<f32>();
    for (var k = 0u; k < params.of_point; k++) {
        sum += delta[first + k] * encoding_derivative(p, k, numbers);
        sum += tangent_delta[first + k] * encoding_second_derivative(p, k, numbers, v);
    }
    if (ADDS) {
        sum.x += input_gradient[to];
        if (DIMENSIONS == 3u) {
            sum.y += input_gradient[to + 1u];
            sum.z += input_gradient[to + 2u];
        }
    }
    input_gradient[to] = sum.x;
    if (DIMENSIONS == 3u) {
        input_gradient[to + 1u] = sum.y;
        input_gradient[to + 2u] = sum.z;
    }
}
