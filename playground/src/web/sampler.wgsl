// Draws samples of the picture: the twin of `Image::samples`. BATCH stands in front.

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var<storage, read> status: array<u32>;
@group(0) @binding(2) var<storage, read_write> places: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> lights: array<f32>;

// `lowbias32` by Wellons.
fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn texel(p: vec2<i32>, last: vec2<i32>) -> vec3<f32> {
    // A texture of sRGB values: what a load gives is linear.
    return textureLoad(picture, clamp(p, vec2<i32>(), last), 0).rgb;
}

@compute @workgroup_size(64)
fn sample(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= BATCH) {
        return;
    }
    // The trainer's own step counter: no two steps draw the same places.
    let a = mix_bits(id.x ^ mix_bits(status[0]));
    let b = mix_bits(a + 0x9e3779b9u);
    let place = vec2<f32>(vec2<u32>(a, b) >> vec2<u32>(8u)) / 16777216.0;
    let size = vec2<i32>(textureDimensions(picture));
    let at = place * vec2<f32>(size) - 0.5;
    let low = vec2<i32>(floor(at));
    let share = at - floor(at);
    let last = size - 1;
    let above = mix(texel(low, last), texel(low + vec2<i32>(1, 0), last), share.x);
    let below = mix(texel(low + vec2<i32>(0, 1), last), texel(low + 1, last), share.x);
    let light = mix(above, below, share.y);
    places[id.x] = place;
    lights[3u * id.x] = light.r;
    lights[3u * id.x + 1u] = light.g;
    lights[3u * id.x + 2u] = light.b;
}
