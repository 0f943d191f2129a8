// The gradient of the mean squared error with respect to the outputs of this rank's rows. The mean is that of
// all ranks' rows.

@group(0) @binding(0) var<storage, read> outputs: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn loss(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&gradient)) {
        gradient[id.x] = 2.0 * SHARE * (outputs[id.x] - targets[id.x]);
    }
}
