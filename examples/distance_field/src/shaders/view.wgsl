// A surface as a fragment shader sees it: the field's, through the network's own function, or the mesh's.

struct View {
    right: vec4<f32>,
    up: vec4<f32>,
    forward: vec4<f32>,
}

@group(2) @binding(0) var<uniform> view: View;

struct Corner { @builtin(position) position: vec4<f32>, @location(0) at: vec2<f32> }

@vertex
fn whole(@builtin(vertex_index) i: u32) -> Corner {
    let at = vec2<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0);
    return Corner(vec4<f32>(at, 0.0, 1.0), at);
}

// Where a ray enters and leaves the box; it misses the box where `x` is not below `y`.
fn through_box(origin: vec3<f32>, direction: vec3<f32>) -> vec2<f32> {
    let slope = 1.0 / select(direction, vec3<f32>(1e-6), abs(direction) < vec3<f32>(1e-6));
    let a = (vec3<f32>(-HALF) - origin) * slope;
    let b = (vec3<f32>(HALF) - origin) * slope;
    let near = min(a, b);
    let far = max(a, b);
    return vec2<f32>(max(max(near.x, near.y), max(near.z, 0.0)), min(far.x, min(far.y, far.z)));
}

const BACKGROUND = vec3<f32>(0.93, 0.95, 0.97);

@fragment
fn surface(corner: Corner) -> @location(0) vec4<f32> {
    let origin = -DISTANCE * HALF * view.forward.xyz;
    let towards = FOCAL * view.forward.xyz + corner.at.x * view.right.xyz + corner.at.y * view.up.xyz;
    let direction = normalize(towards);
    let ends = through_box(origin, direction);
    var t = ends.x;
    var hit = false;
    // Sphere tracing (Hart, 1996). A field that is learnt may be a little steeper than a distance.
    for (var i = 0u; i < STEPS && t < ends.y; i++) {
        let d = distance_at(origin + t * direction);
        if (d < 0.001 * HALF) {
            hit = true;
            break;
        }
        t += 0.9 * d;
    }
    if (!hit) {
        return vec4<f32>(BACKGROUND * (1.0 - 0.06 * length(corner.at)), 1.0);
    }
    let p = origin + t * direction;
    let n = normalize(slope_at(p));
    // A key light, a sky, and how much of the sky the next bit of way along the normal leaves open.
    let key = max(dot(n, normalize(vec3<f32>(0.5, 0.8, 0.6))), 0.0);
    let sky = 0.5 + 0.5 * n.y;
    let reach = 0.15 * HALF;
    let open = clamp(distance_at(p + reach * n) / reach, 0.0, 1.0);
    let rim = pow(1.0 - max(dot(n, -direction), 0.0), 3.0);
    let stone = vec3<f32>(0.86, 0.55, 0.36);
    let light = stone * (0.75 * key + 0.45 * sky * (0.35 + 0.65 * open)) + 0.18 * rim;
    return vec4<f32>(pow(light, vec3<f32>(1.0 / 1.4)), 1.0);
}

// The field on the plane through the middle: outside is blue, inside orange, with lines of equal distance.
@fragment
fn slice(corner: Corner) -> @location(0) vec4<f32> {
    let d = distance_at(vec3<f32>(HALF * corner.at, 0.0));
    let inside = vec3<f32>(0.93, 0.62, 0.33);
    let outside = vec3<f32>(0.45, 0.66, 0.86);
    var colour = select(outside, inside, d < 0.0);
    colour = mix(vec3<f32>(0.97), colour, 1.0 - exp(-4.0 * abs(d) / HALF));
    let spacing = 0.1 * HALF;
    let pixel = 2.0 * HALF / SIZE;
    let to_line = abs(fract(d / spacing + 0.5) - 0.5) * spacing;
    colour = mix(colour * 0.72, colour, smoothstep(0.3, 1.3, to_line / pixel));
    colour = mix(vec3<f32>(0.1), colour, smoothstep(0.8, 2.2, abs(d) / pixel));
    return vec4<f32>(colour, 1.0);
}
