// What the example's shaders share. Lengths are in units of the scene, colours are sRGB from 0 to 1.
// The constants in front of this text (LOWER, UPPER, BACKGROUND, STEP, CELLS, FEATURES) are `shader.rs`'s.

struct Camera {
    position: vec3<f32>,
    // The distance of a screen of half-width 1.
    focal: f32,
    right: vec3<f32>,
    up: vec3<f32>,
    forward: vec3<f32>,
}

// The part of a ray that lies in the box; empty where `far` is not above `near`.
struct Ray {
    origin: vec3<f32>,
    near: f32,
    direction: vec3<f32>,
    far: f32,
}

// The ray through a place of a square picture, (0, 0) to (1, 1) from its upper left corner.
fn ray_through(camera: Camera, place: vec2<f32>) -> Ray {
    let screen = vec2<f32>(2.0 * place.x - 1.0, 1.0 - 2.0 * place.y);
    let towards = camera.focal * camera.forward + screen.x * camera.right + screen.y * camera.up;
    let direction = normalize(towards);
    // The distances to the three pairs of planes. A direction along a plane gives an infinity of the
    // right sign, as long as it is not 0/0.
    let slope = 1.0 / select(direction, vec3<f32>(1e-9), abs(direction) < vec3<f32>(1e-9));
    let a = (LOWER - camera.position) * slope;
    let b = (UPPER - camera.position) * slope;
    let enter = min(a, b);
    let leave = max(a, b);
    let near = max(max(enter.x, max(enter.y, enter.z)), 0.0);
    let far = min(leave.x, min(leave.y, leave.z));
    return Ray(camera.position, near, direction, far);
}

// Wellons' lowbias32, a hash of 32 bits.
fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

// A number from 0 to 1, 1 excluded.
fn unit(bits: u32) -> f32 {
    return f32(bits >> 8u) / 16777216.0;
}

// The samples of a ray: rows `first` to `first + count` of the networks' inputs and outputs.
struct Span {
    first: u32,
    count: u32,
    // Moves the samples; 0 leaves each in the middle of its interval.
    seed: u32,
}

// `first` of a ray whose samples found no room.
const NO_ROOM = 0xffffffffu;

struct Counts {
    // Rows in use. The networks read it: it comes first.
    samples: u32,
    // Rays that found room.
    rays: u32,
    // Batches until now.
    batch: u32,
}

// The density where a network says `raw`. The exponential lets a few steps of the optimizer turn air
// into stone; it is held before it overflows.
fn density_of(raw: f32) -> f32 {
    return exp(min(raw, 10.0));
}

fn density_derivative(raw: f32) -> f32 {
    return select(0.0, exp(raw), raw < 10.0);
}
