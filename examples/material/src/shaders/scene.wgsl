// Spheres in a row on the ground, a material each, under a sun and a sky. A material is drawn by a pipeline
// of its own, which leaves the others' pixels black: the pictures are added.

struct View {
    // Pixels.
    size: vec2<f32>,
    // Texels of a side of the material, and its mip levels.
    texels: f32,
    levels: f32,
    // Which material this is, of how many.
    number: u32,
    count: u32,
    // Rays of a side of a pixel, and how many times larger the middle is drawn.
    rays: u32,
    zoom: f32,
}

@group(0) @binding(0) var<uniform> view: View;

const PI = 3.14159265;
// From the middle of a sphere to the next. They have a radius of 1.
const APART = 2.5;
const FOCAL = 3.2;
// A repeat of the material on the ground.
const REPEAT = 2.0;
// Repeats round a sphere.
const ROUND = 3.0;
// How far a sphere's axis leans back: no pole is seen.
const LEAN = 0.32;
const SUN = vec3<f32>(-0.55, 0.62, -0.56);
const SUNLIGHT = vec3<f32>(5.4, 4.85, 4.0);
const EXPOSURE = 0.85;

@vertex
fn whole(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {
    return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

// What a ray meets.
struct Hit {
    // Along the ray; below 0 for the sky.
    along: f32,
    // The material's number.
    number: u32,
    place: vec3<f32>,
    normal: vec3<f32>,
    // To the right and up in the material's pictures.
    right: vec3<f32>,
    up: vec3<f32>,
    // The place in the pictures; v grows downwards.
    uv: vec2<f32>,
    // How u grows to the right and v grows upwards, a length of the scene.
    slope: vec2<f32>,
}

fn middle(number: u32) -> vec3<f32> {
    return vec3<f32>(APART * (f32(number) - 0.5 * f32(view.count - 1u)), 1.0, 0.0);
}

// Where a ray enters a sphere; below 0 where it misses.
fn entered(eye: vec3<f32>, ray: vec3<f32>, number: u32) -> f32 {
    let off = eye - middle(number);
    let a = dot(ray, ray);
    let b = dot(off, ray);
    let square = b * b - a * (dot(off, off) - 1.0);
    return select(-1.0, (-b - sqrt(max(square, 0.0))) / a, square > 0.0);
}

fn on_sphere(hit: ptr<function, Hit>) {
    let axis = vec3<f32>(0.0, cos(LEAN), sin(LEAN));
    let back = vec3<f32>(0.0, -sin(LEAN), cos(LEAN));
    let n = (*hit).place - middle((*hit).number);
    let height = clamp(dot(n, axis), -1.0, 1.0);
    let ring = max(sqrt(1.0 - height * height), 1e-3);
    let turn = atan2(n.x, -dot(n, back));
    (*hit).normal = normalize(n);
    (*hit).right = vec3<f32>(cos(turn), 0.0, 0.0) + sin(turn) * back;
    (*hit).up = ring * axis - height * (sin(turn) * vec3<f32>(1.0, 0.0, 0.0) - cos(turn) * back);
    (*hit).uv = vec2<f32>(ROUND * turn / (2.0 * PI), 0.5 * ROUND * acos(height) / PI);
    (*hit).slope = vec2<f32>(ROUND / (2.0 * PI * ring), -0.5 * ROUND / PI);
}

fn on_ground(hit: ptr<function, Hit>) {
    let lane = (*hit).place.x / APART + 0.5 * f32(view.count);
    (*hit).number = u32(clamp(lane, 0.0, f32(view.count) - 0.5));
    (*hit).normal = vec3<f32>(0.0, 1.0, 0.0);
    (*hit).right = vec3<f32>(1.0, 0.0, 0.0);
    (*hit).up = vec3<f32>(0.0, 0.0, 1.0);
    (*hit).uv = vec2<f32>((*hit).place.x, -(*hit).place.z) / REPEAT;
    (*hit).slope = vec2<f32>(1.0, -1.0) / REPEAT;
}

fn met(eye: vec3<f32>, ray: vec3<f32>) -> Hit {
    var hit: Hit;
    hit.along = -1.0;
    var is_ground = false;
    if ray.y < 0.0 {
        hit.along = -eye.y / ray.y;
        is_ground = true;
    }
    for (var i = 0u; i < view.count; i++) {
        let along = entered(eye, ray, i);
        if along > 0.0 && (hit.along < 0.0 || along < hit.along) {
            hit.along = along;
            hit.number = i;
            is_ground = false;
        }
    }
    if hit.along > 0.0 {
        hit.place = eye + hit.along * ray;
        if is_ground {
            on_ground(&hit);
        } else {
            on_sphere(&hit);
        }
    }
    return hit;
}

// How u and v change from a ray to a neighbour, whose direction differs by `change`: where the neighbour
// meets the plane that touches the surface.
fn change_of(hit: Hit, ray: vec3<f32>, change: vec3<f32>) -> vec2<f32> {
    let moved = hit.along * (change - ray * (dot(change, hit.normal) / dot(ray, hit.normal)));
    return hit.slope * vec2<f32>(dot(moved, hit.right), dot(moved, hit.up));
}

fn sky(ray: vec3<f32>) -> vec3<f32> {
    let up = max(ray.y, 0.0);
    let above = mix(vec3<f32>(0.80, 0.83, 0.86), vec3<f32>(0.11, 0.27, 0.62), pow(up, 0.4));
    let haze = pow(max(dot(ray, SUN), 0.0), 24.0);
    let ground = vec3<f32>(0.20, 0.18, 0.16);
    return mix(ground, above + 0.7 * haze, smoothstep(-0.06, 0.02, ray.y));
}

// The sky's light on a surface that faces `n`.
fn around(n: vec3<f32>) -> vec3<f32> {
    return mix(vec3<f32>(0.17, 0.15, 0.13), vec3<f32>(0.36, 0.46, 0.62), 0.5 + 0.5 * n.y);
}

// How much of the sun reaches a place past the spheres, 0 to 1.
fn sun_at(hit: Hit) -> f32 {
    var light = 1.0;
    for (var i = 0u; i < view.count; i++) {
        let off = middle(i) - hit.place;
        let along = dot(off, SUN);
        let is_itself = dot(off, off) < 1.01 && hit.normal.y < 0.999;
        if along > 0.0 && !is_itself {
            let apart = sqrt(max(dot(off, off) - along * along, 0.0)) - 1.0;
            light *= smoothstep(-0.04, 0.04, apart / along);
        }
    }
    return light;
}

// How much of the sky the spheres and the ground leave, 0 to 1.
fn openness(hit: Hit) -> f32 {
    var open = 1.0;
    for (var i = 0u; i < view.count; i++) {
        let off = middle(i) - hit.place;
        let square = dot(off, off);
        if square > 1.02 || hit.normal.y > 0.999 {
            open *= 1.0 - max(dot(hit.normal, off), 0.0) / (square * sqrt(square));
        }
    }
    return open;
}

fn light_of(coded: vec3<f32>) -> vec3<f32> {
    return select(pow((coded + 0.055) / 1.055, vec3<f32>(2.4)), coded / 12.92, coded <= vec3<f32>(0.04045));
}

// The share of the sky's light that a rough surface mirrors: Karis, "Physically Based Shading on Mobile",
// 2014.
fn mirrored(colour: vec3<f32>, roughness: f32, facing: f32) -> vec3<f32> {
    let r = roughness * vec4<f32>(-1.0, -0.0275, -0.572, 0.022) + vec4<f32>(1.0, 0.0425, 1.04, -0.04);
    let a = min(r.x * r.x, exp2(-9.28 * facing)) * r.x + r.y;
    let scale = vec2<f32>(-1.04, 1.04) * a + r.zw;
    return colour * scale.x + scale.y;
}

// The light that a surface sends towards the eye.
fn lit(hit: Hit, ray: vec3<f32>, lod: f32) -> vec3<f32> {
    let texel = material(hit.uv, lod);
    let base = light_of(clamp(vec3<f32>(texel[0], texel[1], texel[2]), vec3<f32>(0.0), vec3<f32>(1.0)));
    let slope = 2.0 * vec2<f32>(texel[3], texel[4]) - 1.0;
    let z = sqrt(max(1.0 - dot(slope, slope), 0.01));
    var n = normalize(slope.x * hit.right + slope.y * hit.up + z * hit.normal);
    let roughness = clamp(texel[5], 0.06, 1.0);
    let metalness = clamp(texel[6], 0.0, 1.0);
    let occlusion = clamp(texel[7], 0.0, 1.0);

    let eye = -normalize(ray);
    // What leans away from the eye is bent back.
    n = normalize(n + max(0.02 - dot(n, eye), 0.0) * eye);
    let facing = clamp(dot(n, eye), 0.02, 1.0);
    let toward = max(dot(n, SUN), 0.0);
    let half = normalize(eye + SUN);
    let between = max(dot(eye, half), 0.0);
    let specular = mix(vec3<f32>(0.04), base, metalness);
    let diffuse = base * (1.0 - metalness);

    // GGX with Smith's shadowing.
    let a = roughness * roughness;
    let cosine = max(dot(n, half), 0.0);
    let bottom = cosine * cosine * (a * a - 1.0) + 1.0;
    let spread = a * a / (PI * bottom * bottom);
    let hidden = toward * sqrt(facing * facing * (1.0 - a * a) + a * a)
        + facing * sqrt(toward * toward * (1.0 - a * a) + a * a);
    let fresnel = specular + (1.0 - specular) * pow(1.0 - between, 5.0);
    let gloss = fresnel * spread * 0.5 / max(hidden, 1e-4);
    let shade = sun_at(hit) * smoothstep(-0.1, 0.1, dot(hit.normal, SUN));
    let direct = (diffuse / PI + gloss) * SUNLIGHT * toward * shade;

    let open = openness(hit) * occlusion;
    let mirror = reflect(-eye, n);
    let seen = mix(sky(mirror), around(mirror), smoothstep(0.0, 0.7, roughness));
    let ambient = diffuse * around(n) + mirrored(specular, roughness, facing) * seen;
    return direct + ambient * open;
}

// Narkowicz, "ACES Filmic Tone Mapping Curve", 2016.
fn toned(light: vec3<f32>) -> vec3<f32> {
    let x = EXPOSURE * light;
    return clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), vec3<f32>(0.0), vec3<f32>(1.0));
}

@fragment
fn drawn(@builtin(position) pixel: vec4<f32>) -> @location(0) vec4<f32> {
    // As far away as all spheres need to be seen.
    let wide = 0.5 * APART * f32(view.count) + 0.2;
    let away = FOCAL * max(1.45, wide * view.size.y / view.size.x);
    let eye = vec3<f32>(0.0, 1.0 + 0.24 * away, -0.97 * away);
    let forward = normalize(vec3<f32>(0.0, 0.9, 0.0) - eye);
    let up = vec3<f32>(0.0, forward.z, -forward.y);
    let apart = 2.0 / (view.size.y * f32(view.rays) * view.zoom);
    let across = vec3<f32>(apart, 0.0, 0.0);
    let down = -apart * up;

    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < view.rays * view.rays; i++) {
        let inner = (vec2<f32>(f32(i % view.rays), f32(i / view.rays)) + 0.5) / f32(view.rays);
        let at = f32(view.rays) * (floor(pixel.xy) + inner - 0.5 * view.size);
        let ray = FOCAL * forward + at.x * across + at.y * down;
        let hit = met(eye, ray);
        if hit.number != view.number {
            continue;
        }
        let far = sky(normalize(vec3<f32>(ray.x, max(ray.y, 0.0), ray.z)));
        var light = far;
        if hit.along > 0.0 {
            let a = change_of(hit, ray, across);
            let b = change_of(hit, ray, down);
            let footprint = view.texels * sqrt(max(dot(a, a), dot(b, b)));
            let lod = clamp(log2(max(footprint, 1e-6)), 0.0, view.levels - 1.0);
            let haze = 1.0 - exp(-pow(hit.along * length(ray) / 110.0, 2.0));
            light = mix(lit(hit, ray, lod), far, haze);
        }
        sum += vec4<f32>(toned(light), 1.0);
    }
    return sum / f32(view.rays * view.rays);
}
