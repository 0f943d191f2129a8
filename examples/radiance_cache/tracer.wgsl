// A small path tracer: spheres, boxes and rectangular lights; diffuse and glossy surfaces; next
// event estimation with multiple importance sampling; Russian roulette.
//
// Everything that scatters light calls `bounce`: the path tracer below, and the cache's kernels.

struct Material {
    diffuse: vec3<f32>,
    roughness: f32,
    // The specular reflectance at normal incidence; 0 for a surface that is diffuse only.
    specular: vec3<f32>,
    // The side of a chessboard's fields, of which every other one is darker; 0 for none.
    field: f32,
}

struct Box {
    low: vec3<f32>,
    material: u32,
    high: vec3<f32>,
    unused: u32,
}

// A rectangle that shines on the side of u × v.
struct Light {
    corner: vec3<f32>,
    material: u32,
    u: vec3<f32>,
    area: f32,
    v: vec3<f32>,
    unused: u32,
    emission: vec3<f32>,
    unused_too: u32,
}

// Spheres inside a sphere: a ray that misses it misses them all.
struct Cluster {
    bound: vec4<f32>,
    first: u32,
    end: u32,
    material: u32,
    unused: u32,
}

struct Scene {
    eye: vec3<f32>,
    width: u32,
    right: vec3<f32>,
    height: u32,
    up: vec3<f32>,
    boxes: u32,
    forward: vec3<f32>,
    lights: u32,
    sky: vec3<f32>,
    clusters: u32,
    materials: array<Material, 16>,
    box: array<Box, 32>,
    light: array<Light, 8>,
    cluster: array<Cluster, 16>,
    // Centre and radius.
    sphere: array<vec4<f32>, 128>,
}

// Of each pixel: the sum of its samples in xyz, their number in w.
@group(0) @binding(0) var<uniform> scene: Scene;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;

// Sets the random numbers of one run apart from those of another.
override SEED: u32 = 0u;

const FAR = 1e9;
const PI = 3.14159265;
const NONE = 0xffffffffu;
// Rays start this far above their surface.
const OFFSET = 1e-3;

// ---- Random numbers: PCG by O'Neill, its state seeded by a hash.

var<private> random_state: u32;

fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn seed(stream: u32, number: u32) {
    random_state = mix_bits(stream ^ mix_bits(number ^ mix_bits(SEED)));
}

// Uniform in [0, 1).
fn random() -> f32 {
    random_state = random_state * 747796405u + 2891336453u;
    let word = ((random_state >> ((random_state >> 28u) + 4u)) ^ random_state) * 277803737u;
    return f32(((word >> 22u) ^ word) >> 8u) / 16777216.0;
}

// ---- What a ray hits.

struct Surface {
    hit: bool,
    position: vec3<f32>,
    normal: vec3<f32>,
    diffuse: vec3<f32>,
    specular: vec3<f32>,
    roughness: f32,
    // The light that it is, or NONE.
    light: u32,
}

// The nearer intersection in front of the origin, or FAR.
fn hit_sphere(origin: vec3<f32>, direction: vec3<f32>, sphere: vec4<f32>) -> f32 {
    let to = sphere.xyz - origin;
    let along = dot(to, direction);
    let off = to - along * direction;
    let square = sphere.w * sphere.w - dot(off, off);
    let half = sqrt(max(square, 0.0));
    let near = along - half;
    let t = select(along + half, near, near > 0.0);
    return select(FAR, t, square > 0.0 && t > 0.0);
}

fn hit_box(origin: vec3<f32>, inverse: vec3<f32>, low: vec3<f32>, high: vec3<f32>) -> f32 {
    let a = (low - origin) * inverse;
    let b = (high - origin) * inverse;
    let enter = min(a, b);
    let leave = max(a, b);
    let near = max(max(enter.x, enter.y), enter.z);
    let far = min(min(leave.x, leave.y), leave.z);
    return select(FAR, near, near <= far && near > 0.0);
}

fn hit_light(origin: vec3<f32>, direction: vec3<f32>, index: u32) -> f32 {
    let u = scene.light[index].u;
    let v = scene.light[index].v;
    let normal = cross(u, v);
    let to = scene.light[index].corner - origin;
    let t = dot(to, normal) / dot(direction, normal);
    let at = t * direction - to;
    let x = dot(at, u) / dot(u, u);
    let y = dot(at, v) / dot(v, v);
    let inside = x >= 0.0 && x <= 1.0 && y >= 0.0 && y <= 1.0;
    return select(FAR, t, inside && t > 0.0);
}

// A ray's direction may be parallel to a box's sides: 1 / 0 is avoided, since a shader's ∞ is not
// one everywhere.
fn inverse_of(direction: vec3<f32>) -> vec3<f32> {
    let away = select(vec3(1e-9), direction, abs(direction) > vec3(1e-9));
    return 1.0 / away;
}

fn nearest(origin: vec3<f32>, direction: vec3<f32>) -> Surface {
    let inverse = inverse_of(direction);
    var t = FAR;
    var box = NONE;
    var sphere = NONE;
    var light = NONE;
    var material = 0u;
    for (var i = 0u; i < scene.boxes; i++) {
        let at = hit_box(origin, inverse, scene.box[i].low, scene.box[i].high);
        if (at < t) {
            t = at;
            box = i;
        }
    }
    for (var c = 0u; c < scene.clusters; c++) {
        if (hit_sphere(origin, direction, scene.cluster[c].bound) < FAR) {
            for (var i = scene.cluster[c].first; i < scene.cluster[c].end; i++) {
                let at = hit_sphere(origin, direction, scene.sphere[i]);
                if (at < t) {
                    t = at;
                    sphere = i;
                    material = scene.cluster[c].material;
                }
            }
        }
    }
    for (var i = 0u; i < scene.lights; i++) {
        let at = hit_light(origin, direction, i);
        if (at < t) {
            t = at;
            light = i;
        }
    }
    var surface: Surface;
    surface.light = light;
    if (t >= FAR) {
        return surface;
    }
    surface.hit = true;
    surface.position = origin + t * direction;
    if (light != NONE) {
        surface.normal = normalize(cross(scene.light[light].u, scene.light[light].v));
        material = scene.light[light].material;
    } else if (sphere != NONE) {
        surface.normal = normalize(surface.position - scene.sphere[sphere].xyz);
    } else {
        let low = scene.box[box].low;
        let high = scene.box[box].high;
        let from_middle = (2.0 * surface.position - low - high) / (high - low);
        let most = max(max(abs(from_middle.x), abs(from_middle.y)), abs(from_middle.z));
        let side = abs(from_middle) >= vec3(most);
        surface.normal = normalize(select(vec3(0.0), sign(from_middle), side));
        material = scene.box[box].material;
    }
    // A wall has two sides, and so has a light.
    if (dot(surface.normal, direction) > 0.0) {
        surface.normal = -surface.normal;
    }
    let found = scene.materials[material];
    surface.diffuse = found.diffuse;
    surface.specular = found.specular;
    surface.roughness = found.roughness;
    if (found.field > 0.0) {
        let fields = vec2<i32>(floor(surface.position.xz / found.field));
        if (((fields.x + fields.y) & 1) == 1) {
            surface.diffuse *= 0.35;
        }
    }
    return surface;
}

// Whether anything lies within `reach` of the origin.
fn is_blocked(origin: vec3<f32>, direction: vec3<f32>, reach: f32) -> bool {
    let inverse = inverse_of(direction);
    for (var i = 0u; i < scene.boxes; i++) {
        if (hit_box(origin, inverse, scene.box[i].low, scene.box[i].high) < reach) {
            return true;
        }
    }
    for (var c = 0u; c < scene.clusters; c++) {
        if (hit_sphere(origin, direction, scene.cluster[c].bound) < FAR) {
            for (var i = scene.cluster[c].first; i < scene.cluster[c].end; i++) {
                if (hit_sphere(origin, direction, scene.sphere[i]) < reach) {
                    return true;
                }
            }
        }
    }
    for (var i = 0u; i < scene.lights; i++) {
        if (hit_light(origin, direction, i) < reach) {
            return true;
        }
    }
    return false;
}

// ---- How a surface scatters: a diffuse lobe, and a microfacet lobe (GGX) whose visible normals
// are sampled: Heitz, "Sampling the GGX Distribution of Visible Normals", 2018.

fn fresnel(specular: vec3<f32>, cosine: f32) -> vec3<f32> {
    if (max(max(specular.x, specular.y), specular.z) == 0.0) {
        return vec3(0.0);
    }
    return specular + (1.0 - specular) * pow(1.0 - clamp(cosine, 0.0, 1.0), 5.0);
}

fn luminance(light: vec3<f32>) -> f32 {
    return dot(light, vec3(0.2126, 0.7152, 0.0722));
}

// The probability with which the specular lobe is sampled.
fn specular_share(surface: Surface, outgoing: vec3<f32>) -> f32 {
    let specular = luminance(fresnel(surface.specular, dot(surface.normal, outgoing)));
    let diffuse = luminance(surface.diffuse);
    return specular / max(specular + diffuse, 1e-6);
}

// Smith's Λ for the cosine between a direction and the normal.
fn smith(cosine: f32, alpha: f32) -> f32 {
    let square = cosine * cosine;
    return 0.5 * (sqrt(1.0 + alpha * alpha * max(1.0 - square, 0.0) / square) - 1.0);
}

// The BSDF times the cosine in xyz; the probability density of sampling `incoming` in w.
fn scatter(surface: Surface, outgoing: vec3<f32>, incoming: vec3<f32>) -> vec4<f32> {
    let n_o = dot(surface.normal, outgoing);
    let n_i = dot(surface.normal, incoming);
    if (n_o <= 0.0 || n_i <= 0.0) {
        return vec4(0.0);
    }
    // What is not reflected at the boundary reaches the diffuse body below.
    let body = surface.diffuse * (1.0 - fresnel(surface.specular, n_o));
    let share = specular_share(surface, outgoing);
    var value = body * n_i / PI;
    var density = (1.0 - share) * n_i / PI;
    if (share > 0.0) {
        let alpha = surface.roughness * surface.roughness;
        let middle = normalize(outgoing + incoming);
        let n_m = dot(surface.normal, middle);
        let root = n_m * n_m * (alpha * alpha - 1.0) + 1.0;
        let distribution = alpha * alpha / (PI * root * root);
        let hidden_o = smith(n_o, alpha);
        let hidden_i = smith(n_i, alpha);
        let common_factor = distribution / (4.0 * n_o);
        let facet = fresnel(surface.specular, dot(middle, outgoing));
        value += facet * common_factor / (1.0 + hidden_o + hidden_i);
        density += share * common_factor / (1.0 + hidden_o);
    }
    return vec4(value, density);
}

// Two directions across a normal: Duff et al., "Building an Orthonormal Basis, Revisited", 2017.
fn basis(n: vec3<f32>) -> mat3x3<f32> {
    let s = select(-1.0, 1.0, n.z >= 0.0);
    let a = -1.0 / (s + n.z);
    let b = n.x * n.y * a;
    return mat3x3(
        vec3(1.0 + s * n.x * n.x * a, s * b, -s * n.x),
        vec3(b, s + n.y * n.y * a, -n.y),
        n
    );
}

// A direction of the incoming light.
fn sample_direction(surface: Surface, outgoing: vec3<f32>) -> vec3<f32> {
    let across = basis(surface.normal);
    let is_specular = random() < specular_share(surface, outgoing);
    let radius = sqrt(random());
    let angle = 2.0 * PI * random();
    let disc = radius * vec2(cos(angle), sin(angle));
    if (!is_specular) {
        return across * vec3(disc, sqrt(max(1.0 - radius * radius, 0.0)));
    }
    let alpha = surface.roughness * surface.roughness;
    let local = outgoing * across;
    let view = normalize(vec3(alpha * local.xy, local.z));
    // The half of the disc that is seen at a slant is narrower.
    let slant = 0.5 * (1.0 + view.z);
    let square = dot(view.xy, view.xy);
    let level = vec3(-view.y, view.x, 0.0) * inverseSqrt(max(square, 1e-12));
    let first = select(vec3(1.0, 0.0, 0.0), level, square > 1e-12);
    let second = cross(view, first);
    let y = mix(sqrt(max(1.0 - disc.x * disc.x, 0.0)), disc.y, slant);
    let z = sqrt(max(1.0 - disc.x * disc.x - y * y, 0.0));
    let stretched = disc.x * first + y * second + z * view;
    let middle = across * normalize(vec3(alpha * stretched.xy, max(stretched.z, 1e-6)));
    return reflect(-outgoing, middle);
}

// ---- Light.

// The probability density, over directions, of choosing a point of a light at this distance.
fn light_density(index: u32, direction: vec3<f32>, reach: f32) -> f32 {
    let normal = normalize(cross(scene.light[index].u, scene.light[index].v));
    let facing = max(-dot(normal, direction), 1e-6);
    return reach * reach / (facing * scene.light[index].area * f32(scene.lights));
}

// What a light shines against a direction that meets it.
fn emission(surface: Surface, direction: vec3<f32>) -> vec3<f32> {
    if (surface.light == NONE) {
        return vec3(0.0);
    }
    let light = scene.light[surface.light];
    return select(vec3(0.0), light.emission, dot(cross(light.u, light.v), direction) < 0.0);
}

// The light that comes straight from a random point of a random light and is scattered.
fn direct(surface: Surface, outgoing: vec3<f32>) -> vec3<f32> {
    if (scene.lights == 0u) {
        return vec3(0.0);
    }
    let index = min(u32(random() * f32(scene.lights)), scene.lights - 1u);
    let light = scene.light[index];
    let to = light.corner + random() * light.u + random() * light.v - surface.position;
    let reach = length(to);
    let direction = to / max(reach, 1e-6);
    let scattered = scatter(surface, outgoing, direction);
    if (scattered.w <= 0.0 || dot(cross(light.u, light.v), direction) >= 0.0) {
        return vec3(0.0);
    }
    let origin = surface.position + OFFSET * surface.normal;
    if (is_blocked(origin, direction, reach - 2.0 * OFFSET)) {
        return vec3(0.0);
    }
    // The balance heuristic: the density of both ways to come upon this direction.
    let density = light_density(index, direction, reach);
    return scattered.xyz * light.emission / (density + scattered.w);
}

// ---- A path's step.

struct Bounce {
    // Scattered light that comes straight from lights and the sky.
    light: vec3<f32>,
    // The factor of what the next surface scatters towards this one.
    throughput: vec3<f32>,
    // What the path meets next, and the direction in which it leaves it: towards this surface.
    next: Surface,
    outgoing: vec3<f32>,
    // Whether there is a next surface.
    goes_on: bool,
}

fn bounce(surface: Surface, outgoing: vec3<f32>) -> Bounce {
    var result: Bounce;
    result.light = direct(surface, outgoing);
    let incoming = sample_direction(surface, outgoing);
    let scattered = scatter(surface, outgoing, incoming);
    if (scattered.w <= 0.0) {
        return result;
    }
    result.throughput = scattered.xyz / scattered.w;
    result.outgoing = -incoming;
    result.next = nearest(surface.position + OFFSET * surface.normal, incoming);
    if (!result.next.hit) {
        result.light += result.throughput * scene.sky;
        return result;
    }
    result.goes_on = true;
    if (result.next.light != NONE) {
        let reach = distance(surface.position, result.next.position);
        let density = light_density(result.next.light, incoming, reach);
        let weight = scattered.w / (scattered.w + density);
        result.light += weight * result.throughput * emission(result.next, incoming);
    }
    return result;
}

// Light that a surface scatters, by a path of any length: Russian roulette ends it.
fn scattered_light(start: Surface, towards: vec3<f32>) -> vec3<f32> {
    var surface = start;
    var outgoing = towards;
    var light = vec3(0.0);
    var throughput = vec3(1.0);
    for (var i = 0u; i < 64u; i++) {
        let step = bounce(surface, outgoing);
        light += throughput * step.light;
        throughput *= step.throughput;
        let most = max(max(throughput.x, throughput.y), throughput.z);
        let alive = select(min(most, 0.95), 1.0, i < 2u);
        if (!step.goes_on || random() >= alive) {
            break;
        }
        throughput /= alive;
        surface = step.next;
        outgoing = step.outgoing;
    }
    return light;
}

// The direction through a place of the picture, in pixels.
fn through(at: vec2<f32>) -> vec3<f32> {
    let size = vec2(f32(scene.width), f32(scene.height));
    let plane = (2.0 * at - size) / size.y;
    return normalize(scene.forward + plane.x * scene.right - plane.y * scene.up);
}

// A direction through a random place of a pixel.
fn camera(pixel: u32) -> vec3<f32> {
    let corner = vec2(f32(pixel % scene.width), f32(pixel / scene.width));
    return through(corner + vec2(random(), random()));
}

// A sample of every pixel. Its number is in the pixel's sum: nothing is uploaded for a sample.
@compute @workgroup_size(64)
fn path_trace(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x;
    if (pixel >= scene.width * scene.height) {
        return;
    }
    seed(pixel, u32(sums[pixel].w));
    let direction = camera(pixel);
    let surface = nearest(scene.eye, direction);
    var light = scene.sky;
    if (surface.hit) {
        light = emission(surface, direction) + scattered_light(surface, -direction);
    }
    sums[pixel] += vec4(light, 1.0);
}
