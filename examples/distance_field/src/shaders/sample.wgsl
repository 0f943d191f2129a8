// The rows of a step: points of the surface, points near it, points of the whole box.

struct State { step: u32, seed: u32 }

@group(0) @binding(0) var<storage, read_write> state: State;
// [rows, 3]: what the network reads.
@group(0) @binding(1) var<storage, read_write> positions: array<f32>;
// [rows]: a normal and its kind, or a distance. See `loss.wgsl`.
@group(0) @binding(2) var<storage, read_write> targets: array<vec4<f32>>;
// The share of the whole area that the triangles up to each have; or the points with their normals.
@group(0) @binding(3) var<storage, read> areas: array<f32>;
@group(0) @binding(4) var<storage, read> points: array<vec4<f32>>;

// Wellons' lowbias32, a hash of 32 bits.
fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

var<private> draws: u32;

// A number from 0 to 1, 1 excluded.
fn draw() -> f32 {
    draws = mix_bits(draws + 0x9e3779b9u);
    return f32(draws >> 8u) / 16777216.0;
}

fn begin(row: u32) {
    draws = mix_bits(row ^ mix_bits(state.step ^ mix_bits(state.seed)));
}

fn in_box() -> vec3<f32> {
    let p = vec3<f32>(draw(), draw(), draw());
    return (2.0 * p - 1.0) * HALF;
}

// Two numbers of the normal distribution (Box and Muller).
fn normals() -> vec2<f32> {
    let r = sqrt(-2.0 * log(1.0 - draw()));
    let angle = 6.2831853 * draw();
    return r * vec2<f32>(cos(angle), sin(angle));
}

// A point of the surface, every one as likely.
fn on_surface() -> vec3<f32> {
    let share = draw();
    var low = 0u;
    var high = arrayLength(&areas) - 1u;
    while (low < high) {
        let middle = (low + high) / 2u;
        if (areas[middle] > share) { high = middle; } else { low = middle + 1u; }
    }
    var u = draw();
    var v = draw();
    if (u + v > 1.0) {
        u = 1.0 - u;
        v = 1.0 - v;
    }
    let corners = triangles[low].corners;
    let a = corners[0].xyz;
    return a + u * (corners[1].xyz - a) + v * (corners[2].xyz - a);
}

fn store(row: u32, p: vec3<f32>, goal: vec4<f32>) {
    let held = clamp(p, vec3<f32>(-HALF), vec3<f32>(HALF));
    positions[3u * row] = held.x;
    positions[3u * row + 1u] = held.y;
    positions[3u * row + 2u] = held.z;
    targets[row] = goal;
}

// Of eight rows, two lie on the surface, two very near, one near, three in the box.
@compute @workgroup_size(64)
fn sample_mesh(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&targets)) { return; }
    begin(id.x);
    let kind = id.x % 8u;
    var p = in_box();
    if (kind < 5u) {
        let width = select(select(0.1, 0.02, kind < 4u), 0.0, kind < 2u) * HALF;
        let first = normals();
        let second = normals();
        p = on_surface() + width * vec3<f32>(first, second.x);
        p = clamp(p, vec3<f32>(-HALF), vec3<f32>(HALF));
    }
    store(id.x, p, vec4<f32>(distance_to_mesh(p), 0.0, 0.0, 2.0));
}

// Of eight rows, two are points with a normal, three lie near one, three in the box: these have no target.
@compute @workgroup_size(64)
fn sample_points(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&targets)) { return; }
    begin(id.x);
    if (id.x % 8u < 2u) {
        let count = arrayLength(&points) / 2u;
        let at = min(u32(draw() * f32(count)), count - 1u);
        store(id.x, points[2u * at].xyz, vec4<f32>(points[2u * at + 1u].xyz, 1.0));
        return;
    }
    var p = in_box();
    if (id.x % 8u < 5u) {
        // Round a point: where the surface is, the field must be right first.
        let count = arrayLength(&points) / 2u;
        let at = min(u32(draw() * f32(count)), count - 1u);
        let first = normals();
        p = points[2u * at].xyz + 0.05 * HALF * vec3<f32>(first, normals().x);
    }
    store(id.x, p, vec4<f32>(0.0));
}

// What the report looks at: the first half of the rows in the box, the others near the surface.
@compute @workgroup_size(64)
fn sample_report(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&targets)) { return; }
    begin(id.x);
    var p = in_box();
    if (id.x >= arrayLength(&targets) / 2u) {
        let first = normals();
        p = on_surface() + 0.02 * HALF * vec3<f32>(first, normals().x);
        p = clamp(p, vec3<f32>(-HALF), vec3<f32>(HALF));
    }
    store(id.x, p, vec4<f32>(distance_to_mesh(p), 0.0, 0.0, 2.0));
}

@compute @workgroup_size(1)
fn next() {
    state.step += 1u;
}
