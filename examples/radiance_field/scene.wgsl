// The scene that is photographed: an island with a lighthouse, given by its distance function and
// marched along each ray. The networks never see any of this, only the photographs.

@group(0) @binding(0) var<storage, read> cameras: array<Camera>;
// [views, size, size], four 8-bit channels each.
@group(0) @binding(1) var<storage, read_write> photographs: array<u32>;
// The size of a photograph, and the view that this dispatch takes.
@group(0) @binding(2) var<uniform> task: vec2<u32>;

// Samples of a side of a pixel.
const SAMPLES = 2u;
const SUN = vec3<f32>(0.55, 0.68, 0.48);
const SUNLIGHT = vec3<f32>(2.6, 2.3, 1.85);

const WATER = 0u;
const LAND = 1u;
const TOWER = 2u;
const DARK = 3u;
const LAMP = 4u;
const RED = 5u;
const WALL = 6u;
const LEAVES = 7u;
const WOOD = 8u;
const SAIL = 9u;
const ROCK = 10u;
const CLOUD = 11u;

const TOWER_AT = vec3<f32>(-0.24, 0.2, -0.14);
const HOUSE_AT = vec3<f32>(0.26, 0.16, 0.1);
const BOAT_AT = vec3<f32>(0.5, 0.0, 0.66);
const CLOUD_AT = vec3<f32>(0.38, 0.86, -0.3);

struct Hit {
    distance: f32,
    material: u32,
}

fn nearer(a: Hit, b: Hit) -> Hit {
    if (b.distance < a.distance) { return b; }
    return a;
}

fn smooth_min(a: f32, b: f32, k: f32) -> f32 {
    let h = max(k - abs(a - b), 0.0) / k;
    return min(a, b) - 0.25 * h * h * k;
}

fn smooth_max(a: f32, b: f32, k: f32) -> f32 {
    return -smooth_min(-a, -b, k);
}

fn ellipsoid(p: vec3<f32>, r: vec3<f32>) -> f32 {
    let k0 = length(p / r);
    return k0 * (k0 - 1.0) / max(length(p / (r * r)), 1e-6);
}

fn box(p: vec3<f32>, half: vec3<f32>) -> f32 {
    let q = abs(p) - half;
    return length(max(q, vec3<f32>(0.0))) + min(max(q.x, max(q.y, q.z)), 0.0);
}

// A cone cut off at both ends: radius `low` at -height, `high` at height.
fn cone(p: vec3<f32>, height: f32, low: f32, high: f32) -> f32 {
    let q = vec2<f32>(length(p.xz), p.y);
    let k1 = vec2<f32>(high, height);
    let k2 = vec2<f32>(high - low, 2.0 * height);
    let radius = select(high, low, q.y < 0.0);
    let ca = vec2<f32>(q.x - min(q.x, radius), abs(q.y) - height);
    let cb = q - k1 + k2 * clamp(dot(k1 - q, k2) / dot(k2, k2), 0.0, 1.0);
    let inside = cb.x < 0.0 && ca.y < 0.0;
    return select(1.0, -1.0, inside) * sqrt(min(dot(ca, ca), dot(cb, cb)));
}

fn turned(p: vec2<f32>, angle: f32) -> vec2<f32> {
    let s = sin(angle);
    let c = cos(angle);
    return vec2<f32>(c * p.x + s * p.y, c * p.y - s * p.x);
}

fn land(p: vec3<f32>) -> f32 {
    let beach = ellipsoid(p - vec3<f32>(0.02, -0.1, 0.0), vec3<f32>(0.74, 0.21, 0.62));
    let hill = ellipsoid(p - vec3<f32>(-0.2, -0.02, -0.12), vec3<f32>(0.4, 0.27, 0.36));
    let rise = ellipsoid(p - vec3<f32>(0.24, -0.04, 0.06), vec3<f32>(0.36, 0.22, 0.3));
    let bumps = 0.012 * sin(11.0 * p.x + 1.0) * sin(9.0 * p.z) * sin(7.0 * p.y + 2.0);
    return smooth_min(smooth_min(beach, hill, 0.15), rise, 0.15) + bumps;
}

fn water(p: vec3<f32>) -> f32 {
    let radius = length(p.xz);
    let waves = 0.006 * (sin(17.0 * p.x + 5.0 * p.z) + sin(13.0 * p.z - 7.0 * p.x + 2.0));
    let slab = vec2<f32>(radius - 0.98, abs(p.y + 0.125) - 0.125 - waves);
    return smooth_max(slab.x, slab.y, 0.05);
}

fn lighthouse(p: vec3<f32>) -> Hit {
    let q = p - TOWER_AT;
    var hit = Hit(cone(q - vec3<f32>(0.0, 0.27, 0.0), 0.3, 0.125, 0.08), TOWER);
    let gallery = cone(q - vec3<f32>(0.0, 0.575, 0.0), 0.016, 0.115, 0.125);
    hit = nearer(hit, Hit(gallery, DARK));
    hit = nearer(hit, Hit(cone(q - vec3<f32>(0.0, 0.65, 0.0), 0.06, 0.06, 0.06), LAMP));
    let cap = cone(q - vec3<f32>(0.0, 0.765, 0.0), 0.055, 0.095, 0.006);
    return nearer(hit, Hit(cap, RED));
}

fn house(p: vec3<f32>) -> Hit {
    var q = p - HOUSE_AT;
    let xz = turned(q.xz, 0.45);
    q = vec3<f32>(xz.x, q.y, xz.y);
    let walls = box(q - vec3<f32>(0.0, 0.06, 0.0), vec3<f32>(0.15, 0.1, 0.1));
    let slope = dot(vec2<f32>(abs(q.z), q.y) - vec2<f32>(0.0, 0.285), vec2<f32>(0.64, 0.77));
    let gable = max(max(slope, abs(q.x) - 0.15), 0.15 - q.y);
    let roof = max(max(abs(slope - 0.012) - 0.014, abs(q.x) - 0.175), 0.135 - q.y);
    let chimney = box(q - vec3<f32>(0.08, 0.27, 0.045), vec3<f32>(0.02, 0.07, 0.02));
    var hit = Hit(min(walls, gable), WALL);
    hit = nearer(hit, Hit(roof, RED));
    return nearer(hit, Hit(chimney, ROCK));
}

fn tree(p: vec3<f32>, at: vec3<f32>, size: f32) -> Hit {
    let q = (p - at) / size;
    let trunk = cone(q - vec3<f32>(0.0, 0.06, 0.0), 0.1, 0.022, 0.018);
    let low = cone(q - vec3<f32>(0.0, 0.21, 0.0), 0.085, 0.12, 0.03);
    let high = cone(q - vec3<f32>(0.0, 0.33, 0.0), 0.085, 0.09, 0.004);
    let leaves = smooth_min(low, high, 0.02);
    return nearer(Hit(size * trunk, WOOD), Hit(size * leaves, LEAVES));
}

fn boat(p: vec3<f32>) -> Hit {
    var q = p - BOAT_AT;
    let xz = turned(q.xz, -0.7);
    q = vec3<f32>(xz.x, q.y, xz.y);
    let hull = smooth_max(ellipsoid(q - vec3<f32>(0.0, 0.04, 0.0), vec3<f32>(0.2, 0.085, 0.075)), q.y - 0.045, 0.01);
    let mast = cone(q - vec3<f32>(0.02, 0.22, 0.0), 0.19, 0.009, 0.006);
    // Two triangles: the mainsail behind the mast and the jib in front of it.
    let thin = abs(q.z - 0.02 * sin(9.0 * q.y)) - 0.006;
    let main = max(max(q.x - 0.01, 0.085 - q.y), dot(q.xy - vec2<f32>(0.01, 0.4), vec2<f32>(-0.88, 0.47)));
    let jib = max(max(0.03 - q.x, 0.085 - q.y), dot(q.xy - vec2<f32>(0.03, 0.36), vec2<f32>(0.9, 0.43)));
    var hit = Hit(hull, WOOD);
    hit = nearer(hit, Hit(mast, DARK));
    return nearer(hit, Hit(max(min(main, jib), thin), SAIL));
}

fn rocks(p: vec3<f32>) -> f32 {
    let a = ellipsoid(p - vec3<f32>(-0.66, 0.0, 0.44), vec3<f32>(0.1, 0.07, 0.08));
    let b = ellipsoid(p - vec3<f32>(-0.57, 0.0, 0.56), vec3<f32>(0.06, 0.1, 0.06));
    let c = ellipsoid(p - vec3<f32>(0.72, 0.0, -0.36), vec3<f32>(0.09, 0.09, 0.11));
    return smooth_min(min(a, b), c, 0.02) + 0.006 * sin(40.0 * p.x) * sin(37.0 * p.y) * sin(43.0 * p.z);
}

fn cloud(p: vec3<f32>) -> f32 {
    let q = p - CLOUD_AT;
    var d = length(q) - 0.14;
    d = smooth_min(d, length(q - vec3<f32>(0.15, -0.03, 0.03)) - 0.1, 0.06);
    d = smooth_min(d, length(q - vec3<f32>(-0.16, -0.035, 0.02)) - 0.095, 0.06);
    d = smooth_min(d, length(q - vec3<f32>(0.04, -0.03, 0.1)) - 0.1, 0.06);
    return smooth_max(d, -0.07 - q.y, 0.05);
}

// Whether anything in a ball can be nearer than what was found.
fn may_be_nearer(p: vec3<f32>, middle: vec3<f32>, radius: f32, hit: Hit) -> bool {
    return distance(p, middle) - radius < hit.distance;
}

fn with_tree(hit: Hit, p: vec3<f32>, at: vec3<f32>, size: f32) -> Hit {
    if (!may_be_nearer(p, at + vec3<f32>(0.0, 0.19 * size, 0.0), 0.25 * size, hit)) { return hit; }
    return nearer(hit, tree(p, at, size));
}

fn scene(p: vec3<f32>) -> Hit {
    var hit = nearer(Hit(water(p), WATER), Hit(land(p), LAND));
    if (may_be_nearer(p, TOWER_AT + vec3<f32>(0.0, 0.39, 0.0), 0.46, hit)) { hit = nearer(hit, lighthouse(p)); }
    if (may_be_nearer(p, HOUSE_AT + vec3<f32>(0.0, 0.15, 0.0), 0.28, hit)) { hit = nearer(hit, house(p)); }
    if (may_be_nearer(p, BOAT_AT + vec3<f32>(0.0, 0.19, 0.0), 0.29, hit)) { hit = nearer(hit, boat(p)); }
    if (may_be_nearer(p, CLOUD_AT, 0.33, hit)) { hit = nearer(hit, Hit(cloud(p), CLOUD)); }
    hit = with_tree(hit, p, vec3<f32>(0.02, 0.13, 0.36), 1.0);
    hit = with_tree(hit, p, vec3<f32>(-0.2, 0.1, 0.4), 0.75);
    hit = with_tree(hit, p, vec3<f32>(0.16, 0.12, -0.34), 0.95);
    hit = with_tree(hit, p, vec3<f32>(0.42, 0.09, -0.22), 0.7);
    return nearer(hit, Hit(rocks(p), ROCK));
}

// From the differences along the corners of a tetrahedron (Quilez).
fn normal_of(p: vec3<f32>) -> vec3<f32> {
    let e = vec2<f32>(1.0, -1.0);
    let h = 0.0008;
    return normalize(e.xyy * scene(p + h * e.xyy).distance + e.yyx * scene(p + h * e.yyx).distance
        + e.yxy * scene(p + h * e.yxy).distance + e.xxx * scene(p + h * e.xxx).distance);
}

// How much of the sun reaches a point: the narrowest cone that is free on the way.
fn sunlit(p: vec3<f32>) -> f32 {
    let towards = normalize(SUN);
    var light = 1.0;
    var t = 0.015;
    for (var i = 0; i < 40; i++) {
        let d = scene(p + t * towards).distance;
        light = min(light, 14.0 * d / t);
        t += clamp(d, 0.008, 0.12);
        if (light < 0.0 || t > 2.2) { break; }
    }
    let held = clamp(light, 0.0, 1.0);
    return held * held * (3.0 - 2.0 * held);
}

// How open a point is to the sky.
fn openness(p: vec3<f32>, n: vec3<f32>) -> f32 {
    var hidden = 0.0;
    var weight = 1.0;
    for (var i = 1; i <= 4; i++) {
        let h = 0.035 * f32(i);
        hidden += weight * max(h - scene(p + h * n).distance, 0.0);
        weight *= 0.75;
    }
    return clamp(1.0 - 4.5 * hidden, 0.0, 1.0);
}

// The share of light that a surface of this material gives back.
fn albedo(material: u32, p: vec3<f32>, n: vec3<f32>) -> vec3<f32> {
    switch (material) {
        case 0u: {
            // Shallow and bright towards the beach, with a line of foam.
            let depth = land(vec3<f32>(p.x, 0.0, p.z));
            let foam = smoothstep(0.018, 0.008, abs(depth - 0.03 - 0.008 * sin(21.0 * p.x + 16.0 * p.z)));
            let sea = mix(vec3<f32>(0.08, 0.5, 0.53), vec3<f32>(0.015, 0.14, 0.32), smoothstep(0.0, 0.3, depth));
            let top = step(0.5, n.y);
            return mix(sea, vec3<f32>(0.9), 0.8 * foam * top);
        }
        case 1u: {
            let edge = p.y + 0.02 * sin(14.0 * p.x + 4.0) * sin(17.0 * p.z);
            let patches = 0.5 + 0.5 * sin(23.0 * p.x) * sin(19.0 * p.z + 1.0);
            let grass = mix(vec3<f32>(0.13, 0.3, 0.05), vec3<f32>(0.25, 0.42, 0.07), patches);
            return mix(vec3<f32>(0.78, 0.62, 0.37), grass, smoothstep(0.06, 0.085, edge));
        }
        case 2u: {
            let q = p - TOWER_AT;
            let stripe = smoothstep(-0.08, 0.08, sin(21.0 * q.y + 0.6));
            let paint = mix(vec3<f32>(0.85, 0.83, 0.78), vec3<f32>(0.68, 0.06, 0.05), stripe);
            return paint;
        }
        case 3u: { return vec3<f32>(0.05, 0.05, 0.07); }
        case 5u: { return vec3<f32>(0.62, 0.13, 0.06); }
        case 6u: {
            var q = p - HOUSE_AT;
            let xz = turned(q.xz, 0.45);
            q = vec3<f32>(xz.x, q.y, xz.y);
            let window = max(abs(abs(q.x) - 0.085) - 0.028, abs(q.y - 0.095) - 0.028);
            let door = max(abs(q.x) - 0.028, abs(q.y - 0.06) - 0.07);
            let side = abs(q.z) > 0.095;
            if (side && window < 0.0) { return vec3<f32>(0.05, 0.1, 0.16); }
            if (side && door < 0.0) { return vec3<f32>(0.05, 0.22, 0.3); }
            return vec3<f32>(0.82, 0.74, 0.6);
        }
        case 7u: { return vec3<f32>(0.04, 0.2, 0.07); }
        case 8u: { return vec3<f32>(0.3, 0.13, 0.05); }
        case 9u: { return vec3<f32>(0.87, 0.82, 0.72); }
        case 10u: { return vec3<f32>(0.26, 0.25, 0.25); }
        default: { return vec3<f32>(0.92); }
    }
}

// The light that a surface sends along -direction.
fn shade(p: vec3<f32>, direction: vec3<f32>, material: u32) -> vec3<f32> {
    if (material == LAMP) { return vec3<f32>(2.4, 1.6, 0.55); }
    let n = normal_of(p);
    let sun = normalize(SUN);
    let direct = max(dot(n, sun), 0.0) * sunlit(p + 0.004 * n);
    let open = openness(p, n);
    let sky = mix(vec3<f32>(0.3, 0.26, 0.22), vec3<f32>(0.5, 0.62, 0.8), 0.5 + 0.5 * n.y);
    var light = albedo(material, p, n) * (direct * SUNLIGHT + 0.85 * open * sky);
    if (material == WATER) {
        // What only some views see: the sky's mirror image, and the sun's.
        let mirrored = reflect(direction, n);
        let grazing = pow(1.0 - max(dot(n, -direction), 0.0), 5.0);
        let glint = pow(max(dot(mirrored, sun), 0.0), 60.0);
        light = mix(light, vec3<f32>(0.62, 0.78, 0.92), 0.04 + 0.7 * grazing) + 1.6 * glint * direct;
    }
    return light;
}

// The filmic curve of Narkowicz, then sRGB.
fn developed(light: vec3<f32>) -> vec3<f32> {
    let x = 0.62 * light;
    let mapped = clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), vec3<f32>(0.0), vec3<f32>(1.0));
    let curved = 1.055 * pow(mapped, vec3<f32>(1.0 / 2.4)) - 0.055;
    return select(curved, 12.92 * mapped, mapped <= vec3<f32>(0.0031308));
}

fn colour_along(ray: Ray) -> vec3<f32> {
    var t = ray.near;
    for (var i = 0; i < 140 && t < ray.far; i++) {
        let p = ray.origin + t * ray.direction;
        let hit = scene(p);
        if (hit.distance < 0.0006 * t) {
            return developed(shade(p, ray.direction, hit.material));
        }
        // The bumps and waves make distances a little too long.
        t += 0.85 * hit.distance;
    }
    return BACKGROUND;
}

@compute @workgroup_size(64)
fn photograph(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = task.x;
    if (id.x >= size * size) { return; }
    let pixel = vec2<f32>(f32(id.x % size), f32(id.x / size));
    var sum = vec3<f32>(0.0);
    for (var i = 0u; i < SAMPLES * SAMPLES; i++) {
        let part = (vec2<f32>(f32(i % SAMPLES), f32(i / SAMPLES)) + 0.5) / f32(SAMPLES);
        sum += colour_along(ray_through(cameras[task.y], (pixel + part) / f32(size)));
    }
    let colour = sum / f32(SAMPLES * SAMPLES);
    photographs[task.y * size * size + id.x] = pack4x8unorm(vec4<f32>(colour, 1.0));
}
