// Writes rows of outputs as texels, row after row of the texture, one layer per model.
// Definition: src/kernels/measure/texture.rs.

@compute @workgroup_size(64)
fn texture(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let model = index / params.rows;
    if (model >= params.models || index % params.rows >= params.count) {
        return;
    }
    let at = index * params.outputs + params.column;
    var texel = vec4<f32>(values[at], 0.0, 0.0, 1.0);
    if (params.channels > 1u) {
        texel.y = values[at + 1u];
    }
    if (params.channels > 2u) {
        texel.z = values[at + 2u];
    }
    if (params.channels > 3u) {
        texel.w = values[at + 3u];
    }
    let row = params.first + index % params.rows;
    textureStore(texels, vec2<u32>(row % params.width, row / params.width), model, texel);
}
