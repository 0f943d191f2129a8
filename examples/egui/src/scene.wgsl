// The map, the points and the loss curve, from the trainer's buffers. `net` and `net_gradient` are
// the network's, CENTRE and HALF the part of the plane that is shown.
struct Status { step: u32, updates: u32, epoch: u32, position: u32, more: array<u32> }
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read> losses: array<f32>;
@group(0) @binding(4) var<storage, read> status: Status;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) at: vec2<f32>,
    @location(1) label: f32,
}

const ZERO = vec3<f32>(0.17, 0.42, 0.69);
const ONE = vec3<f32>(0.90, 0.47, 0.13);

@vertex
fn whole(@builtin(vertex_index) i: u32) -> Corner {
    let at = vec2<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0);
    return Corner(vec4<f32>(at, 0.0, 1.0), at, 0.0);
}

// The probability at every pixel, and the line where it is one half.
@fragment
fn map(corner: Corner) -> @location(0) vec4<f32> {
    let p = vec2<f32>(CENTRE) + HALF * corner.at;
    let y = net(array<f32, 2>(p.x, p.y))[0];
    let g = net_gradient(array<f32, 2>(p.x, p.y));
    let slope = length(vec2<f32>(g[0], g[1]));
    let line = 1.0 - smoothstep(0.003, 0.006, abs(y - 0.5) / max(slope * HALF, 1e-6));
    let low = mix(ZERO, vec3<f32>(0.97), smoothstep(0.0, 0.5, y));
    let colour = mix(low, ONE, smoothstep(0.5, 1.0, y));
    return vec4<f32>(mix(colour, vec3<f32>(0.1), line), 1.0);
}

// A training point an instance.
@vertex
fn point(@builtin(vertex_index) i: u32, @builtin(instance_index) row: u32) -> Corner {
    let corner = vec2<f32>(f32(i & 1u), f32(i >> 1u)) * 2.0 - 1.0;
    let place = vec2<f32>(inputs[2u * row], inputs[2u * row + 1u]);
    let centre = (place - vec2<f32>(CENTRE)) / HALF;
    return Corner(vec4<f32>(centre + 0.011 * corner, 0.0, 1.0), corner, targets[row]);
}

@fragment
fn disc(corner: Corner) -> @location(0) vec4<f32> {
    let r = length(corner.at);
    if (r > 1.0) {
        discard;
    }
    let colour = mix(ZERO, ONE, corner.label) * 0.6;
    return vec4<f32>(select(colour, vec3<f32>(1.0), r > 0.7), 1.0);
}

// The loss of every step until now, from the ring on the GPU.
@fragment
fn curve(corner: Corner) -> @location(0) vec4<f32> {
    let kept = min(status.step, arrayLength(&losses));
    let step = status.step - kept + u32((corner.at.x * 0.5 + 0.5) * f32(kept));
    let loss = losses[step % arrayLength(&losses)];
    let below = kept > 0u && corner.at.y * 0.5 + 0.5 < loss / 0.8;
    return vec4<f32>(select(vec3<f32>(0.5), ONE, below), select(0.12, 0.85, below));
}
