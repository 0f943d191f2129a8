// Between the two networks: the density network's outputs are the first inputs of the colour network,
// so the gradient with respect to those inputs is a part of the gradient of the density's outputs.

@group(0) @binding(0) var<storage, read> counts: Counts;
// [samples, FEATURES]: the outputs of the density network. The first is the density.
@group(0) @binding(1) var<storage, read> features: array<f32>;
// [samples, FEATURES + 3]
@group(0) @binding(2) var<storage, read_write> colour_inputs: array<f32>;
// The derivatives of the loss with respect to these two.
@group(0) @binding(3) var<storage, read> colour_inputs_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> features_gradient: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= counts.samples) { return; }
    for (var k = 0u; k < FEATURES; k++) {
        colour_inputs[(FEATURES + 3u) * id.x + k] = features[FEATURES * id.x + k];
    }
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= counts.samples) { return; }
    for (var k = 0u; k < FEATURES; k++) {
        // The first has its gradient from the compositing already.
        let composited = select(0.0, features_gradient[FEATURES * id.x], k == 0u);
        let chained = colour_inputs_gradient[(FEATURES + 3u) * id.x + k];
        features_gradient[FEATURES * id.x + k] = composited + chained;
    }
}
