// The loss of a row, from the output y and the slope p, and its derivatives with respect to both.
//
// A row of a mesh has a distance d as its target: |y - d|. A point with a normal n: its y and p - n are 0.
// Any other point has the energy of heat that falls off with the distance, (|p|^2 + 1) exp(-2 FALL |y|),
// or the field would have surfaces that nobody asked for: Wang et al., "HotSpot: Signed Distance Function
// Optimization with an Asymptotically Sufficient Condition", 2025. And every row has the eikonal term: a
// distance has a slope of length 1.

@group(0) @binding(0) var<storage, read> outputs: array<f32>;
@group(0) @binding(1) var<storage, read> slopes: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> slope_gradient: array<f32>;

// |x|, rounded off below 0.001, and its derivative.
fn soft(x: f32) -> vec2<f32> {
    let root = sqrt(x * x + 1e-6);
    return vec2<f32>(root - 1e-3, x / root);
}

@compute @workgroup_size(64)
fn loss(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    let rows = arrayLength(&targets);
    if (row >= rows) { return; }
    let y = outputs[row];
    let p = vec3<f32>(slopes[3u * row], slopes[3u * row + 1u], slopes[3u * row + 2u]);
    let goal = targets[row];
    var dy = 0.0;
    let norm = max(length(p), 1e-6);
    var dp = 2.0 * EIKONAL * (norm - 1.0) * p / norm;
    if (goal.w == 2.0) {
        dy = soft(y - goal.x).y;
    } else if (goal.w == 1.0) {
        dy = ON_SURFACE * soft(y).y;
        dp += 2.0 * NORMAL * (p - goal.xyz);
    } else {
        let heat = HEAT * exp(-2.0 * FALL * abs(y));
        dy = -FALL * heat * (norm * norm + 1.0) * sign(y);
        dp += heat * p;
    }
    let each = 1.0 / f32(rows);
    output_gradient[row] = dy * each;
    slope_gradient[3u * row] = dp.x * each;
    slope_gradient[3u * row + 1u] = dp.y * each;
    slope_gradient[3u * row + 2u] = dp.z * each;
}
